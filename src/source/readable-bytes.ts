import type { EntryBytes } from './source.ts';

const chunkSizeBytes = 1024 * 1024;

/** Bytes that can be read to any place in memory. */
export class ReadableBytes implements EntryBytes {
  readonly readInto: (into: Uint8Array) => Promise<number>;

  /** `readInto` as in {@link EntryBytes}. */
  constructor(readInto: (into: Uint8Array) => Promise<number>) {
    this.readInto = readInto;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    const chunk = Buffer.allocUnsafeSlow(chunkSizeBytes);
    for (;;) {
      const length = await this.readInto(chunk);
      if (length === 0) return;
      yield chunk.subarray(0, length);
    }
  }
}
