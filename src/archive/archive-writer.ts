import { createHash } from 'node:crypto';
import { HoldfastError } from '../errors.ts';
import type { IndexEntry, IndexPartPlace, Run, SegmentSize } from './entry/entry.ts';
import { encodeIndexEntry, encodeIndexHead, maximumIndexPartBytes } from './entry/index-part.ts';
import { encodeTail, tailRecordSizeBytes } from './entry/tail.ts';
import { encodeHeader, fixedPartDigest, type Header } from './header.ts';
import { BlockWriter } from './heal/block-writer.ts';
import { type Layout, payloadSizeBytes } from './heal/geometry.ts';
import type { EntryMetadata } from './json.ts';
import { deriveKeys } from './seal/key-schedule.ts';
import { type SegmentSeal, sealedOverheadBytes, sealSegment, segmentKind } from './seal/segment-cipher.ts';
import { BufferPool } from './worker/buffer-pool.ts';
import type { HashSpan } from './worker/protocol.ts';
import type { WorkerPool } from './worker/worker-pool.ts';

/** An index part is written when so much is waiting for it. */
const indexPartTargetBytes = 512 * 1024;
const indexBytesPerSegment = 20;
const emptySha256 = createHash('sha256').digest('hex');

/** An entry on its way in. */
export interface EntryInput {
  readonly path: string;
  readonly pathBytes?: Uint8Array;
  readonly kind: string;
  /** Read when the bytes have ended. */
  readonly metadata: EntryMetadata;
}

export interface WriterResult {
  readonly layout: Layout;
  readonly plainBytes: number;
  readonly entryCount: number;
}

interface OpenSegment {
  readonly number: number;
  readonly buffer: Uint8Array;
  length: number;
  spans: HashSpan[];
}

/** An entry whose bytes have begun. */
interface OpenEntry {
  readonly input: EntryInput;
  readonly id: number;
  readonly runs: Run[];
  sizeBytes: number;
  /** Known when its hash has been made. */
  sha256: string | undefined;
}

/**
 * Writes one archive: entries are packed into segments, hashed, compressed, sealed, framed. Heavy work is done by the workers; the
 * order of the stream is kept here. Memory: the buffers of its two pools and of the block writer, and the index that waits to be
 * written (about 1 MiB).
 */
export class ArchiveWriter {
  readonly #header: Header;
  readonly #seal: SegmentSeal;
  readonly #workers: WorkerPool;
  readonly #blocks: BlockWriter;
  readonly #plain: BufferPool;
  readonly #sealed: BufferPool;
  #segment: OpenSegment | undefined;
  #nextSegment = 0;
  #plainBytes = 0;
  #entryCount = 0;
  /** The end of the ordered stage: sealed segments joined to the stream. */
  #order: Promise<void> = Promise.resolve();
  #hashes: Promise<void> = Promise.resolve();
  #failure: { readonly error: unknown } | undefined;
  readonly #waitingForHash = new Map<number, OpenEntry>();
  /** Entries that have ended and are in no index part yet, in the order in which they ended. */
  #finished: OpenEntry[] = [];
  #indexBytes = 0;
  #sizes: SegmentSize[] = [];
  #sizesFirst = 0;
  #streamBytes = 0;
  #lastPart: IndexPartPlace | undefined;
  #partCount = 0;

  /** The workers must not be used for another archive meanwhile. `dataKey` is undefined where the cipher is none. */
  static async create(options: {
    readonly header: Header;
    readonly dataKey: Uint8Array | undefined;
    readonly workers: WorkerPool;
    readonly sink: (bytes: Uint8Array) => Promise<void>;
  }): Promise<ArchiveWriter> {
    const { header, dataKey, workers, sink } = options;
    const keys = dataKey === undefined ? undefined : deriveKeys(dataKey, header.archiveId);
    const seal: SegmentSeal = { key: keys?.segment, fixedDigest: fixedPartDigest(header) };
    const { archiveId, codec } = header;
    await workers.configure({ archiveId, shape: header, codec, seal, totalDataBlocks: undefined });
    const shape = { dataBlocks: header.dataBlocks, parityBlocks: header.parityBlocks };
    const encoded = encodeHeader(header, keys?.header);
    return new ArchiveWriter(
      header,
      seal,
      workers,
      new BlockWriter({ workers, archiveId, shape, header: encoded, sink }),
    );
  }

