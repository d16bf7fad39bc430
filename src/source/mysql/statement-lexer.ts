const star = 0x2a;
const slash = 0x2f;
const semicolon = 0x3b;
const backslash = 0x5c;
const backtick = 0x60;
const values = Buffer.from('VALUES');
const sandboxMark = '/*M!999999\\';

/** Where what was read lies in the chunk, and what has ended with it. */
export interface LexerRead {
  readonly begin: number;
  readonly end: number;
  /** `values`: a statement that inserts, up to its rows. Undefined where the chunk ended first. */
  readonly found: 'comment' | 'statement' | 'values' | undefined;
}

type Mode = 'between' | 'maybe-comment' | 'line-comment' | 'block-comment' | 'statement';

/**
 * Finds where comments and statements end, byte by byte, over chunks of any size; not for rows, which are long. What stands in a comment of
 * the form `/*!…` is a statement, as it is for the server; `/*M!999999\-…` is MariaDB's mark of a dump that runs no commands of the client.
 */
export class StatementLexer {
  #mode: Mode = 'between';
  /** The first bytes of what may be a comment, or of a statement: enough to tell which. */
  #head = '';
  #quote = 0;
  #isEscaped = false;
  #valuesLength = 0;
  #last = 0;

  get isBetween(): boolean {
    return this.#mode === 'between';
  }

  /** Reads from `from` to the end of the chunk, or of the next comment or statement. */
  read(chunk: Buffer, from: number): LexerRead {
    let begin = from;
    for (let at = from; at < chunk.length; at += 1) {
      const byte = chunk[at] ?? 0;
      if (this.#mode === 'between') {
        if (byte <= 0x20) {
          begin = at + 1;
          continue;
        }
        this.#start();
      }
      const found = this.#step(byte);
      this.#last = byte;
      if (found === undefined) continue;
      this.#mode = 'between';
      return { begin, end: at + 1, found };
    }
    return { begin, end: chunk.length, found: undefined };
  }

  #start(): void {
    this.#mode = 'maybe-comment';
    this.#head = '';
    this.#quote = 0;
    this.#isEscaped = false;
    this.#valuesLength = 0;
    this.#last = 0;
  }

  #step(byte: number): LexerRead['found'] {
    if (this.#mode === 'line-comment') return byte === 0x0a ? 'comment' : undefined;
    if (this.#mode === 'block-comment') return byte === slash && this.#last === star ? 'comment' : undefined;
    if (this.#head.length < 12) this.#head += String.fromCharCode(byte);
    if (this.#mode === 'maybe-comment') this.#mode = kindOf(this.#head);
    if (this.#mode !== 'statement') return undefined;
    return this.#stepStatement(byte);
  }

  #stepStatement(byte: number): LexerRead['found'] {
    if (this.#quote !== 0) {
      if (this.#isEscaped) this.#isEscaped = false;
      else if (byte === backslash && this.#quote !== backtick) this.#isEscaped = true;
      else if (byte === this.#quote) this.#quote = 0;
      return undefined;
    }
    if (byte === 0x27 || byte === 0x22 || byte === backtick) {
      this.#quote = byte;
      this.#valuesLength = 0;
      return undefined;
    }
    if (byte === semicolon) return 'statement';
    this.#valuesLength = byte === values[this.#valuesLength] ? this.#valuesLength + 1 : Number(byte === values[0]);
    const isInsert = this.#valuesLength === values.length && /^(INSERT|REPLACE) /.test(this.#head);
    return isInsert ? 'values' : undefined;
  }
}

/** What begins so; `maybe-comment` where more has to be seen. */
function kindOf(head: string): Mode {
  if (head === '--') return 'line-comment';
  if (head === sandboxMark) return 'block-comment';
  if ('--'.startsWith(head) || sandboxMark.startsWith(head)) return 'maybe-comment';
  return head.startsWith('/*') && !/^\/\*M?!/.test(head) ? 'block-comment' : 'statement';
}
