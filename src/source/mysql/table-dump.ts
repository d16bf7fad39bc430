import { HoldfastError } from '../../errors.ts';
import { type DumpPiece, DumpScanner } from './dump-scanner.ts';

const chunkLimitBytes = 1024 * 1024;

/** Settings under which the statements of a table's file make it as it was, whatever runs them. */
const preamble = Buffer.from(
  `/*!40101 SET NAMES utf8mb4 */;
/*!40103 SET TIME_ZONE='+00:00' */;
/*!40014 SET UNIQUE_CHECKS=0, FOREIGN_KEY_CHECKS=0 */;
/*!40101 SET SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;
`,
);

const createTable = /^CREATE TABLE `((?:[^`]|``)*)`/;
/** Statements around the rows that make loading them faster, or that the rows need. */
const isOfRows =
  /^(?:\/\*!40000 ALTER TABLE `(?:[^`]|``)*` (?:DISABLE|ENABLE) KEYS \*\/|\/\*M!101100 SET [^;`'"]*system_versioning_insert_history)/;

/** Cuts what the dump tool writes into one file for each table, as it comes. */
export class TableDump {
  readonly #next: () => Promise<Buffer | undefined>;
  readonly #scanner = new DumpScanner();
  #pieces: Iterator<DumpPiece> | undefined;
  /** The statement that makes the next table. */
  #create: Buffer | undefined;
  /** Whether its name was given, and its file was not asked for yet. */
  #isNamed = false;
  #isComplete = false;
  #rowCount = 0;
  #largestStatementBytes = 0;
  #statementBytes = 0;

  /** `next` gives the bytes of the dump, and undefined when the tool has ended well. */
  constructor(next: () => Promise<Buffer | undefined>) {
    this.#next = next;
  }

  /** Rows of the table that was read last. */
  get rowCount(): number {
    return this.#rowCount;
  }

  /** Length of the longest statement of that table: a server takes it only if its `max_allowed_packet` is larger. */
  get largestStatementBytes(): number {
    return this.#largestStatementBytes;
  }

  /**
   * Passes over what is left of the table before, and gives the name of the next one; undefined when there is none, and the dump is complete.
   * Throws `tool.failed` when its end mark is missing.
   */
  async nextTable(): Promise<string | undefined> {
    if (this.#isNamed) this.#create = undefined;
    this.#isNamed = true;
    for (;;) {
      if (this.#create !== undefined) return tableName(this.#create);
      const piece = await this.#nextPiece();
      if (piece === undefined) break;
      this.#look(piece);
    }
    if (this.#isComplete && this.#scanner.isBetween) return undefined;
    throw new HoldfastError('tool.failed', {
      message: 'the dump tool ended without the mark that says that its dump is complete',
      hint: 'see whether the server, or this machine, had a fault; what was written is not used',
    });
  }

  /** The file of the table that {@link nextTable} named. */
  async *bytes(): AsyncGenerator<Uint8Array> {
    const create = this.#create;
    if (create === undefined) return;
    this.#create = undefined;
    this.#isNamed = false;
    this.#rowCount = 0;
    this.#largestStatementBytes = create.length;
    yield preamble;
    yield* slices(create);
    yield Buffer.from('\n');
    for (;;) {
      const piece = await this.#nextPiece();
      if (piece === undefined) return;
      this.#look(piece);
      if (this.#create !== undefined) return;
      if (piece.kind === 'rows') yield* slices(piece.bytes);
      else if (piece.kind === 'statement' && isOfRows.test(piece.bytes.toString('latin1', 0, 512))) {
        yield piece.bytes;
        yield Buffer.from('\n');
      }
      // MariaDB's tool ends the line of the last row within the statement, that of MySQL after it.
      if (piece.kind === 'rows' && piece.isLast && piece.bytes.at(-1) !== newline) yield Buffer.from('\n');
    }
  }

  /** Takes note of what a piece says. */
  #look(piece: DumpPiece): void {
    if (piece.kind === 'comment') {
      if (piece.bytes.toString('latin1', 0, 17) === '-- Dump completed') this.#isComplete = true;
    } else if (piece.kind === 'statement') {
      if (createTable.test(piece.bytes.toString('utf8'))) this.#create = piece.bytes;
    } else {
      this.#rowCount += piece.rowCount;
      this.#statementBytes += piece.bytes.length;
      this.#largestStatementBytes = Math.max(this.#largestStatementBytes, this.#statementBytes);
      if (piece.isLast) this.#statementBytes = 0;
    }
  }

  async #nextPiece(): Promise<DumpPiece | undefined> {
    for (;;) {
      const result = this.#pieces?.next();
      if (result !== undefined && result.done !== true) return result.value;
      const chunk = await this.#next();
      if (chunk === undefined) return undefined;
      this.#pieces = this.#scanner.scan(chunk);
    }
  }
}

const newline = 0x0a;

function tableName(create: Buffer): string {
  return (createTable.exec(create.toString('utf8'))?.[1] ?? '').replaceAll('``', '`');
}

function* slices(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += chunkLimitBytes) yield bytes.subarray(at, at + chunkLimitBytes);
}
