import { ArchiveReader } from '../../src/archive/archive-reader.ts';
import { ArchiveWriter } from '../../src/archive/archive-writer.ts';
import type { IndexEntry } from '../../src/archive/entry/entry.ts';
import type { EntryBytes } from '../../src/archive/entry/entry-bytes.ts';
import type { Header } from '../../src/archive/header.ts';
import type { Layout } from '../../src/archive/heal/geometry.ts';
import type { EntryMetadata } from '../../src/archive/json.ts';
import type { WorkerPool } from '../../src/archive/worker/worker-pool.ts';
import { ReadableBytes } from '../../src/source/readable-bytes.ts';
import { memoryRandomAccess, SeededRandom } from '../../src/testing/index.ts';

/** Archives in memory for tests of what lies below the operations. */

export interface SampleEntry {
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly pathBytes?: Uint8Array;
  readonly kind?: string;
  readonly metadata?: EntryMetadata;
}

export interface Sample {
  readonly header: Header;
  readonly dataKey: Uint8Array | undefined;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly layout: Layout;
}

/** Without a cipher unless told; a slot that nobody can open stands in for keys, as the data key is at hand. */
export function sampleHeader(seed: number, changes: Partial<Header> = {}): Header {
  const random = new SeededRandom(seed);
  const archiveId = random.bytes(16);
  const slot = { type: 200, id: random.bytes(4), createdMs: 1, label: 'nobody', body: random.bytes(8) };
  return {
    archiveId,
    createdMs: 1_736_899_200_000,
    cipher: 'none',
    codec: 'none',
    copies: 1,
    dataBlocks: 10,
    parityBlocks: 3,
    segmentSizeBytes: 1024 * 1024,
    generation: 0,
    slots: changes.cipher === 'aes-256-gcm' ? [slot] : [],
    ...changes,
  };
}

export function sampleDataKey(header: Header): Uint8Array | undefined {
  return header.cipher === 'none' ? undefined : new SeededRandom(99).bytes(32);
}

/** Bytes in chunks of the given size; the memory of each is overwritten when the next is asked for. */
export async function* chunksOf(bytes: Uint8Array, chunkBytes: number): AsyncGenerator<Uint8Array> {
  const memory = new Uint8Array(Math.min(chunkBytes, bytes.length));
  for (let offset = 0; offset < bytes.length; offset += chunkBytes) {
    const chunk = bytes.subarray(offset, offset + chunkBytes);
    memory.set(chunk);
    yield memory.subarray(0, chunk.length);
    memory.fill(0xee);
  }
}

/** The same bytes for who reads them to a place of its own, in pieces of the given size. */
export function readableOf(bytes: Uint8Array, chunkBytes: number): EntryBytes {
  let done = 0;
  return new ReadableBytes(async (into) => {
    const piece = bytes.subarray(done, done + Math.min(chunkBytes, into.length));
    into.set(piece);
    done += piece.length;
    return piece.length;
  });
}

export async function writeSample(options: {
  readonly workers: WorkerPool;
  readonly header: Header;
  readonly entries: readonly SampleEntry[];
  readonly chunkBytes?: number;
  /** The writer reads the bytes to where it wants them, and knows their sizes before. */
  readonly inPlace?: boolean;
  readonly sink?: (bytes: Uint8Array) => Promise<void>;
}): Promise<Sample> {
  const { workers, header, entries, chunkBytes = 100_000 } = options;
  const dataKey = sampleDataKey(header);
  const chunks: Uint8Array[] = [];
  const keep = async (bytes: Uint8Array) => {
    chunks.push(bytes.slice());
  };
  const writer = await ArchiveWriter.create({ header, dataKey, workers, sink: options.sink ?? keep });
  for (const { path, bytes, pathBytes, kind = 'file', metadata = {} } of entries) {
    const input = { path, ...(pathBytes === undefined ? {} : { pathBytes }), kind, metadata };
    if (kind === 'directory') await writer.add(input, undefined);
    else if (options.inPlace !== true) await writer.add(input, chunksOf(bytes, chunkBytes));
    else await writer.add({ ...input, expectedSizeBytes: bytes.length }, readableOf(bytes, chunkBytes));
  }
  const { layout } = await writer.finish();
  const copy = Buffer.concat(chunks);
  const bytes = new Uint8Array(Buffer.concat(Array.from({ length: header.copies }, () => copy)));
  return { header, dataKey, bytes, layout };
}

export async function openSample(
  workers: WorkerPool,
  sample: Pick<Sample, 'bytes' | 'dataKey'>,
): Promise<ArchiveReader> {
  const keys = sample.dataKey === undefined ? undefined : { dataKey: sample.dataKey };
  return await ArchiveReader.open({ sources: [memoryRandomAccess(sample.bytes)], workers, keys });
}

export async function listEntries(reader: ArchiveReader): Promise<IndexEntry[]> {
  const entries: IndexEntry[] = [];
  for await (const entry of reader.entries()) entries.push(entry);
  return entries;
}

/** All entries with their bytes. */
export async function readAll(reader: ArchiveReader): Promise<{ entry: IndexEntry; bytes: Buffer }[]> {
  const entries = await listEntries(reader);
  const segments = reader.segmentsFor(entries);
  const all: { entry: IndexEntry; bytes: Buffer }[] = [];
  for (const entry of entries) {
    const chunks: Uint8Array[] = [];
    for await (const chunk of reader.read(entry, segments)) chunks.push(chunk.slice());
    all.push({ entry, bytes: Buffer.concat(chunks) });
  }
  return all;
}
