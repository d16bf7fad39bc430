import { DatabaseSync, type SQLInputValue } from 'node:sqlite';

type Done = (
  this: { lastID?: number | bigint; changes?: number | bigint },
  error: Error | null,
  rows?: unknown[],
) => void;

/** Values come in a list, or by name: `{ $1: … }`. */
function valuesOf(parameters: unknown): SQLInputValue[] {
  if (Array.isArray(parameters)) return parameters as SQLInputValue[];
  if (typeof parameters !== 'object' || parameters === null) return [];
  return Object.keys(parameters).length === 0 ? [] : [parameters as unknown as SQLInputValue];
}

/** node:sqlite, as far as Sequelize wants sqlite3 of its `dialectModule`. That package would have to be compiled. */
class Database {
  filename: string;
  readonly #database: DatabaseSync;

  constructor(path: string, _mode: number, done: (error: Error | null) => void) {
    this.filename = path;
    this.#database = new DatabaseSync(path);
    setImmediate(done, null);
  }

  #call(text: string, parameters: unknown, done: Done): this {
    const values = valuesOf(parameters);
    try {
      const statement = this.#database.prepare(text);
      if (statement.columns().length > 0) {
        const rows = statement.all(...values);
        setImmediate(() => done.call({}, null, rows));
      } else {
        const { lastInsertRowid: lastID, changes } = statement.run(...values);
        setImmediate(() => done.call({ lastID, changes }, null, []));
      }
    } catch (error) {
      setImmediate(() => done.call({}, error as Error));
    }
    return this;
  }

  run(text: string, parameters: unknown, done?: Done): this {
    const callback = typeof parameters === 'function' ? (parameters as Done) : (done ?? (() => undefined));
    return this.#call(text, parameters, callback);
  }

  all(text: string, parameters: unknown, done?: Done): this {
    return this.run(text, parameters, done);
  }

  serialize(work: () => void): void {
    work();
  }

  close(done: (error: Error | null) => void): void {
    this.#database.close();
    setImmediate(done, null);
  }
}

/** What `require('sqlite3')` gives. */
export const nodeSqlite3 = { Database, OPEN_READONLY: 1, OPEN_READWRITE: 2, OPEN_CREATE: 4 };
