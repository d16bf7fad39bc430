import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import {
  ColumnTypeEnum,
  type SqlDriverAdapter,
  type SqlDriverAdapterFactory,
  type SqlQuery,
  type SqlResultSet,
  type Transaction,
} from '@prisma/driver-adapter-utils';

function inputOf(given: unknown): SQLInputValue {
  if (typeof given === 'boolean') return given ? 1 : 0;
  return (given instanceof Date ? given.toISOString() : given) as SQLInputValue;
}

function columnType(value: unknown): SqlResultSet['columnTypes'][number] {
  return typeof value === 'number' ? ColumnTypeEnum.Int32 : ColumnTypeEnum.Text;
}

/** A driver adapter of Prisma over node:sqlite: its own go over packages that would have to be compiled or downloaded. */
export class PrismaNodeSqlite implements SqlDriverAdapterFactory {
  readonly provider = 'sqlite';
  readonly adapterName = 'node-sqlite';
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  async connect(): Promise<SqlDriverAdapter> {
    const database = new DatabaseSync(this.#path);
    const { provider, adapterName } = this;
    const queries = {
      provider,
      adapterName,
      async queryRaw({ sql, args }: SqlQuery): Promise<SqlResultSet> {
        const statement = database.prepare(sql);
        const columnNames = statement.columns().map(({ name }) => name);
        statement.setReturnArrays(true);
        const rows = statement.all(...args.map(inputOf)) as unknown as unknown[][];
        return { columnNames, columnTypes: columnNames.map((_, index) => columnType(rows[0]?.[index])), rows };
      },
      async executeRaw({ sql, args }: SqlQuery): Promise<number> {
        return Number(database.prepare(sql).run(...args.map(inputOf)).changes);
      },
    } as const;
    return {
      ...queries,
      executeScript: async (script) => database.exec(script),
      dispose: async () => database.close(),
      startTransaction: async (): Promise<Transaction> => {
        database.exec('BEGIN');
        return {
          ...queries,
          options: { usePhantomQuery: true },
          commit: async () => database.exec('COMMIT'),
          rollback: async () => database.exec('ROLLBACK'),
          createSavepoint: async (name) => database.exec(`SAVEPOINT ${name}`),
          rollbackToSavepoint: async (name) => database.exec(`ROLLBACK TO ${name}`),
          releaseSavepoint: async (name) => database.exec(`RELEASE ${name}`),
        };
      },
    };
  }
}
