import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { asBuffer } from '../bytes.ts';
import { HoldfastError } from '../errors.ts';
import { segmentsInBatch, unknownDataBlocks } from './batch.ts';
import { AwaitingIndex, bytesPerRun } from './entry/awaiting-index.ts';
import type { IndexPartPlace, SegmentSize } from './entry/entry.ts';
import type { EntryBytes } from './entry/entry-bytes.ts';
import { EntryTurns } from './entry/entry-turns.ts';
import { encodeIndexHead, maximumIndexPartBytes } from './entry/index-part.ts';
import { type EntryInput, indexLine, type OpenBatch, type OpenEntry } from './entry/open-entry.ts';
import { EntryRuns, RunFollower } from './entry/run-follower.ts';
import { encodeTail, tailRecordSizeBytes } from './entry/tail.ts';
import { encodeHeader, fixedPartDigest, type Header } from './header.ts';
import { BlockWriter } from './heal/block-writer.ts';
import { type Layout, payloadSizeBytes } from './heal/geometry.ts';
import { deriveKeys } from './seal/key-schedule.ts';
import { type SegmentSeal, sealedOverheadBytes, sealSegment, segmentKind } from './seal/segment-cipher.ts';
import { BufferPool } from './worker/buffer-pool.ts';
import type { HashSpan, SealTask } from './worker/protocol.ts';
import type { ArchiveWorkers, WorkerPool } from './worker/worker-pool.ts';
import type { WrittenBatch, WrittenCheck } from './written-check.ts';

/** Of an entry with so many runs the rest is one: its line in the index stays below some 100 KiB, whatever its size. */
const defaultMaximumRuns = 4_096;
const emptySha256 = createHash('sha256').digest('hex');

export interface WriterResult {
  readonly layout: Layout;
  readonly plainBytes: number;
  readonly entryCount: number;
}

/** What an {@link ArchiveWriter} takes. */
export interface ArchiveWriterOptions {
  readonly header: Header;
  /** Slots that are still being made, to stand beside those of the header: what is written first waits for them. */
  readonly slots?: Promise<Header['slots']>;
  /** Undefined where the cipher is none. */
  readonly dataKey: Uint8Array | undefined;
  readonly workers: WorkerPool;
  readonly sink: (bytes: Uint8Array) => Promise<void>;
  /** Reads back what is written. */
  readonly check?: WrittenCheck | undefined;
  /** How many entries may be added at once; 1 unless set. Each takes some MiB. */
  readonly parallelEntries?: number;
  /** Once an entry has so many runs, what follows of it is not interrupted by others; 4,096 unless set. */
  readonly maximumRuns?: number;
}

/**
 * Writes one archive: entries are packed into segments, hashed, compressed, sealed, framed. Heavy work is done by the workers; the
 * order of the stream is kept here. Each entry that is open fills a batch of its own, so that several come in side by side; one that ends leaves
 * its batch to the next. Memory: the buffers of its two pools and of the block writer, and the index that waits to be written (about 1 MiB).
 */
export class ArchiveWriter {
  readonly #header: Header;
  readonly #seal: SegmentSeal;
  readonly #workers: WorkerPool;
  readonly #sealing: ArchiveWorkers;
  readonly #blocks: BlockWriter;
  readonly #check: WrittenCheck | undefined;
  readonly #plain: BufferPool;
  readonly #sealed: BufferPool;
  readonly #turns: EntryTurns;
  /** Begun, and filled by nobody just now. */
  readonly #idle: OpenBatch[] = [];
  readonly #follower = new RunFollower();
  #nextSegment = 0;
  #plainBytes = 0;
  #entryCount = 0;
  /** The end of the ordered stage: sealed segments joined to the stream. */
  #order: Promise<void> = Promise.resolve();
  #hashes: Promise<void> = Promise.resolve();
  #failure: { readonly error: unknown } | undefined;
  readonly #waitingForHash = new Map<number, OpenEntry>();
  readonly #entriesById = new Map<number, OpenEntry>();
  readonly #awaiting = new AwaitingIndex();
  #sizes: SegmentSize[] = [];
  #sizesFirst = 0;
  #streamBytes = 0;
  #lastPart: IndexPartPlace | undefined;
  #partCount = 0;

  static async create(options: ArchiveWriterOptions): Promise<ArchiveWriter> {
    const { header, slots, dataKey, workers, sink, check } = options;
    const keys = dataKey === undefined ? undefined : deriveKeys(dataKey, header.archiveId);
    const seal: SegmentSeal = { key: keys?.segment, fixedDigest: fixedPartDigest(header) };
    const { archiveId, codec } = header;
    const sealing = workers.forArchive({ archiveId, shape: header, codec, seal, totalDataBlocks: unknownDataBlocks });
    check?.begin(sealing);
    const encoded = Promise.resolve(slots ?? []).then((more) => {
      return encodeHeader({ ...header, slots: [...header.slots, ...more] }, keys?.header);
    });
    // Seen where the first block is written.
    encoded.catch(() => undefined);
    const blocks = new BlockWriter({ workers, archiveId, shape: header, header: encoded, sink });
    return new ArchiveWriter({ ...options, seal, sealing, blocks });
  }

