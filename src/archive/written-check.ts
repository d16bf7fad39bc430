import assert from 'node:assert/strict';
import { createHash, hash } from 'node:crypto';
import { HoldfastError } from '../errors.ts';
import type { ArchiveIndex } from './archive-index.ts';
import { segmentsInBatch, unknownDataBlocks } from './batch.ts';
import type { IndexEntry, Run } from './entry/entry.ts';
import { EntryRuns, RunFollower } from './entry/run-follower.ts';
import type { Header } from './header.ts';
import { blockSizeBytes, Layout, payloadSizeBytes } from './heal/geometry.ts';
import type { ReadBack } from './random-access.ts';
import { RangeSet } from './range-set.ts';
import { sealedOverheadBytes } from './seal/segment-cipher.ts';
import { BufferPool } from './worker/buffer-pool.ts';
import type { HashSpan } from './worker/protocol.ts';
import type { ArchiveWorkers, WorkerPool } from './worker/worker-pool.ts';

/** Batches that are read back at once, and batches that may wait for it before the writer does. */
const batchesAtOnce = 3;
const batchesWaiting = 10;
/** Copies that are read back while they are made; further ones are read at the end. It bounds the memory. */
const maximumCopies = 2;

/** Consecutive data segments as they were written. */
export interface WrittenBatch {
  readonly segments: readonly {
    readonly number: number;
    /** Where in the sealed stream. */
    readonly offset: number;
    readonly length: number;
    readonly plainLength: number;
  }[];
  /** The parts of entries in the joined plain bytes. */
  readonly spans: readonly HashSpan[];
}

interface FollowedEntry {
  readonly hash: number;
  readonly runs: EntryRuns;
}

function failed(what: string): HoldfastError {
  return new HoldfastError('archive.verify_failed', {
    message: `what was written does not read back as it was: ${what}`,
  });
}

function segmentLine(segment: WrittenBatch['segments'][number]): string {
  const { number, offset, length, plainLength } = segment;
  return `${number} ${offset} ${length} ${plainLength}\n`;
}

/** What the index must say of all entries together, in whatever order it lists them. */
class EntryRecord {
  readonly #sum = Buffer.alloc(32);
  #count = 0;

  add(sha256: string, runs: readonly Run[]): void {
    this.#count += 1;
    const places = runs.map(({ segment, offset, length }) => `${segment} ${offset} ${length}`).join(',');
    const digest = hash('sha256', `${sha256} ${places}`, 'buffer');
    // No two entries have one place, so none takes another one out again.
    for (let index = 0; index < digest.length; index += 1) {
      this.#sum[index] = (this.#sum[index] ?? 0) ^ (digest[index] ?? 0);
    }
  }

  equals(other: EntryRecord): boolean {
    return this.#count === other.#count && this.#sum.equals(other.#sum);
  }
}

/**
 * Reads what an {@link ArchiveWriter} writes back while it goes on: every block of every copy is checked, every segment opened, and every
 * entry's SHA-256 compared with the one that was made of the source's bytes. What is left for the end is the index, which must
 * say of each entry what was found here. Memory: `batchesAtOnce` batches, sealed for each copy and plain.
 */
export class WrittenCheck {
  readonly #workers: WorkerPool;
  /** That know the archive; there once the writing has begun. */
  #opening: ArchiveWorkers | undefined;
  readonly #copies: number;
  readonly #copiesRead: number;
  readonly #layout: Layout;
  readonly #raw: BufferPool;
  readonly #plain: BufferPool;
  /** Where the run is read while it is written. */
  readonly #early: ReadBack;
  #readBack: ReadBack;
  readonly #waiting: WrittenBatch[] = [];
  #underWay = 0;
  #isPaused = false;
  /** The end of the ordered stage: opened batches sent to be hashed. */
  #order: Promise<void> = Promise.resolve();
  #changed = Promise.withResolvers<void>();
  #failure: { readonly error: unknown } | undefined;
  /** Entries that have begun and not ended. */
  readonly #entries = new Map<number, FollowedEntry>();
  /** Digests, of the source's bytes or of what was read back, whose counterpart is not there yet. */
  readonly #digests = new Map<number, string>();
  /** What the index must say of the segments and of the entries. */
  readonly #segmentRecord = createHash('sha256');
  readonly #entryRecord = new EntryRecord();
  readonly #follower = new RunFollower();
  readonly #proven = new RangeSet();

