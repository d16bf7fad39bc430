const copyData = 0x64;
const headerSizeBytes = 5;
/** Shorter ones are copied faster by a loop than by a call. */
const shortBytes = 48;

/**
 * Takes the rows out of the messages of a COPY, over chunks of any size: each message of the kind `d` is one row. All other messages are passed on, whole and in their order, when the rows before them were taken.
 */
export class CopyRows {
  readonly #pass: (message: Buffer) => void;
  #chunks: Buffer[] = [];
  #chunk: Buffer = Buffer.alloc(0);
  #at = 0;
  /** Bytes of the row that is being taken which are still to come. */
  #leftBytes = 0;
  #bufferedBytes = 0;
  #rowCount = 0;

  constructor(pass: (message: Buffer) => void) {
    this.#pass = pass;
  }

  get rowCount(): number {
    return this.#rowCount;
  }

  get isBetweenRows(): boolean {
    return this.#leftBytes === 0;
  }

  /** Bytes that were added and not taken. */
  get bufferedBytes(): number {
    return this.#bufferedBytes - this.#at;
  }

  /** Adds bytes of the connection; they are kept as they are, not copied. */
  add(bytes: Buffer): void {
    this.#bufferedBytes += bytes.length;
    this.#chunks.push(bytes);
  }

  /** Moves rows to the start of `into`, until it is full, nothing is left, or a row ends at or after `softBytes`. Gives the number of bytes. */
  take(into: Uint8Array, softBytes: number): number {
    let done = 0;
    while (done < into.length) {
      if (this.#leftBytes > 0) {
        if (this.#at === this.#chunk.length && !this.#next()) break;
        done += this.#move(into, done);
        if (this.#leftBytes > 0) continue;
        this.#rowCount += 1;
        if (done >= softBytes) break;
      } else if (!this.#readHeader()) break;
    }
    return done;
  }

  #move(into: Uint8Array, to: number): number {
    const chunk = this.#chunk;
    const from = this.#at;
    const length = Math.min(this.#leftBytes, chunk.length - from, into.length - to);
    if (length < shortBytes)
      for (let index = 0; index < length; index += 1) into[to + index] = chunk[from + index] ?? 0;
    else chunk.copy(into, to, from, from + length);
    this.#at = from + length;
    this.#leftBytes -= length;
    return length;
  }

  /** Reads the header of a row; false where more bytes are needed. Messages that are no rows are passed on. */
  #readHeader(): boolean {
    for (;;) {
      if (!this.#has(headerSizeBytes)) return false;
      const chunk = this.#chunk;
      const at = this.#at;
      const sizeBytes = chunk.readInt32BE(at + 1);
      if (chunk[at] === copyData) {
        this.#at = at + headerSizeBytes;
        this.#leftBytes = sizeBytes - 4;
        if (this.#leftBytes > 0) return true;
        continue;
      }
      if (!this.#has(sizeBytes + 1)) return false;
      const message = this.#chunk.subarray(this.#at, this.#at + sizeBytes + 1);
      this.#at += sizeBytes + 1;
      this.#pass(message);
    }
  }

  /** Sees to it that so many bytes stand in one chunk. */
  #has(sizeBytes: number): boolean {
    for (;;) {
      if (this.#chunk.length - this.#at >= sizeBytes) return true;
      if (this.#at === this.#chunk.length) {
        if (!this.#next()) return false;
        continue;
      }
      const next = this.#chunks.shift();
      if (next === undefined) return false;
      this.#bufferedBytes -= this.#at;
      this.#chunk = Buffer.concat([this.#chunk.subarray(this.#at), next]);
      this.#at = 0;
    }
  }

  #next(): boolean {
    const next = this.#chunks.shift();
    if (next === undefined) return false;
    this.#bufferedBytes -= this.#at;
    this.#chunk = next;
    this.#at = 0;
    return true;
  }
}
