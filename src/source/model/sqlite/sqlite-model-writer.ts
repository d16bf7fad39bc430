import { mkdir, open as openFile, rename, rm } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { longestTimerMs } from '../../../clock.ts';
import { syncFolder } from '../../../disk/sync-folder.ts';
import { HoldfastError } from '../../../errors.ts';
import { exactly } from '../../sqlite/exact-statement.ts';
import { realPlace } from '../../sqlite/real-place.ts';
import { sqlitePathFromUrl } from '../../sqlite/sqlite-path.ts';
import { partialPath, removeStalePartials, statsIfThere } from '../../staging.ts';
import type { Discovery } from '../model.ts';
import { readLines } from '../read-lines.ts';
import { updatedColumns, writtenFields } from '../restore/convert-rows.ts';
import { matchRows, stageName } from '../restore/match-rows.ts';
import type { ModelWriter } from '../restore/model-writer.ts';
import type { OpenWriterOptions } from '../restore/open-writer.ts';
import type { LoadedRows, LoadPlan, ModelCounts, RestorePlan } from '../restore/restore-plan.ts';
import { discoverSqlite, quoteName } from './discover-sqlite.ts';
import { rowBinder } from './row-binder.ts';
import { tableStatement } from './sqlite-ddl.ts';
import { SqliteMatch, stageStatement } from './sqlite-match.ts';
import { sqliteRowError } from './sqlite-row-error.ts';

type Row = Readonly<Record<string, unknown>>;

/** A statement for several rows costs less than so many statements; a statement takes some thousand values. */
const mostRowsAtOnce = 16;
const mostValues = 900;

/** A database of SQLite that models are restored into: in one transaction, or, where it is not there yet, as a file that appears when it is whole. */
export class SqliteModelWriter implements ModelWriter {
  readonly engine = 'sqlite';
  readonly label: string;
  readonly #path: string;
  /** Where a new database is made until it is whole. */
  readonly #madePath: string | undefined;
  readonly #database: DatabaseSync;
  #plan: RestorePlan | undefined;
  #triggers: readonly string[] = [];
  #known = new Set<string>();
  #isClosed = false;

  static async open(options: OpenWriterOptions): Promise<SqliteModelWriter> {
    const path = await realPlace(resolve(sqlitePathFromUrl(options.url.reveal())));
    const stats = await statsIfThere(path);
    if (stats !== undefined && !stats.isFile()) {
      throw new HoldfastError('target.exists', { message: `${path} is there and is not a file` });
    }
    let madePath: string | undefined;
    if (stats === undefined) {
      await mkdir(dirname(path), { recursive: true });
      await removeStalePartials(path, options.clock);
      madePath = partialPath(path, options.random);
    }
    try {
      return new SqliteModelWriter(path, madePath, options.timeoutMs);
    } catch (error) {
      throw sqliteRowError(error, { table: 'the database', path });
    }
  }

  private constructor(path: string, madePath: string | undefined, timeoutMs: number) {
    this.label = path;
    this.#path = path;
    this.#madePath = madePath;
    const timeout = Math.min(timeoutMs, longestTimerMs);
    this.#database = new DatabaseSync(madePath ?? path, { timeout, enableForeignKeyConstraints: false });
  }

  async discover(): Promise<Discovery> {
    return this.#do('the database', () => discoverSqlite(this.#database));
  }

  async remarks(): Promise<readonly string[]> {
    return [];
  }

