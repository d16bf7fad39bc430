import { DatabaseSync, type SQLInputValue } from 'node:sqlite';

/** node:sqlite, as far as TypeORM wants better-sqlite3 of its `driver`. That package would have to be compiled. */
export class NodeBetterSqlite3 {
  readonly #database: DatabaseSync;

  constructor(path: string) {
    this.#database = new DatabaseSync(path);
  }

  prepare(text: string) {
    const statement = this.#database.prepare(text);
    return {
      reader: statement.columns().length > 0,
      all: (...parameters: SQLInputValue[]) => statement.all(...parameters),
      run: (...parameters: SQLInputValue[]) => statement.run(...parameters),
    };
  }

  pragma(text: string) {
    return this.#database.prepare(`PRAGMA ${text}`).all();
  }

  exec(text: string): void {
    this.#database.exec(text);
  }

  close(): void {
    this.#database.close();
  }
}