  private constructor(header: Header, seal: SegmentSeal, workers: WorkerPool, blocks: BlockWriter) {
    this.#header = header;
    this.#seal = seal;
    this.#workers = workers;
    this.#blocks = blocks;
    const count = workers.threadCount + 2;
    this.#plain = new BufferPool({ count, sizeBytes: header.segmentSizeBytes });
    this.#sealed = new BufferPool({ count, sizeBytes: header.segmentSizeBytes + sealedOverheadBytes });
  }

  /** Adds an entry. Entries are added one after the other. */
  async add(input: EntryInput, bytes: AsyncIterable<Uint8Array> | undefined): Promise<void> {
    const entry: OpenEntry = { input, id: this.#workers.newHash(), runs: [], sizeBytes: 0, sha256: undefined };
    if (bytes !== undefined) for await (const chunk of bytes) await this.#pack(entry, chunk);
    this.#entryCount++;
    this.#plainBytes += entry.sizeBytes;
    if (entry.sizeBytes === 0) {
      entry.sha256 = emptySha256;
    } else {
      this.#waitingForHash.set(entry.id, entry);
      this.#endHash(entry);
    }
    this.#finished.push(entry);
    this.#indexBytes += indexLine(entry, emptySha256).length;
    if (!this.#isIndexDue()) return;
    if (this.#segment === undefined) this.#queueIndexPart();
    else await this.#dispatch();
    await this.#unlessFailed(this.#order);
  }

  /** Writes what is left, the index, the tail and the final headers. */
  async finish(): Promise<WriterResult> {
    if (this.#segment !== undefined) await this.#dispatch();
    await this.#unlessFailed(this.#hashes);
    this.#queueIndexPart();
    await this.#unlessFailed(this.#order);
    await this.#blocks.append(this.#tail());
    const layout = await this.#unlessFailed(this.#blocks.finish());
    return { layout, plainBytes: this.#plainBytes, entryCount: this.#entryCount };
  }

  async #pack(entry: OpenEntry, chunk: Uint8Array): Promise<void> {
    let taken = 0;
    while (taken < chunk.length) {
      const segment = this.#segment ?? (await this.#begin());
      const length = Math.min(chunk.length - taken, segment.buffer.length - segment.length);
      segment.buffer.set(chunk.subarray(taken, taken + length), segment.length);
      this.#extendRun(entry, segment, length);
      segment.spans.push({ entry: entry.id, offset: segment.length, length, last: false });
      segment.length += length;
      taken += length;
      entry.sizeBytes += length;
      if (segment.length === segment.buffer.length) await this.#dispatch();
    }
  }

  async #begin(): Promise<OpenSegment> {
    this.#throwFailure();
    const buffer = await this.#plain.acquire();
    this.#segment = { number: this.#nextSegment++, buffer, length: 0, spans: [] };
    return this.#segment;
  }

  /** Entries are packed one after the other, so each is one run that goes on in the next data segment. */
  #extendRun(entry: OpenEntry, segment: OpenSegment, length: number): void {
    const last = entry.runs.at(-1);
    if (last === undefined) entry.runs.push({ segment: segment.number, offset: segment.length, length });
    else entry.runs[entry.runs.length - 1] = { ...last, length: last.length + length };
  }

  #endHash(entry: OpenEntry): void {
    const spans = this.#segment?.spans;
    const last = spans?.at(-1);
    if (spans !== undefined && last?.entry === entry.id) {
      spans[spans.length - 1] = { ...last, last: true };
    } else if (spans !== undefined) {
      spans.push({ entry: entry.id, offset: 0, length: 0, last: true });
    } else {
      this.#hash(new Uint8Array(0), [{ entry: entry.id, offset: 0, length: 0, last: true }]);
    }
  }

  #hash(bytes: Uint8Array, spans: readonly HashSpan[]): Promise<void> {
    const hashed = this.#workers.hash({ bytes, spans }).then((digests) => {
      for (const { entry: id, sha256 } of digests) {
        const entry = this.#waitingForHash.get(id);
        if (entry === undefined) throw new Error('a digest came for an entry that is not waiting');
        this.#waitingForHash.delete(id);
        entry.sha256 = sha256;
      }
    });
    this.#hashes = Promise.all([this.#hashes, hashed]).then(() => undefined);
    this.#watch(this.#hashes);
    return hashed;
  }

  #isIndexDue(): boolean {
    return this.#indexBytes + (this.#nextSegment - this.#sizesFirst) * indexBytesPerSegment >= indexPartTargetBytes;
  }

  /** Sends the open segment to be hashed, compressed and sealed, and queues it for the stream. */
  async #dispatch(): Promise<void> {
    const segment = this.#segment;
    if (segment === undefined) return;
    this.#segment = undefined;
    const into = await this.#sealed.acquire();
    const plain = segment.buffer.subarray(0, segment.length);
    const task = { plain, number: segment.number, kind: segmentKind.data, into };
    const sealing = this.#workers.run('seal', task);
    const hashing = this.#hash(plain, segment.spans);
    this.#watch(Promise.all([sealing, hashing]).then(() => this.#plain.release(segment.buffer)));
    this.#inOrder(async () => {
      const length = await sealing;
      this.#sizes.push({ plain: segment.length, sealed: length });
      this.#streamBytes += length;
      await this.#blocks.append(into.subarray(0, length));
      this.#sealed.release(into);
    });
    if (this.#isIndexDue()) this.#queueIndexPart();
  }

  /** Takes the next segment number for an index part; its contents are made when all segments before it are sealed. */
  #queueIndexPart(): void {
    const number = this.#nextSegment++;
    const firstSegment = this.#sizesFirst;
    this.#sizesFirst = this.#nextSegment;
    const finished = this.#finished;
    this.#finished = [];
    this.#indexBytes = 0;
    const hashed = this.#hashes;
    this.#inOrder(async () => {
      // What an index part holds depends on the order of the entries alone, never on how fast a thread is.
      await hashed;
      const lines = finished.map((entry) => indexLine(entry, entry.sha256));
      const segments = this.#sizes;
      this.#sizes = [];
      const head = encodeIndexHead({ part: this.#partCount, previous: this.#lastPart, firstSegment, segments });
      const text = Buffer.from(head + lines.join(''), 'utf8');
      if (text.length > maximumIndexPartBytes)
        throw new HoldfastError('operation.failed', { message: 'the index of an entry is too large' });
      const into = new Uint8Array(new SharedArrayBuffer(text.length + (text.length >> 6) + sealedOverheadBytes));
      const length = await this.#workers.run('seal', { plain: text, number, kind: segmentKind.index, into });
      this.#lastPart = { segment: number, offset: this.#streamBytes, length };
      this.#partCount++;
      this.#streamBytes += length;
      await this.#blocks.append(into.subarray(0, length));
    });
  }

  /** The zeros that fill the last payload, and the tail at its end. */
  #tail(): Uint8Array {
    if (this.#lastPart === undefined) throw new Error('the index was not written');
    const plain = encodeTail({
      segmentCount: this.#nextSegment,
      sealedBytes: this.#streamBytes,
      plainBytes: this.#plainBytes,
      entryCount: this.#entryCount,
      lastIndexPart: this.#lastPart,
      indexPartCount: this.#partCount,
    });
    const lastPayload = (this.#streamBytes + tailRecordSizeBytes) % payloadSizeBytes;
    const zeros = lastPayload === 0 ? 0 : payloadSizeBytes - lastPayload;
    const bytes = Buffer.alloc(zeros + tailRecordSizeBytes);
    bytes.writeBigUInt64LE(BigInt(this.#nextSegment), zeros);
    sealSegment(
      this.#seal,
      { number: this.#nextSegment, kind: segmentKind.tail, bytes: plain },
      bytes.subarray(zeros + 8),
    );
    return bytes;
  }

  #inOrder(step: () => Promise<void>): void {
    this.#order = this.#order.then(step);
    this.#watch(this.#order);
  }

  /** The first failure of any stage wakes all who wait, and is thrown to the caller. */
  #watch(stage: Promise<unknown>): void {
    stage.catch((error: unknown) => {
      this.#failure ??= { error };
      this.#plain.fail(error);
      this.#sealed.fail(error);
      this.#blocks.fail(error);
    });
  }

  async #unlessFailed<Value>(promise: Promise<Value>): Promise<Value> {
    const value = await promise;
    this.#throwFailure();
    return value;
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** The header that is written. */
  get header(): Header {
    return this.#header;
  }
}

function indexLine(entry: OpenEntry, sha256: string | undefined): string {
  const { input, runs, sizeBytes } = entry;
  const { path, pathBytes, kind, metadata } = input;
  if (sha256 === undefined) throw new Error('an entry has no digest');
  const bytes = pathBytes === undefined ? {} : { pathBytes };
  const record: IndexEntry = { path, ...bytes, kind, sizeBytes, sha256, runs, metadata };
  return encodeIndexEntry(record);
}