  async begin(plan: RestorePlan): Promise<number> {
    this.#plan = plan;
    return this.#do('the database', () => {
      const database = this.#database;
      database.exec('BEGIN IMMEDIATE');
      this.#known = new Set(this.#violations());
      for (const model of plan.creates) database.exec(tableStatement(model));
      const triggers = database
        .prepare(`SELECT name, tbl_name AS tableName, sql FROM sqlite_schema WHERE type = 'trigger'`)
        .all() as Row[];
      const loaded = new Set(plan.loads.map(({ target }) => target.table.name));
      const own = triggers.filter(({ tableName }) => loaded.has(String(tableName)));
      for (const { name } of own) database.exec(`DROP TRIGGER ${quoteName(String(name))}`);
      this.#triggers = own.map(({ sql }) => String(sql));
      let removed = 0;
      for (const { table } of plan.flushes) {
        removed += Number(exactly(database, `DELETE FROM ${quoteName(table.name)}`).run().changes);
      }
      return removed;
    });
  }

  async load(load: LoadPlan, bytes: AsyncIterable<Uint8Array>): Promise<LoadedRows> {
    const isFromSqlite = this.#plan?.sourceEngine === 'sqlite';
    const table = load.target.table.name;
    const waiting = this.#plan?.match?.find((one) => one.load === load);
    const beside = waiting === undefined ? undefined : `temp.${stageName(waiting)}`;
    const rowsAtOnce = Math.max(1, Math.min(mostRowsAtOnce, Math.floor(mostValues / writtenFields(load).length)));
    const isEmpty = writtenFields(load).length === 0;
    const [single, several] = this.#do(table, () => {
      if (waiting !== undefined) this.#database.exec(stageStatement(waiting));
      return [1, isEmpty ? 1 : rowsAtOnce].map((count) =>
        exactly(this.#database, insertStatement(load, count, beside)),
      );
    }) as [StatementSync, StatementSync];
    const bind = rowBinder(load, { isFromSqlite });
    const before = this.#count(table);
    let rows = 0;
    let changed = 0;
    const options = { model: load.source.name, columnCount: load.fields.length };
    for await (const lines of readLines(bytes, options)) {
      changed += this.#do(table, () => {
        let sum = 0;
        let gathered: unknown[] = [];
        let count = 0;
        for (const [index, line] of lines.entries()) {
          rows += 1;
          const isAlone = isEmpty || (count === 0 && lines.length - index < rowsAtOnce);
          if (isAlone) {
            sum += run(single, bind(line, rows));
            continue;
          }
          gathered.push(...bind(line, rows));
          count += 1;
          if (count < rowsAtOnce) continue;
          sum += run(several, gathered as Bound);
          gathered = [];
          count = 0;
        }
        return sum;
      });
    }
    if (waiting !== undefined) return { waiting: rows };
    const inserted = this.#count(table) - before;
    return { model: load.source.name, inserted, updated: changed - inserted, skipped: rows - changed };
  }

  async finish(): Promise<readonly ModelCounts[]> {
    const match = new SqliteMatch(this.#database, this.#path);
    const counts = await matchRows(match, this.#plan?.match ?? []);
    this.#do('the database', () => {
      for (const trigger of this.#triggers) this.#database.exec(trigger);
      const found = this.#violations().find((violation) => !this.#known.has(violation));
      if (found === undefined) return;
      const [table, row, parent] = JSON.parse(found) as [string, string | null, string];
      throw new HoldfastError('target.invalid', {
        message: `${table}: ${row === null ? 'a row' : `the row ${row}`} names a row of ${parent} that is not there`,
        hint: 'restore the table that it names too; nothing was changed',
        context: { table, parent },
      });
    });
    return counts;
  }

  async commit(): Promise<void> {
    this.#do('the database', () => {
      for (const load of this.#plan?.loads ?? []) this.#setSequence(load);
      this.#database.exec('COMMIT');
    });
    this.#close();
    const made = this.#madePath;
    if (made === undefined) return;
    const handle = await openFile(made, 'r+');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
    if ((await statsIfThere(this.#path)) !== undefined) {
      await this.#removeMade();
      throw new HoldfastError('target.exists', { message: `${this.#path} was made by another program meanwhile` });
    }
    await rename(made, this.#path);
    await syncFolder(dirname(this.#path));
  }

  async rollback(): Promise<void> {
    if (!this.#isClosed && this.#database.isTransaction) this.#database.exec('ROLLBACK');
    this.#close();
    await this.#removeMade();
  }

  #close(): void {
    if (!this.#isClosed) this.#database.close();
    this.#isClosed = true;
  }

  async #removeMade(): Promise<void> {
    if (this.#madePath === undefined) return;
    for (const suffix of ['', '-journal']) await rm(`${this.#madePath}${suffix}`, { force: true });
  }

  #count(table: string): number {
    const row = this.#database.prepare(`SELECT count(*) AS count FROM ${quoteName(table)}`).get();
    return Number(row?.['count']);
  }

  /** Rows that name others which are not there. */
  #violations(): string[] {
    const rows = exactly(this.#database, 'PRAGMA foreign_key_check').all() as Row[];
    return rows.map(({ table, rowid, parent }) =>
      JSON.stringify([table, rowid === null ? null : String(rowid), parent]),
    );
  }

  #setSequence({ target, fields }: LoadPlan): void {
    const numbered = fields.find((field) => field.target?.identity !== undefined);
    const next = numbered?.source.identity?.next;
    const hasTable = this.#database.prepare(`SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_sequence'`).get();
    if (next === undefined || hasTable === undefined) return;
    const { name } = target.table;
    const asked = exactly(this.#database, 'SELECT max(seq) AS seq FROM sqlite_sequence WHERE name = ?');
    const known = asked.get(name)?.['seq'];
    const last = BigInt(next) - 1n;
    if (typeof known !== 'bigint') {
      // Only tables that are numbered so have one, once they had a row.
      const sql = this.#database.prepare('SELECT sql FROM sqlite_schema WHERE name = ?').get(name)?.['sql'];
      if (/AUTOINCREMENT/i.test(String(sql))) {
        exactly(this.#database, 'INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)').run(name, last);
      }
    } else if (known < last) {
      exactly(this.#database, 'UPDATE sqlite_sequence SET seq = ? WHERE name = ?').run(last, name);
    }
  }

  #do<Result>(table: string, work: () => Result): Result {
    try {
      return work();
    } catch (error) {
      throw sqliteRowError(error, { table, path: this.#path });
    }
  }
}

type Bound = Parameters<StatementSync['run']>;

function run(statement: StatementSync, values: Bound): number {
  return Number(statement.run(...values).changes);
}

/** `beside`: a table without keys that the rows go to first. */
function insertStatement(load: LoadPlan, rowCount: number, beside: string | undefined): string {
  const fields = writtenFields(load);
  const names = fields.map(({ target }) => target.name);
  const table = beside ?? quoteName(load.target.table.name);
  if (names.length === 0) return `INSERT INTO ${table} DEFAULT VALUES`;
  const key = load.target.primaryKey?.columns ?? [];
  const changes = updatedColumns(load)
    .map((name) => `${quoteName(name)} = excluded.${quoteName(name)}`)
    .join(', ');
  const own = key.length === 0 ? '' : ` (${key.map(quoteName).join(', ')})`;
  const conflicts = {
    fail: '',
    // Another unique key that is taken means that rows have other numbers now: what names them would name others.
    skip: ` ON CONFLICT${own} DO NOTHING`,
    update: ` ON CONFLICT${own} DO ${changes === '' ? 'NOTHING' : `UPDATE SET ${changes}`}`,
  };
  const row = `(${names.map(() => '?').join(', ')})`;
  const places = Array.from({ length: rowCount }, () => row).join(', ');
  const conflict = beside === undefined ? conflicts[load.onConflict] : '';
  return `INSERT INTO ${table} (${names.map(quoteName).join(', ')}) VALUES ${places}${conflict}`;
}
