import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { HoldfastError } from '../errors.ts';
import { segmentsInBatch, unknownDataBlocks } from './batch.ts';
import type { IndexEntry, IndexPartPlace, Run, SegmentSize } from './entry/entry.ts';
import type { EntryBytes } from './entry/entry-bytes.ts';
import { encodeIndexEntry, encodeIndexHead, maximumIndexPartBytes } from './entry/index-part.ts';
import { encodeTail, tailRecordSizeBytes } from './entry/tail.ts';
import { encodeHeader, fixedPartDigest, type Header } from './header.ts';
import { asBuffer } from './heal/block.ts';
import { BlockWriter } from './heal/block-writer.ts';
import { type Layout, payloadSizeBytes } from './heal/geometry.ts';
import type { EntryMetadata } from './json.ts';
import { deriveKeys } from './seal/key-schedule.ts';
import { type SegmentSeal, sealedOverheadBytes, sealSegment, segmentKind } from './seal/segment-cipher.ts';
import { BufferPool } from './worker/buffer-pool.ts';
import type { HashSpan } from './worker/protocol.ts';
import type { WorkerPool } from './worker/worker-pool.ts';
import type { WrittenBatch, WrittenCheck } from './written-check.ts';

/** An index part is written when so much is waiting for it. */
const indexPartTargetBytes = 512 * 1024;
const indexBytesPerSegment = 20;
const emptySha256 = createHash('sha256').digest('hex');

/** An entry on its way in. */
export interface EntryInput {
  readonly path: string;
  readonly pathBytes?: Uint8Array;
  readonly kind: string;
  /** As far as it is known. */
  readonly expectedSizeBytes?: number;
  /** Read when the bytes have ended. */
  readonly metadata: EntryMetadata;
}

export interface WriterResult {
  readonly layout: Layout;
  readonly plainBytes: number;
  readonly entryCount: number;
}

/** Segments that are filled one after the other, and go to a worker together. */
interface OpenBatch {
  readonly buffer: Uint8Array;
  readonly segments: { readonly number: number; readonly offset: number; length: number }[];
  readonly spans: HashSpan[];
  length: number;
}

