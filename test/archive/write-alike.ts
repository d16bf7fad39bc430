/** Archives of small segments, as the plain writer of the vectors and as the product write them. */
import { ArchiveWriter, type ArchiveWriterOptions, type WriterResult } from '../../src/archive/archive-writer.ts';
import { decodeHeader, type Header } from '../../src/archive/header.ts';
import type { EntryMetadata } from '../../src/archive/json.ts';
import { WorkerPool } from '../../src/archive/worker/worker-pool.ts';
import type { WrittenCheck } from '../../src/archive/written-check.ts';
import { bytes as seededBytes } from '../../vectors/generators/vector.ts';
import {
  type ReferenceEntry,
  SeededBytes,
  type Specification,
  type Written,
  writeArchive,
} from '../../vectors/reference-writer.ts';
import { chunksOf, listEntries, openSample, readableOf } from './write-sample.ts';

export const workers = new WorkerPool(0);

/** Segments of 16 bytes: a batch of 64 of them is 1 KiB. */
const segmentSize = 16;
export const batchBytes = 1024;

export function entriesOf(sizes: readonly number[]): ReferenceEntry[] {
  return sizes.map((size, index) => {
    const bytes = seededBytes(`entry ${index}`, size);
    return { path: `e/${index}`, kind: 'file', bytes, metadata: { index } };
  });
}

export function specify(sizes: readonly number[], more: Partial<Specification> = {}): Specification {
  return { seed: 'written', entries: entriesOf(sizes), segmentSize, dataBlocks: 3, ...more };
}

/** The header that the plain writer made, and the key of its segments. */
export function headerOf({ file }: Written, { seed }: Specification): Pick<ArchiveWriterOptions, 'header' | 'dataKey'> {
  const { fixedPart: _, ...header } = decodeHeader(file.subarray(32, 4080));
  const random = new SeededBytes(seed);
  random.next(16);
  return { header, dataKey: header.cipher === 'none' ? undefined : random.next(32) };
}

/** How entries come in. */
export interface Coming {
  readonly chunkBytes?: number;
  /** Read to where the writer wants them. */
  readonly isReadInto?: boolean;
  readonly isSizeKnown?: boolean;
  readonly check?: WrittenCheck;
}

/** Keeps what is written. */
export function collect(): { readonly sink: ArchiveWriterOptions['sink']; readonly bytes: () => Buffer } {
  const chunks: Uint8Array[] = [];
  const sink = async (bytes: Uint8Array) => {
    chunks.push(bytes.slice());
  };
  return { sink, bytes: () => Buffer.concat(chunks) };
}

export async function write(
  options: Pick<ArchiveWriterOptions, 'header' | 'dataKey'>,
  entries: readonly ReferenceEntry[],
  coming: Coming = {},
): Promise<WriterResult & { readonly bytes: Buffer }> {
  const { chunkBytes = 1 << 20, isReadInto = false, isSizeKnown = false, check } = coming;
  const { sink, bytes: written } = collect();
  const writer = await ArchiveWriter.create({ ...options, workers, sink, check });
  for (const { path, pathBytes, kind, bytes, metadata = {} } of entries) {
    const size = isSizeKnown ? { expectedSizeBytes: bytes.length } : {};
    const input = { path, ...(pathBytes && { pathBytes }), kind, metadata: metadata as EntryMetadata, ...size };
    const contents = isReadInto ? readableOf(bytes, chunkBytes) : chunksOf(bytes, chunkBytes);
    await writer.add(input, kind === 'directory' ? undefined : contents);
  }
  return { ...(await writer.finish()), bytes: written() };
}

/** The header of an archive without a cipher. */
export function plainHeader(changes: Partial<Header> = {}): Pick<ArchiveWriterOptions, 'header' | 'dataKey'> {
  const specification = specify([]);
  const { header } = headerOf(writeArchive(specification), specification);
  return { header: { ...header, dataBlocks: 200, ...changes }, dataKey: undefined };
}

export async function readIndex(bytes: Buffer) {
  const reader = await openSample(workers, { bytes: new Uint8Array(bytes), dataKey: undefined });
  return { entries: await listEntries(reader), tail: reader.index.tail };
}
