/** What a writer tells the check of what it writes, kept, to be told again to another one. */
import assert from 'node:assert/strict';
import type { ArchiveIndex } from '../../src/archive/archive-index.ts';
import { ArchiveWriter } from '../../src/archive/archive-writer.ts';
import type { IndexEntry } from '../../src/archive/entry/entry.ts';
import type { Header } from '../../src/archive/header.ts';
import type { ReadBack } from '../../src/archive/random-access.ts';
import { type ArchiveWorkers, WorkerPool } from '../../src/archive/worker/worker-pool.ts';
import { type WrittenBatch, WrittenCheck } from '../../src/archive/written-check.ts';
import { SeededRandom } from '../../src/testing/index.ts';
import { chunksOf, listEntries, openSample, sampleHeader } from './write-sample.ts';

export const workers = new WorkerPool(0);
export const blockBytes = 4096;

/** A copy that says what was read of it. */
export class Copies implements ReadBack {
  readonly bytes: Buffer;
  writtenBytes: number;
  isKept = true;
  /** Copy, first block and number of blocks of each read. */
  readonly reads: [copy: number, first: number, count: number][] = [];
  /** Waits, throws, or says that a copy does not have the bytes. */
  onRead: (copy: number, into: Uint8Array) => void | boolean | Promise<void> = () => undefined;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
    this.writtenBytes = bytes.length;
  }

  async read(copy: number, offset: number, into: Uint8Array): Promise<boolean> {
    this.reads.push([copy, offset / blockBytes, into.length / blockBytes]);
    this.bytes.copy(into, 0, offset, offset + into.length);
    return (await this.onRead(copy, into)) !== false;
  }
}

/** What a writer told its check, and what it wrote. */
export interface Recorded {
  readonly header: Header;
  readonly opening: ArchiveWorkers;
  readonly batches: readonly WrittenBatch[];
  readonly digests: ReadonlyMap<number, string>;
  readonly bytes: Buffer;
  readonly index: ArchiveIndex;
  readonly entries: readonly IndexEntry[];
}

/** Keeps what it is told. */
class Recorder extends WrittenCheck {
  opening: ArchiveWorkers | undefined;
  readonly batches: WrittenBatch[] = [];
  readonly digests = new Map<number, string>();

  override begin(opening: ArchiveWorkers): void {
    this.opening = opening;
  }

  override add(batch: WrittenBatch): void {
    this.batches.push(batch);
  }

  override expect(entry: number, sha256: string): void {
    this.digests.set(entry, sha256);
  }
}

export async function record(sizes: readonly number[], changes: Partial<Header> = {}): Promise<Recorded> {
  // A batch is 64 segments: 64,000 bytes, and 65,024 sealed.
  const header = sampleHeader(1, { segmentSizeBytes: 1000, dataBlocks: 200, parityBlocks: 2, ...changes });
  const recorder = new Recorder({ workers, header, readBack: new Copies(Buffer.alloc(0)) });
  const chunks: Uint8Array[] = [];
  const sink = async (bytes: Uint8Array) => {
    chunks.push(bytes.slice());
  };
  const writer = await ArchiveWriter.create({ header, dataKey: undefined, workers, sink, check: recorder });
  for (const [index, size] of sizes.entries()) {
    const contents = chunksOf(new SeededRandom(index).bytes(size), 50_000);
    await writer.add({ path: `e/${index}`, kind: 'file', metadata: {} }, contents);
  }
  await writer.finish();
  const bytes = Buffer.concat(chunks);
  const all = new Uint8Array(Buffer.concat(Array.from({ length: header.copies }, () => bytes)));
  const reader = await openSample(workers, { bytes: all, dataKey: undefined });
  const { opening, batches, digests } = recorder;
  assert.ok(opening !== undefined);
  return { header, opening, batches, digests, bytes, index: reader.index, entries: await listEntries(reader) };
}

export interface Replayed {
  readonly check: WrittenCheck;
  readonly copies: Copies;
}

export function begin({ header, opening, bytes }: Recorded): Replayed {
  const copies = new Copies(bytes);
  const check = new WrittenCheck({ workers, header, readBack: copies });
  check.begin(opening);
  return { check, copies };
}

/** Tells a new check all that was recorded, and lets it finish. */
export async function replay(
  recorded: Recorded,
  prepare: (replayed: Replayed) => void = () => undefined,
): Promise<Replayed> {
  const replayed = begin(recorded);
  prepare(replayed);
  const { check, copies } = replayed;
  for (const batch of recorded.batches) check.add(batch);
  for (const [entry, sha256] of recorded.digests) check.expect(entry, sha256);
  await check.finish(copies, recorded.index, recorded.entries);
  return replayed;
}

export const turns = async (count = 20) => {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};
export const failed = (what: string) => ({
  code: 'archive.verify_failed',
  message: `what was written does not read back as it was: ${what}`,
});