/** An entry whose bytes have begun. */
interface OpenEntry {
  readonly input: EntryInput;
  readonly id: number;
  /** Where its first byte is; undefined while it has none. */
  start: Pick<Run, 'segment' | 'offset'> | undefined;
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
  readonly #check: WrittenCheck | undefined;
  readonly #plain: BufferPool;
  readonly #sealed: BufferPool;
  #batch: OpenBatch | undefined;
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
    /** Reads back what is written. */
    readonly check?: WrittenCheck | undefined;
  }): Promise<ArchiveWriter> {
    const { header, dataKey, workers, sink, check } = options;
    const keys = dataKey === undefined ? undefined : deriveKeys(dataKey, header.archiveId);
    const seal: SegmentSeal = { key: keys?.segment, fixedDigest: fixedPartDigest(header) };
    const { archiveId, codec } = header;
    workers.configure({ archiveId, shape: header, codec, seal, totalDataBlocks: unknownDataBlocks });
    const shape = { dataBlocks: header.dataBlocks, parityBlocks: header.parityBlocks };
    const encoded = encodeHeader(header, keys?.header);
    return new ArchiveWriter(
      header,
      seal,
      workers,
      new BlockWriter({ workers, archiveId, shape, header: encoded, sink }),
      check,
    );
  }

  private constructor(
    header: Header,
    seal: SegmentSeal,
    workers: WorkerPool,
    blocks: BlockWriter,
    check: WrittenCheck | undefined,
  ) {
    this.#header = header;
    this.#check = check;
    this.#seal = seal;
    this.#workers = workers;
    this.#blocks = blocks;
    const count = workers.threadCount + 1;
    const segments = segmentsInBatch(header);
    const { memory } = workers;
    this.#plain = new BufferPool({ count, memory, sizeBytes: segments * header.segmentSizeBytes });
    const sealedSizeBytes = segments * (header.segmentSizeBytes + sealedOverheadBytes);
    this.#sealed = new BufferPool({ count, memory, sizeBytes: sealedSizeBytes });
  }

  /**
   * Adds an entry. Entries are added one after the other. A large one begins with a segment of its own: its bytes are then read and
   * restored without being moved in memory.
   */
  async add(input: EntryInput, bytes: EntryBytes | undefined): Promise<void> {
    const entry: OpenEntry = { input, id: this.#workers.newHash(), start: undefined, sizeBytes: 0, sha256: undefined };
    if ((input.expectedSizeBytes ?? 0) >= this.#plain.sizeBytes) await this.#dispatch();
    if (bytes?.readInto !== undefined)
      await this.#readInto(entry, (into) => bytes.readInto?.(into) ?? Promise.resolve(0));
    else if (bytes !== undefined) for await (const chunk of bytes) await this.#pack(entry, chunk);
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
    if (this.#batch === undefined) this.#queueIndexPart();
    else await this.#dispatch();
    await this.#unlessFailed(this.#order);
  }

  /** Writes what is left, the index, the tail and the final headers. */
  async finish(): Promise<WriterResult> {
    if (this.#batch !== undefined) await this.#dispatch();
    await this.#unlessFailed(this.#hashes);
    this.#queueIndexPart();
    await this.#unlessFailed(this.#order);
    await this.#blocks.append(this.#tail());
    const layout = await this.#unlessFailed(this.#blocks.finish());
    this.#plain.close();
    this.#sealed.close();
    return { layout, plainBytes: this.#plainBytes, entryCount: this.#entryCount };
  }

  /** Reads the bytes to where they are hashed and compressed. */
  async #readInto(entry: OpenEntry, readInto: (into: Uint8Array) => Promise<number>): Promise<void> {
    for (;;) {
      const batch = this.#batch ?? (await this.#begin());
      const length = await readInto(batch.buffer.subarray(batch.length));
      if (length === 0) return;
      await this.#take(entry, batch, length);
    }
  }

  /** Copies the bytes there. */
  async #pack(entry: OpenEntry, chunk: Uint8Array): Promise<void> {
    for (let taken = 0; taken < chunk.length; ) {
      const batch = this.#batch ?? (await this.#begin());
      const length = asBuffer(chunk).copy(asBuffer(batch.buffer), batch.length, taken);
      await this.#take(entry, batch, length);
      taken += length;
    }
  }

  /** Takes the bytes that stand at the end of the batch into its segments. */
  async #take(entry: OpenEntry, batch: OpenBatch, length: number): Promise<void> {
    batch.spans.push({ entry: entry.id, offset: batch.length, length, last: false });
    for (let left = length; left > 0; ) {
      const segment = this.#segmentWithRoom(batch);
      const part = Math.min(left, this.#header.segmentSizeBytes - segment.length);
      // Entries are packed one after the other, so each is one run that goes on in the next data segment.
      if (entry.sizeBytes === 0) entry.start = { segment: segment.number, offset: segment.length };
      segment.length += part;
      batch.length += part;
      entry.sizeBytes += part;
      left -= part;
    }
    if (batch.length === batch.buffer.length) await this.#dispatch();
  }

  async #begin(): Promise<OpenBatch> {
    this.#throwFailure();
    const buffer = await this.#plain.acquire();
    this.#batch = { buffer, segments: [], spans: [], length: 0 };
    return this.#batch;
  }

  #segmentWithRoom(batch: OpenBatch): OpenBatch['segments'][number] {
    const last = batch.segments.at(-1);
    if (last !== undefined && last.length < this.#header.segmentSizeBytes) return last;
    const segment = { number: this.#nextSegment++, offset: batch.length, length: 0 };
    batch.segments.push(segment);
    return segment;
  }

  #endHash(entry: OpenEntry): void {
    const spans = this.#batch?.spans;
    const last = spans?.at(-1);
    if (spans !== undefined && last?.entry === entry.id) {
      spans[spans.length - 1] = { ...last, last: true };
    } else if (spans !== undefined) {
      spans.push({ entry: entry.id, offset: 0, length: 0, last: true });
    } else {
      const end = [{ entry: entry.id, offset: 0, length: 0, last: true }];
      this.#hash(new Uint8Array(0), end);
      this.#inOrder(async () => this.#check?.add({ segments: [], spans: end }));
    }
  }

  #hash(bytes: Uint8Array, spans: readonly HashSpan[]): Promise<void> {
    const hashed = this.#workers.hash({ bytes, spans }).then((digests) => {
      for (const { entry: id, sha256 } of digests) {
        const entry = this.#waitingForHash.get(id);
        assert(entry !== undefined, 'a digest came for an entry that is not waiting');
        this.#waitingForHash.delete(id);
        entry.sha256 = sha256;
        this.#check?.expect(id, sha256);
      }
    });
    this.#hashes = Promise.all([this.#hashes, hashed]).then(() => undefined);
    this.#watch(this.#hashes);
    return hashed;
  }

  #isIndexDue(): boolean {
    return this.#indexBytes + (this.#nextSegment - this.#sizesFirst) * indexBytesPerSegment >= indexPartTargetBytes;
  }

  /** Sends the open segments to be hashed, compressed and sealed, and queues them for the stream. */
  async #dispatch(): Promise<void> {
    const batch = this.#batch;
    if (batch === undefined) return;
    this.#batch = undefined;
    const { segments } = batch;
    const hashing = this.#hash(batch.buffer.subarray(0, batch.length), batch.spans);
    if (segments.length === 0) {
      // No bytes, but the end of an entry whose bytes filled the batch before.
      this.#watch(hashing.then(() => this.#plain.release(batch.buffer)));
      this.#inOrder(async () => this.#check?.add({ segments: [], spans: batch.spans }));
      return;
    }
    await this.#check?.room();
    const into = await this.#sealed.acquire();
    const sealing = this.#workers.run('seal', { plain: batch.buffer, segments, kind: segmentKind.data, into });
    this.#watch(Promise.all([sealing, hashing]).then(() => this.#plain.release(batch.buffer)));
    this.#inOrder(async () => {
      let length = 0;
      const written: WrittenBatch['segments'][number][] = [];
      for (const [index, { number, length: plainLength }] of segments.entries()) {
        const sealed = (await sealing)[index] ?? 0;
        this.#sizes.push({ plain: plainLength, sealed });
        written.push({ number, offset: this.#streamBytes + length, length: sealed, plainLength });
        length += sealed;
      }
      this.#streamBytes += length;
      const framed = this.#blocks.append(into.subarray(0, length));
      this.#check?.add({ segments: written, spans: batch.spans });
      this.#watch(framed.then(() => this.#sealed.release(into)));
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
      const segment = { number, offset: 0, length: text.length };
      const task = { plain: text, segments: [segment], kind: segmentKind.index, into };
      const [length = 0] = await this.#workers.run('seal', task);
      this.#lastPart = { segment: number, offset: this.#streamBytes, length };
      this.#partCount++;
      this.#streamBytes += length;
      this.#watch(this.#blocks.append(into.subarray(0, length)));
    });
  }

  /** The zeros that fill the last payload, and the tail at its end. */
  #tail(): Uint8Array {
    assert(this.#lastPart !== undefined, 'the index was not written');
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
  const { input, start, sizeBytes } = entry;
  const runs: Run[] = start === undefined ? [] : [{ ...start, length: sizeBytes }];
  const { path, pathBytes, kind, metadata } = input;
  assert(sha256 !== undefined, 'an entry has no digest');
  const bytes = pathBytes === undefined ? {} : { pathBytes };
  const record: IndexEntry = { path, ...bytes, kind, sizeBytes, sha256, runs, metadata };
  return encodeIndexEntry(record);
}
