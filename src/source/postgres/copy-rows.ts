import { releaseMemory } from '../release-memory.ts';

const copyData = 0x64;
const headerSizeBytes = 5;
/** Longer ones are copied faster by a call than by a loop. */
const longBytes = 256;
const capacityBytes = 1_280 * 1_024;

/**
 * Takes the rows out of the messages of a COPY, over chunks of any size: each message of the kind `d` is one row. All other messages are
 * passed on, whole and in their order, when the rows before them were taken. What was added is copied, so that its memory may be used again.
 */
export class CopyRows {
  readonly #pass: (message: Buffer) => void;
  #store = Buffer.alloc(0);
  #view = new DataView(this.#store.buffer, 0, 0);
  #at = 0;
  #end = 0;
  /** Bytes of the row that is being taken which are still to come. */
  #leftBytes = 0;
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
    return this.#end - this.#at;
  }

  /** Adds bytes of the connection. */
  add(bytes: Uint8Array): void {
    if (this.#end + bytes.length > this.#store.length) this.#makeRoom(bytes.length);
    this.#store.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** Gives its memory back; what was added last is gone. */
  close(): void {
    releaseMemory(this.#store);
    this.#store = Buffer.alloc(0);
    this.#at = 0;
    this.#end = 0;
  }

  /** Moves rows to the start of `into`, until it is full, nothing is left, or a row ends at or after `softBytes`. Gives the number of bytes. */
  take(into: Uint8Array, softBytes: number): number {
    const target = new DataView(into.buffer, into.byteOffset, into.length);
    let done = 0;
    while (done < into.length) {
      if (this.#leftBytes > 0) {
        const length = Math.min(this.#leftBytes, this.#end - this.#at, into.length - done);
        if (length === 0) break;
        this.#move(into, target, done, length);
        done += length;
        if (this.#leftBytes > 0) continue;
        this.#rowCount += 1;
        if (done >= softBytes) break;
      } else if (!this.#readHeader()) break;
    }
    return done;
  }

  #move(into: Uint8Array, target: DataView, to: number, length: number): void {
    const from = this.#at;
    if (length >= longBytes) this.#store.copy(into, to, from, from + length);
    else {
      const view = this.#view;
      const words = length & ~3;
      for (let index = 0; index < words; index += 4) target.setUint32(to + index, view.getUint32(from + index));
      for (let index = words; index < length; index += 1) into[to + index] = this.#store[from + index] ?? 0;
    }
    this.#at = from + length;
    this.#leftBytes -= length;
  }

  /** Reads the header of a row; false where more bytes are needed. Messages that are no rows are passed on. */
  #readHeader(): boolean {
    for (;;) {
      const at = this.#at;
      const availableBytes = this.#end - at;
      if (availableBytes < headerSizeBytes) return false;
      const sizeBytes = this.#view.getInt32(at + 1);
      if (this.#store[at] === copyData) {
        this.#at = at + headerSizeBytes;
        this.#leftBytes = sizeBytes - 4;
        if (this.#leftBytes > 0) return true;
        continue;
      }
      if (availableBytes < sizeBytes + 1) return false;
      this.#at += sizeBytes + 1;
      this.#pass(Buffer.from(this.#store.subarray(at, this.#at)));
    }
  }

  /** What is left moves to the front, of more memory where it does not suffice. */
  #makeRoom(sizeBytes: number): void {
    const wantedBytes = this.bufferedBytes + sizeBytes;
    const store =
      wantedBytes <= this.#store.length
        ? this.#store
        : Buffer.allocUnsafeSlow(Math.max(capacityBytes, 2 * wantedBytes));
    this.#store.copy(store, 0, this.#at, this.#end);
    if (store !== this.#store) releaseMemory(this.#store);
    this.#store = store;
    this.#view = new DataView(store.buffer, store.byteOffset, store.length);
    this.#end -= this.#at;
    this.#at = 0;
  }
}
