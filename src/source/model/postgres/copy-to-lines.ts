/** What a byte of COPY's text format is to the conversion (postgresql.org/docs, COPY, "Text Format"). */
const ordinary = 0;
const tab = 1;
const newline = 2;
const backslash = 3;
const quote = 4;
const control = 5;

const kinds = new Uint8Array(256).fill(control, 0, 0x20);
kinds[0x09] = tab;
kinds[0x0a] = newline;
kinds[0x5c] = backslash;
kinds[0x22] = quote;

const letter = { N: 0x4e, u: 0x75, v: 0x76, zero: 0x30, comma: 0x2c, open: 0x5b, close: 0x5d } as const;
const hexDigits = Buffer.from('0123456789abcdef');

/** A byte becomes six at most, and a piece has an end besides. */
export const expansion = 6;
const spareBytes = 16;

/**
 * Turns rows in the text format of COPY into JSON Lines, over chunks of any size and without an object for any row: what separates fields
 * there separates strings here, and nearly all escapes are the same.
 */
export class CopyToLines {
  readonly #hasColumns: boolean;
  #isRowStart = true;
  #isEscaped = false;
  #isNull = false;
  /** The quote of a field is written when its first byte is known: what begins with `\N` has none. */
  #isQuoteOwed = false;

  constructor(columnCount: number) {
    this.#hasColumns = columnCount > 0;
  }

  /** How much room {@link convert} needs for so many bytes. */
  static room(sizeBytes: number): number {
    return sizeBytes * expansion + spareBytes;
  }

  /** Writes to the start of `out`, which has room; gives the number of bytes. */
  convert(input: Uint8Array, out: Uint8Array): number {
    if (!this.#hasColumns) return convertEmptyRows(input, out);
    const { length } = input;
    let at = 0;
    let isRowStart = this.#isRowStart;
    let isEscaped = this.#isEscaped;
    let isNull = this.#isNull;
    let isOwed = this.#isQuoteOwed;
    for (let index = 0; index < length; index += 1) {
      const byte = input[index] as number;
      if (isRowStart) {
        out[at++] = letter.open;
        isRowStart = false;
        isOwed = true;
      }
      if (isEscaped) {
        isEscaped = false;
        if (byte === letter.N) {
          isNull = true;
          isOwed = false;
          at = writeText(out, at, nullText);
          continue;
        }
        if (isOwed) {
          out[at++] = 0x22;
          isOwed = false;
        }
        if (byte === letter.v) at = writeControl(out, at, 0x0b);
        else {
          out[at++] = 0x5c;
          out[at++] = byte;
        }
        continue;
      }
      const kind = kinds[byte] as number;
      if (kind === backslash) {
        isEscaped = true;
        continue;
      }
      if (isOwed) {
        out[at++] = 0x22;
        isOwed = false;
      }
      if (kind === ordinary) {
        // Most bytes are such, many in a row: nothing else is asked until they end.
        const end = ordinaryEnd(input, index + 1);
        for (let from = index; from < end; from += 1) out[at++] = input[from] as number;
        index = end - 1;
      } else if (kind === tab) {
        if (isNull) isNull = false;
        else out[at++] = 0x22;
        out[at++] = letter.comma;
        isOwed = true;
      } else if (kind === newline) {
        if (isNull) isNull = false;
        else out[at++] = 0x22;
        out[at++] = letter.close;
        out[at++] = 0x0a;
        isRowStart = true;
      } else if (kind === quote) {
        out[at++] = 0x5c;
        out[at++] = 0x22;
      } else at = writeControl(out, at, byte);
    }
    this.#isRowStart = isRowStart;
    this.#isEscaped = isEscaped;
    this.#isNull = isNull;
    this.#isQuoteOwed = isOwed;
    return at;
  }
}

function ordinaryEnd(input: Uint8Array, from: number): number {
  let end = from;
  while (end < input.length && kinds[input[end] as number] === ordinary) end += 1;
  return end;
}

const nullText = Buffer.from('null');

function writeText(out: Uint8Array, at: number, text: Uint8Array): number {
  out.set(text, at);
  return at + text.length;
}

/** As `\u000b`. */
function writeControl(out: Uint8Array, at: number, byte: number): number {
  out[at] = 0x5c;
  out[at + 1] = letter.u;
  out[at + 2] = letter.zero;
  out[at + 3] = letter.zero;
  out[at + 4] = hexDigits[byte >> 4] as number;
  out[at + 5] = hexDigits[byte & 15] as number;
  return at + 6;
}

/** Rows of no columns are empty lines. */
function convertEmptyRows(input: Uint8Array, out: Uint8Array): number {
  for (let index = 0; index < input.length; index += 1) {
    out[index * 3] = letter.open;
    out[index * 3 + 1] = letter.close;
    out[index * 3 + 2] = 0x0a;
  }
  return input.length * 3;
}