  constructor(options: { readonly workers: WorkerPool; readonly header: Header; readonly readBack: ReadBack }) {
    const { workers, header } = options;
    this.#workers = workers;
    this.#copies = header.copies;
    this.#early = options.readBack;
    this.#readBack = options.readBack;
    // Where data blocks lie does not depend on how many there will be.
    this.#layout = new Layout(unknownDataBlocks, header);
    const segments = segmentsInBatch(header);
    const sealedBytes = segments * (header.segmentSizeBytes + sealedOverheadBytes);
    const rawSizeBytes = (Math.ceil(sealedBytes / payloadSizeBytes) + 1) * blockSizeBytes;
    const { memory } = workers;
    this.#copiesRead = Math.min(header.copies, maximumCopies);
    this.#raw = new BufferPool({ count: batchesAtOnce * this.#copiesRead, memory, sizeBytes: rawSizeBytes });
    this.#plain = new BufferPool({ count: batchesAtOnce, memory, sizeBytes: segments * header.segmentSizeBytes });
  }

  /** Takes the workers of the writer, before it gives a batch. */
  begin(workers: ArchiveWorkers): void {
    this.#opening = workers;
  }

  /** Numbers of data blocks that are intact in every copy: none where a copy is another one by now than the one that was read. */
  get provenBlocks(): RangeSet {
    return this.#early.isKept ? this.#proven : new RangeSet();
  }

  /** Takes a batch, in the order of the stream. */
  add(batch: WrittenBatch): void {
    for (const segment of batch.segments) this.#segmentRecord.update(segmentLine(segment));
    this.#waiting.push(batch);
    this.advance();
  }

  /** Takes the SHA-256 of the source's bytes of an entry. */
  expect(entry: number, sha256: string): void {
    this.#compare(entry, sha256);
  }