  private constructor(
    parts: ArchiveWriterOptions & {
      readonly seal: SegmentSeal;
      readonly sealing: ArchiveWorkers;
      readonly blocks: BlockWriter;
    },
  ) {
    const { header, workers, parallelEntries = 1, maximumRuns = defaultMaximumRuns } = parts;
    this.#header = header;
    this.#check = parts.check;
    this.#seal = parts.seal;
    this.#workers = workers;
    this.#sealing = parts.sealing;
    this.#blocks = parts.blocks;
    this.#turns = new EntryTurns({ atOnce: parallelEntries, maximumRuns });
    const { memory, threadCount } = workers;
    const segments = segmentsInBatch(header);
    // Each entry may hold one that is not full: there are always some for who goes on.
    const plainCount = threadCount + parallelEntries;
    this.#plain = new BufferPool({ count: plainCount, memory, sizeBytes: segments * header.segmentSizeBytes });
    const sealedSizeBytes = segments * (header.segmentSizeBytes + sealedOverheadBytes);
    this.#sealed = new BufferPool({ count: threadCount + 1, memory, sizeBytes: sealedSizeBytes });
  }

  /**
   * Adds an entry; as many at once as the writer was made for. An entry must not wait for one that is added after it. A large one begins with a
   * segment of its own: its bytes are then read and restored without being moved in memory.
   */
  async add(input: EntryInput, bytes: EntryBytes | undefined): Promise<void> {
    const id = this.#workers.newHash();
    const none = { batch: undefined, sizeBytes: 0, lineBytes: 0, isPlaced: false, sha256: undefined };
    const entry: OpenEntry = { input, id, runs: new EntryRuns(), ...none };
    this.#turns.begin(entry);
    this.#entriesById.set(id, entry);
    try {
      if ((input.expectedSizeBytes ?? 0) < this.#plain.sizeBytes) entry.batch = this.#idle.pop();
      else for (let batch = this.#idle.pop(); batch; batch = this.#idle.pop()) await this.#dispatch(entry, batch);
      await this.#read(entry, bytes);
      this.#end(entry);
      if (!this.#awaiting.isDue(this.#unlistedSegments)) return;
      const batch = this.#idle.pop();
      if (batch !== undefined) await this.#dispatch(entry, batch);
      if (this.#awaiting.isPartDue(this.#unlistedSegments)) this.#queueIndexPart();
    } finally {
      this.#turns.end(entry);
    }
    await this.#unlessFailed(this.#order);
  }

  /** Writes what is left, the index, the tail and the final headers. */
  async finish(): Promise<WriterResult> {
    for (let batch = this.#idle.pop(); batch !== undefined; batch = this.#idle.pop()) {
      await this.#dispatch(undefined, batch);
    }
    this.#queueIndexPart();
    await this.#unlessFailed(this.#order);
    await this.#blocks.append(this.#tail());
    const layout = await this.#unlessFailed(this.#blocks.finish());
    return { layout, plainBytes: this.#plainBytes, entryCount: this.#entryCount };
  }

  /** Reads the bytes to where they are hashed and compressed, or copies them there. */
  async #read(entry: OpenEntry, bytes: EntryBytes | undefined): Promise<void> {
    if (bytes?.readInto === undefined) {
      for await (const chunk of bytes ?? []) await this.#pack(entry, chunk);
      return;
    }
    for (;;) {
      const batch = entry.batch ?? (await this.#begin(entry));
      const length = await bytes.readInto(batch.buffer.subarray(batch.length));
      if (length === 0) return;
      await this.#take(entry, batch, length);
    }
  }

  async #pack(entry: OpenEntry, chunk: Uint8Array): Promise<void> {
    for (let taken = 0; taken < chunk.length; ) {
      const batch = entry.batch ?? (await this.#begin(entry));
      const length = asBuffer(chunk).copy(asBuffer(batch.buffer), batch.length, taken);
      await this.#take(entry, batch, length);
      taken += length;
    }
  }

  /** Takes the bytes that stand at the end of the batch. */
  async #take(entry: OpenEntry, batch: OpenBatch, length: number): Promise<void> {
    const last = batch.spans.at(-1);
    // What was read in several pieces is hashed in one.
    if (last?.entry === entry.id) batch.spans[batch.spans.length - 1] = { ...last, length: last.length + length };
    else batch.spans.push({ entry: entry.id, offset: batch.length, length, last: false });
    batch.length += length;
    entry.sizeBytes += length;
    if (batch.length < batch.buffer.length) return;
    entry.batch = undefined;
    await this.#dispatch(entry, batch);
  }

  async #begin(entry: OpenEntry): Promise<OpenBatch> {
    entry.batch = { buffer: await this.#plain.acquire(), spans: [], ended: [], length: 0 };
    return entry.batch;
  }

  /** All bytes of the entry are there; its batch is left to others. */
  #end(entry: OpenEntry): void {
    const { batch, id } = entry;
    entry.batch = undefined;
    if (batch !== undefined) this.#idle.push(batch);
    this.#entryCount++;
    this.#plainBytes += entry.sizeBytes;
    entry.lineBytes = indexLine(entry, emptySha256).length + bytesPerRun;
    if (entry.sizeBytes === 0) entry.sha256 = emptySha256;
    else this.#waitingForHash.set(id, entry);
    const last = batch?.spans.at(-1);
    if (batch === undefined || entry.sizeBytes === 0) {
      if (entry.sizeBytes > 0) this.#endWithoutBytes(id);
      this.#place(entry);
      this.#awaiting.add(entry);
      return;
    }
    if (last?.entry === id) batch.spans[batch.spans.length - 1] = { ...last, last: true };
    else batch.spans.push({ entry: id, offset: 0, length: 0, last: true });
    batch.ended.push(entry);
    this.#awaiting.add(entry);
  }

  /** Its bytes filled their last batch exactly. */
  #endWithoutBytes(id: number): void {
    const end = [{ entry: id, offset: 0, length: 0, last: true }];
    this.#hash(new Uint8Array(0), end);
    this.#inOrder(async () => this.#check?.add({ segments: [], spans: end }));
  }

  #place(entry: OpenEntry): void {
    entry.isPlaced = true;
    this.#entriesById.delete(entry.id);
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

  /** Segments since the last index part. */
  get #unlistedSegments(): number {
    return this.#nextSegment - this.#sizesFirst;
  }

  /** Sends a batch to be hashed, compressed and sealed, and queues it for the stream. */
  async #dispatch(entry: OpenEntry | undefined, batch: OpenBatch): Promise<void> {
    if (batch.length === 0 && batch.spans.length === 0) {
      this.#plain.release(batch.buffer);
      return;
    }
    if (entry !== undefined) await this.#turns.until(entry, () => this.#throwFailure());
    await this.#check?.room();
    const into = batch.length === 0 ? undefined : await this.#sealed.acquire();
    // From here on nothing waits: the order of hashing, of numbers and of the stream is one.
    const { buffer, spans } = batch;
    const hashing = this.#hash(buffer.subarray(0, batch.length), spans);
    const segments = this.#number(batch);
    this.#follow(batch, segments);
    if (into === undefined) {
      // No bytes, but the end of an entry whose bytes filled the batch before.
      this.#watch(hashing.then(() => this.#plain.release(buffer)));
      this.#inOrder(async () => this.#check?.add({ segments: [], spans }));
      return;
    }
    const sealing = this.#sealing.run('seal', { plain: buffer, segments, kind: segmentKind.data, into });
    this.#watch(Promise.all([sealing, hashing]).then(() => this.#plain.release(buffer)));
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
      this.#check?.add({ segments: written, spans });
      this.#watch(framed.then(() => this.#sealed.release(into)));
    });
    if (this.#awaiting.isPartDue(this.#unlistedSegments)) this.#queueIndexPart();
  }

  #number(batch: OpenBatch): SealTask['segments'] {
    const { segmentSizeBytes } = this.#header;
    return Array.from({ length: Math.ceil(batch.length / segmentSizeBytes) }, (_, index) => {
      const offset = index * segmentSizeBytes;
      return { number: this.#nextSegment++, offset, length: Math.min(segmentSizeBytes, batch.length - offset) };
    });
  }

  /** Notes where the bytes of entries lie, now that their segments have numbers. */
  #follow(batch: OpenBatch, segments: SealTask['segments']): void {
    const runsOf = (id: number) => {
      const entry = this.#entriesById.get(id);
      assert(entry !== undefined, 'bytes of an entry that has its places');
      return entry.runs;
    };
    const plain = segments.map(({ number, length }) => ({ number, plainLength: length }));
    this.#follower.follow(plain, batch.spans, runsOf);
    for (const entry of batch.ended) {
      this.#awaiting.place(entry);
      this.#place(entry);
    }
  }

  /** Takes the next segment number for an index part; its contents are made when all segments before it are sealed. */
  #queueIndexPart(): void {
    const number = this.#nextSegment++;
    const firstSegment = this.#sizesFirst;
    this.#sizesFirst = this.#nextSegment;
    const finished = this.#awaiting.take();
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
      const [length = 0] = await this.#sealing.run('seal', task);
      this.#lastPart = { segment: number, offset: this.#streamBytes, length };
      this.#partCount++;
      this.#streamBytes += length;
      // Waited for: else parts would gather where the sink is slow and entries have no bytes.
      await this.#blocks.append(into.subarray(0, length));
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
      this.#turns.wake();
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
}
