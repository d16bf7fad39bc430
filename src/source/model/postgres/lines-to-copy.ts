import { HoldfastError } from '../../../errors.ts';

/** Where the conversion is. */
const state = { outside: 0, inText: 1, escaped: 2, unicode: 3, word: 4 } as const;

const plain = 0;
const special = 1;
const kinds = new Uint8Array(256).fill(special, 0, 0x20);
kinds[0x22] = special;
kinds[0x5c] = special;

/** Escapes of JSON that COPY writes alike: b, f, n, r, t. */
const alike = new Set([0x62, 0x66, 0x6e, 0x72, 0x74]);

/**
 * Turns JSON Lines, whose values are texts or null, into the text format of COPY, over chunks of any size and without an object for any
 * row. What comes out is never longer than what goes in. Throws `archive.corrupt` for what no backup wrote, `target.incompatible` for U+0000, which no
 * text of PostgreSQL holds.
 */
export class LinesToCopy {
  readonly #model: string;
  readonly #columns: readonly string[];
  /** By column: whether its values are passed over. */
  readonly #isSkipped: readonly boolean[];
  #state: number = state.outside;
  #column = 0;
  #writtenColumns = 0;
  #isInRow = false;
  #hasValue = false;
  #digits = '';
  #word = '';
  /** A high surrogate that waits for its other half. */
  #half = 0;
  #rowCount = 0;

  constructor(options: {
    readonly model: string;
    readonly columns: readonly string[];
    readonly isSkipped: readonly boolean[];
  }) {
    this.#model = options.model;
    this.#columns = options.columns;
    this.#isSkipped = options.isSkipped;
  }

  get rowCount(): number {
    return this.#rowCount;
  }