  /** Waits while much is written that was not read back. Throws `archive.verify_failed`, and what reading back threw. */
  async room(): Promise<void> {
    // Bytes may have reached the disk since something asked last: of what compresses well, one write holds many batches.
    this.advance();
    while (this.#failure === undefined && this.#isBehind()) await this.#changed.promise;
    this.#throwFailure();
  }

  /** Begins to check what is written by now. */
  advance(): void {
    for (let batch = this.#waiting[0]; batch !== undefined; batch = this.#waiting[0]) {
      if (this.#failure !== undefined || this.#isPaused || this.#underWay >= batchesAtOnce) return;
      if (!this.#isWritten(batch)) return;
      this.#waiting.shift();
      this.#begin(batch);
    }
  }

  /** Waits for what is under way, and begins nothing more. */
  async pause(): Promise<void> {
    this.#isPaused = true;
    await this.#untilIdle();
  }

  /**
   * Checks the rest, of a run that is complete, and that the index, with all of its `entries`, says what was found. Throws `archive.verify_failed`, and what reading
   * back threw.
   */
  async finish(
    readBack: ReadBack,
    index: ArchiveIndex,
    entries: AsyncIterable<IndexEntry> | Iterable<IndexEntry>,
  ): Promise<void> {
    this.#readBack = readBack;
    this.#isPaused = false;
    this.advance();
    await this.#untilIdle();
    if (this.#waiting.length > 0 || this.#entries.size > 0 || this.#digests.size > 0) throw failed('bytes are missing');
    const segmentRecord = createHash('sha256');
    for (const { number, offset, length, maximumPlainBytes } of index.dataSegments()) {
      segmentRecord.update(segmentLine({ number, offset, length, plainLength: maximumPlainBytes }));
    }
    const entryRecord = new EntryRecord();
    for await (const { sha256, runs } of entries) if (runs.length > 0) entryRecord.add(sha256, runs);
    const isSame = segmentRecord.digest().equals(this.#segmentRecord.digest()) && entryRecord.equals(this.#entryRecord);
    if (!isSame) throw failed('the index says something else');
  }

  #isWritten(batch: WrittenBatch): boolean {
    const last = batch.segments.at(-1);
    if (last === undefined) return true;
    const lastData = Math.floor((last.offset + last.length - 1) / payloadSizeBytes);
    return (this.#layout.dataPosition(lastData) + 1) * blockSizeBytes <= this.#readBack.writtenBytes;
  }

  #isBehind(): boolean {
    const batch = this.#waiting[batchesWaiting];
    return batch !== undefined && this.#isWritten(batch);
  }

  async #untilIdle(): Promise<void> {
    while (this.#failure === undefined && this.#underWay > 0) await this.#changed.promise;
    this.#throwFailure();
  }

  #begin(batch: WrittenBatch): void {
    this.#underWay++;
    const opening = this.#open(batch);
    opening.catch(() => undefined);
    const sent = this.#order.then(async () => ({ hashed: this.#hash(batch, await opening) }));
    this.#order = sent.then(() => undefined);
    const done = sent.then(({ hashed }) => hashed);
    this.#order.catch(() => undefined);
    done.then(
      () => this.#change(),
      (error: unknown) => {
        this.#failure ??= { error };
        this.#change();
      },
    );
  }

  /** One batch less is under way. */
  #change(): void {
    this.#underWay--;
    this.advance();
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }

  /** The plain bytes of a batch, in lent memory; undefined where it has none. */
  async #open(batch: WrittenBatch): Promise<Uint8Array | undefined> {
    const [first] = batch.segments;
    const last = batch.segments.at(-1);
    if (first === undefined || last === undefined) return undefined;
    const into = await this.#plain.acquire();
    const buffers = await this.#raw.acquireSeveral(this.#copiesRead);
    const firstData = Math.floor(first.offset / payloadSizeBytes);
    const count = Math.floor((last.offset + last.length - 1) / payloadSizeBytes) + 1 - firstData;
    const read = await Promise.all(
      buffers.map((buffer, copy) => this.#read(copy, firstData, buffer.subarray(0, count * blockSizeBytes))),
    );
    const layers = read.filter((layer) => layer !== undefined);
    if (read[0] === undefined) throw failed(`segment ${first.number} cannot be read`);
    const segments = batch.segments.map((segment) => {
      return { ...segment, offset: segment.offset - firstData * payloadSizeBytes };
    });
    const task = { layers, checkBlocks: true, firstData, count, segments, into };
    assert(this.#opening !== undefined, 'the writing has begun');
    if (!(await this.#opening.run('open', task))) throw failed(`segment ${first.number} or one behind it differs`);
    if (layers.length === this.#copies) this.#proven.add(firstData, firstData + count);
    for (const buffer of buffers) this.#raw.release(buffer);
    return into;
  }

  /** Data blocks of a copy; undefined where it does not have them yet. */
  async #read(copy: number, firstData: number, into: Uint8Array): Promise<Uint8Array | undefined> {
    const count = into.length / blockSizeBytes;
    for (let done = 0; done < count; ) {
      const position = this.#layout.dataPosition(firstData + done);
      let run = 1;
      while (done + run < count && this.#layout.dataPosition(firstData + done + run) === position + run) run++;
      const piece = into.subarray(done * blockSizeBytes, (done + run) * blockSizeBytes);
      if (!(await this.#readBack.read(copy, position * blockSizeBytes, piece))) return undefined;
      done += run;
    }
    return into;
  }

  async #hash(batch: WrittenBatch, plain: Uint8Array | undefined): Promise<void> {
    const spans = batch.spans.map((span) => ({ ...span, entry: this.#entryOf(span.entry).hash }));
    this.#follower.follow(batch.segments, batch.spans, (entry) => this.#entryOf(entry).runs);
    const ended = batch.spans.filter(({ last }) => last).map(({ entry }) => entry);
    const bytes = plain ?? new Uint8Array(0);
    const digests = await this.#workers.hash({ bytes, spans });
    for (const [index, entry] of ended.entries()) {
      const followed = this.#entries.get(entry);
      const sha256 = digests[index]?.sha256;
      if (followed === undefined || sha256 === undefined) throw failed('an entry ended twice');
      this.#entries.delete(entry);
      this.#entryRecord.add(sha256, followed.runs.all);
      this.#compare(entry, sha256);
    }
    if (plain !== undefined) this.#plain.release(plain);
  }

  #entryOf(id: number): FollowedEntry {
    let entry = this.#entries.get(id);
    if (entry === undefined) {
      entry = { hash: this.#workers.newHash(), runs: new EntryRuns() };
      this.#entries.set(id, entry);
    }
    return entry;
  }

  /** The second of the two digests of an entry must be the first. */
  #compare(entry: number, sha256: string): void {
    const other = this.#digests.get(entry);
    if (other === undefined) {
      this.#digests.set(entry, sha256);
      return;
    }
    this.#digests.delete(entry);
    if (other !== sha256) this.#failure ??= { error: failed('the SHA-256 of an entry differs') };
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
