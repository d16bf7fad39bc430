import type { ObjectHeaders, OpenedObject } from '../storage.ts';

/** One request asks for so much. */
const chunkBytes = 4 * 2 ** 20;

/**
 * A file of a media storage, open for reading: as chunks (`for await`, `pipeline`), as a stream of the web, as ranges, or as a whole. Close it
 * (`await using` does): what was read to its end is closed by itself.
 */
export class MediaFile implements AsyncIterable<Uint8Array>, AsyncDisposable {
  readonly name: string;
  readonly sizeBytes: number;
  /** Absent where the storage does not tell it. */
  readonly modifiedAt: Date | undefined;
  readonly contentType: string;
  /** Another text for each version, where the storage has such. */
  readonly etag: string | undefined;
  readonly headers: ObjectHeaders;
  readonly #object: OpenedObject;

  constructor(name: string, object: OpenedObject, guessedType: string) {
    const { details } = object;
    this.name = name;
    this.#object = object;
    this.sizeBytes = object.sizeBytes;
    this.headers = details?.headers ?? {};
    this.modifiedAt = details && new Date(details.modifiedMs);
    this.etag = details?.etag;
    this.contentType = this.headers.contentType ?? guessedType;
  }

  /** Fills `into` from `offset` on; gives how many bytes there were: fewer only at the end. */
  async read(offset: number, into: Uint8Array): Promise<number> {
    return await this.#object.read(offset, into);
  }

  /** From the start, in chunks of up to 4 MiB, each in memory of its own. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      for (let offset = 0; offset < this.sizeBytes; ) {
        const chunk = new Uint8Array(Math.min(chunkBytes, this.sizeBytes - offset));
        const length = await this.read(offset, chunk);
        if (length === 0) return;
        yield chunk.subarray(0, length);
        offset += length;
      }
    } finally {
      await this.close();
    }
  }

  /** The same as a stream of the web, for a `Response`. */
  stream(): ReadableStream<Uint8Array> {
    return ReadableStream.from(this);
  }

  /** All of it, in memory. */
  async bytes(): Promise<Uint8Array> {
    const bytes = new Uint8Array(this.sizeBytes);
    let done = 0;
    for await (const chunk of this) {
      bytes.set(chunk, done);
      done += chunk.length;
    }
    return bytes.subarray(0, done);
  }

  /** All of it, as UTF-8. */
  async text(): Promise<string> {
    return new TextDecoder().decode(await this.bytes());
  }

  /** May be repeated. */
  async close(): Promise<void> {
    await this.#object.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
