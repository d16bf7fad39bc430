import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';

/** A file that rows name. */
export interface FileReference {
  /** Below its tree. */
  readonly path: string;
  /** The first row that names it, as `invoice:42`, and in which column. */
  readonly row: string;
  readonly column: string;
  /** How many rows do. */
  readonly rowCount: number;
}

/** A file that is there. */
export interface FoundFile {
  readonly path: string;
  readonly sizeBytes: number;
}

const cacheKib = 4 * 1024;

/**
 * The files that rows name, each once, in the order of their bytes; and, for an audit, those that are there. Memory: 4 MiB; beyond that they lie in a file
 * of the temporary folder.
 */
export class FileReferences {
  readonly #database: DatabaseSync;
  readonly #path: string;
  readonly #addReference: StatementSync;
  readonly #addFound: StatementSync;
  #isClosed = false;

  constructor(temporaryFolder: string, name: string) {
    this.#path = join(temporaryFolder, `${encodeURIComponent(name)}.references`);
    this.#database = new DatabaseSync(this.#path);
    this.#database.exec(`
      PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -${cacheKib};
      CREATE TABLE reference (tree INTEGER, path TEXT, row TEXT, col TEXT, count INTEGER, PRIMARY KEY (tree, path)) WITHOUT ROWID;
      CREATE TABLE found (tree INTEGER, path TEXT, size INTEGER, PRIMARY KEY (tree, path)) WITHOUT ROWID;
      BEGIN`);
    this.#addReference = this.#database.prepare(
      'INSERT INTO reference VALUES (?, ?, ?, ?, 1) ON CONFLICT DO UPDATE SET count = count + 1',
    );
    this.#addFound = this.#database.prepare('INSERT OR IGNORE INTO found VALUES (?, ?, ?)');
  }

  /** A row names a file. */
  add(tree: number, path: string, { row, column }: { readonly row: string; readonly column: string }): void {
    this.#addReference.run(tree, path, row, column);
  }

  /** A file is there. False where that was known. */
  addFound(tree: number, { path, sizeBytes }: FoundFile): boolean {
    return Number(this.#addFound.run(tree, path, sizeBytes).changes) > 0;
  }

  /** What rows name below a tree. */
  *of(tree: number): Generator<FileReference> {
    yield* this.#references('SELECT path, row, col, count FROM reference WHERE tree = ? ORDER BY path', tree);
  }

  /** What rows name, and is not among what was found. */
  *missing(tree: number): Generator<FileReference> {
    yield* this.#references(
      `SELECT path, row, col, count FROM reference WHERE tree = ?1
       AND NOT EXISTS (SELECT 1 FROM found WHERE found.tree = ?1 AND found.path = reference.path) ORDER BY path`,
      tree,
    );
  }

  /** What was found, and no row names. */
  *unnamed(tree: number): Generator<FoundFile> {
    const statement = this.#database.prepare(
      `SELECT path, size FROM found WHERE tree = ?1
       AND NOT EXISTS (SELECT 1 FROM reference WHERE reference.tree = ?1 AND reference.path = found.path) ORDER BY path`,
    );
    for (const { path, size } of statement.iterate(tree)) yield { path: String(path), sizeBytes: Number(size) };
  }

  /** May be repeated. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#database.close();
    rmSync(this.#path, { force: true });
  }

  *#references(sql: string, tree: number): Generator<FileReference> {
    for (const { path, row, col, count } of this.#database.prepare(sql).iterate(tree)) {
      yield { path: String(path), row: String(row), column: String(col), rowCount: Number(count) };
    }
  }
}

/** Which rows name a file, for people. */
export function namedBy({ row, column, rowCount }: FileReference): string {
  const more = rowCount > 1 ? `, as do ${rowCount - 1} more` : '';
  return `${row} names it in ${column}${more}`;
}