  /** Writes to the start of `out`, which is as long as `input` at least and may have a byte more; gives the number of bytes. */
  convert(input: Uint8Array, out: Uint8Array): number {
    const { length } = input;
    let at = 0;
    for (let index = 0; index < length; index += 1) {
      const byte = input[index] as number;
      if (this.#state !== state.inText) {
        at = this.#step(byte, out, at);
        continue;
      }
      if (kinds[byte] !== plain) {
        if (byte === 0x5c) this.#state = state.escaped;
        else if (byte !== 0x22) throw this.#corrupt('a text holds a control character');
        else {
          this.#endText();
          // What comes next most often, a text after a comma, takes no further look.
          if (index + 2 >= length || this.#column + 1 >= this.#columns.length) continue;
          if (input[index + 1] !== 0x2c || input[index + 2] !== 0x22) continue;
          index += 2;
          this.#column += 1;
          at = this.#beginText(out, at);
        }
        continue;
      }
      // The long way of most bytes: a run of them is copied in one go.
      if (this.#half !== 0) throw this.#corrupt('it holds a lone surrogate');
      let end = index + 1;
      while (end < length && kinds[input[end] as number] === plain) end += 1;
      if (this.#isSkipped[this.#column] !== true) {
        for (let from = index; from < end; from += 1) out[at++] = input[from] as number;
      }
      index = end - 1;
    }
    return at;
  }

  #endText(): void {
    if (this.#half !== 0) throw this.#corrupt('it holds a lone surrogate');
    this.#state = state.outside;
    this.#hasValue = true;
  }

  /** A text after another one. */
  #beginText(out: Uint8Array, at: number): number {
    this.#state = state.inText;
    this.#hasValue = false;
    if (this.#isSkipped[this.#column] === true) return at;
    this.#writtenColumns += 1;
    if (this.#writtenColumns === 1) return at;
    out[at] = 0x09;
    return at + 1;
  }

  /** Throws where the last row did not end. */
  finish(): void {
    if (this.#isInRow || this.#state !== state.outside) throw this.#corrupt('it does not end');
  }

  #step(byte: number, out: Uint8Array, at: number): number {
    switch (this.#state) {
      case state.escaped:
        return this.#escape(byte, out, at);
      case state.unicode:
        return this.#unicode(byte, out, at);
      case state.word:
        this.#word += String.fromCharCode(byte);
        if (this.#word.length < 4) return at;
        if (this.#word !== 'null') throw this.#corrupt('a value is neither text nor null');
        this.#state = state.outside;
        this.#hasValue = true;
        if (this.#isSkipped[this.#column] === true) return at;
        out[at] = 0x5c;
        out[at + 1] = 0x4e;
        return at + 2;
      default:
        return this.#outside(byte, out, at);
    }
  }

  #outside(byte: number, out: Uint8Array, at: number): number {
    if (byte === 0x5b && !this.#isInRow) {
      this.#isInRow = true;
      this.#column = 0;
      this.#writtenColumns = 0;
      this.#hasValue = false;
      return at;
    }
    if (byte === 0x0a && !this.#isInRow) return at;
    if (!this.#isInRow) throw this.#corrupt('it is no list');
    if (byte === 0x2c || byte === 0x5d) {
      const isLast = byte === 0x5d;
      const isEmptyRow = isLast && this.#column === 0 && this.#columns.length === 0;
      if (!this.#hasValue && !isEmptyRow) throw this.#corrupt('a value is missing');
      this.#column += isEmptyRow ? 0 : 1;
      if ((this.#column === this.#columns.length) !== isLast) {
        throw this.#corrupt(`it is no list of ${this.#columns.length} values`);
      }
      this.#hasValue = false;
      if (!isLast) return at;
      this.#isInRow = false;
      this.#rowCount += 1;
      out[at] = 0x0a;
      return at + 1;
    }
    if ((byte !== 0x22 && byte !== 0x6e) || this.#hasValue || this.#column >= this.#columns.length) {
      throw this.#corrupt('a value is neither text nor null');
    }
    if (byte === 0x22) this.#state = state.inText;
    else {
      this.#state = state.word;
      this.#word = 'n';
    }
    if (this.#isSkipped[this.#column] === true) return at;
    this.#writtenColumns += 1;
    // What ended the value before: a comma has gone in for it.
    if (this.#writtenColumns === 1) return at;
    out[at] = 0x09;
    return at + 1;
  }

  #escape(byte: number, out: Uint8Array, at: number): number {
    if (byte === 0x75) {
      this.#state = state.unicode;
      this.#digits = '';
      return at;
    }
    if (this.#half !== 0) throw this.#corrupt('it holds a lone surrogate');
    this.#state = state.inText;
    if (this.#isSkipped[this.#column] === true) return at;
    if (byte === 0x22 || byte === 0x2f) {
      out[at] = byte;
      return at + 1;
    }
    if (byte !== 0x5c && !alike.has(byte)) throw this.#corrupt('a text holds an escape that JSON does not have');
    out[at] = 0x5c;
    out[at + 1] = byte;
    return at + 2;
  }

  #unicode(byte: number, out: Uint8Array, at: number): number {
    this.#digits += String.fromCharCode(byte);
    if (this.#digits.length < 4) return at;
    if (!/^[0-9a-f]{4}$/i.test(this.#digits)) throw this.#corrupt('a text holds an escape that JSON does not have');
    this.#state = state.inText;
    const unit = Number.parseInt(this.#digits, 16);
    if (unit === 0) throw this.#refuseNul();
    const isLow = unit >= 0xdc00 && unit <= 0xdfff;
    if ((this.#half !== 0) !== isLow) throw this.#corrupt('it holds a lone surrogate');
    if (unit >= 0xd800 && unit <= 0xdbff) {
      this.#half = unit;
      return at;
    }
    const point = isLow ? 0x10000 + ((this.#half - 0xd800) << 10) + (unit - 0xdc00) : unit;
    this.#half = 0;
    if (this.#isSkipped[this.#column] === true) return at;
    return writePoint(point, out, at);
  }

  #refuseNul(): HoldfastError {
    const column = this.#columns[this.#column] ?? '';
    return new HoldfastError('target.incompatible', {
      message: `${this.#model}.${column}, row ${this.#rowCount + 1}: the text holds U+0000, which PostgreSQL does not take`,
      hint: 'take the character out before the backup, or restore into another engine',
      context: { model: this.#model, column, row: this.#rowCount + 1 },
    });
  }

  #corrupt(reason: string): HoldfastError {
    return new HoldfastError('archive.corrupt', {
      message: `line ${this.#rowCount + 1} of the model ${this.#model} was not written by a backup: ${reason}`,
      context: { model: this.#model, row: this.#rowCount + 1 },
    });
  }
}

/** As UTF-8; a control character that COPY gives a meaning is escaped. */
function writePoint(point: number, out: Uint8Array, at: number): number {
  const escapes: Readonly<Record<number, number>> = { 8: 0x62, 9: 0x74, 10: 0x6e, 12: 0x66, 13: 0x72, 92: 0x5c };
  const known = escapes[point];
  if (known !== undefined) {
    out[at] = 0x5c;
    out[at + 1] = known;
    return at + 2;
  }
  const bytes = Buffer.from(String.fromCodePoint(point));
  out.set(bytes, at);
  return at + bytes.length;
}
