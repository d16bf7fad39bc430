import { HoldfastError } from '../../errors.ts';
import { StatementLexer } from './statement-lexer.ts';

/** A part of what a dump tool wrote. */
export type DumpPiece =
  /** A line that begins with `--`, or a comment that is no statement. */
  | { readonly kind: 'comment'; readonly bytes: Buffer }
  /** A whole statement but one that inserts, with its `;`. */
  | { readonly kind: 'statement'; readonly bytes: Buffer }
  /** A part of a statement that inserts, and how many rows were counted in it. */
  | { readonly kind: 'rows'; readonly bytes: Buffer; readonly rowCount: number; readonly isLast: boolean };

/** No statement but those with rows comes near it: a table has 4,096 columns at most. */
const limitBytes = 16 * 1024 * 1024;

const newline = 0x0a;
const quote = 0x27;
const openParenthesis = 0x28;
const comma = 0x2c;
const semicolon = 0x3b;
const backslash = 0x5c;

interface RowsPart {
  readonly end: number;
  readonly rowCount: number;
  readonly isLast: boolean;
}

/**
 * Takes what `mariadb-dump` or `mysqldump` writes apart into statements, whatever the names and the rows hold, in chunks of any size:
 * nothing inside of quotes is taken for SQL.
 *
 * Rows take almost all of the bytes. MariaDB's tool gives each a line of its own and writes a newline in a text as `\n`, so that it is enough
 * to look at the ends of lines; where several rows stand in one line, each text is followed to its end.
 */
export class DumpScanner {
  readonly #lexer = new StatementLexer();
  #rows: 'none' | 'begin' | 'lines' | 'values' = 'none';
  /** The beginning of a statement or comment, from earlier chunks. */
  #held: Buffer[] = [];
  #heldBytes = 0;
  #isInText = false;
  #isEscaped = false;
  /** The byte before the one that is looked at, where that lies in an earlier chunk. */
  #last = 0;

  /** Whether all that was taken in has ended. */
  get isBetween(): boolean {
    return this.#rows === 'none' && this.#lexer.isBetween;
  }

  /** The pieces that end, or go on, in a chunk; those of rows lie in its memory. Throws `tool.failed` for what no tool writes. */
  *scan(chunk: Buffer): Generator<DumpPiece> {
    let at = 0;
    while (at < chunk.length) {
      if (this.#rows === 'none') {
        const { begin, end, found } = this.#lexer.read(chunk, at);
        this.#hold(chunk.subarray(begin, end));
        at = end;
        if (found !== undefined) yield this.#finish(found);
        continue;
      }
      const part = this.#readRows(chunk, at);
      const bytes = chunk.subarray(at, part.end);
      this.#last = chunk[part.end - 1] ?? 0;
      at = part.end;
      if (part.isLast) this.#rows = 'none';
      yield { kind: 'rows', bytes, rowCount: part.rowCount, isLast: part.isLast };
    }
  }

  #hold(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#heldBytes += bytes.length;
    if (this.#heldBytes > limitBytes) throw unexpected(`a statement of more than ${limitBytes} bytes`);
    this.#held.push(Buffer.from(bytes));
  }

  #finish(found: 'comment' | 'statement' | 'values'): DumpPiece {
    const bytes = Buffer.concat(this.#held);
    this.#held = [];
    this.#heldBytes = 0;
    if (found !== 'values') return { kind: found, bytes };
    this.#rows = 'begin';
    this.#isInText = false;
    this.#isEscaped = false;
    return { kind: 'rows', bytes, rowCount: 0, isLast: false };
  }

  #readRows(chunk: Buffer, from: number): RowsPart {
    if (this.#rows === 'begin') {
      this.#rows = chunk[from] === newline ? 'lines' : 'values';
      if (this.#rows === 'lines') return { end: from + 1, rowCount: 0, isLast: false };
    }
    return this.#rows === 'lines' ? this.#readLines(chunk, from) : this.#readValues(chunk, from);
  }

  /** Each row ends its line, with a comma or, the last one, with a semicolon. */
  #readLines(chunk: Buffer, from: number): RowsPart {
    let rowCount = 0;
    for (let at = from; ; ) {
      const end = chunk.indexOf(newline, at);
      if (end < 0) return { end: chunk.length, rowCount, isLast: false };
      const last = end === from ? this.#last : chunk[end - 1];
      at = end + 1;
      if (last !== comma && last !== semicolon) throw unexpected('a row that does not end with its line');
      rowCount += 1;
      if (last === semicolon) return { end: at, rowCount, isLast: true };
    }
  }

  #readValues(chunk: Buffer, from: number): RowsPart {
    let rowCount = 0;
    let at = from;
    if (this.#isEscaped) {
      this.#isEscaped = false;
      at += 1;
    }
    let isInText = this.#isInText;
    const { length } = chunk;
    while (at < length) {
      const byte = chunk[at] ?? 0;
      at += 1;
      if (isInText) {
        if (byte === quote) isInText = false;
        else if (byte === backslash) at += 1;
      } else if (byte === quote) isInText = true;
      else if (byte === openParenthesis) rowCount += 1;
      else if (byte === semicolon) return { end: at, rowCount, isLast: true };
    }
    this.#isInText = isInText;
    this.#isEscaped = at > length;
    return { end: length, rowCount, isLast: false };
  }
}

function unexpected(what: string): HoldfastError {
  return new HoldfastError('tool.failed', {
    message: `the dump tool wrote what it never writes: ${what}`,
    hint: 'leave out extra options that change the form of the dump, or use the method dump',
  });
}
