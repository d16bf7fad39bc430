import { isDeepStrictEqual } from 'node:util';
import { asBuffer } from '../../bytes.ts';
import { HoldfastError, throwIfAborted } from '../../errors.ts';
import { decodeHeader, type Header, headerLength } from '../header.ts';
import type { RandomAccess } from '../random-access.ts';
import type { FoundBlock } from '../worker/protocol.ts';
import type { WorkerPool } from '../worker/worker-pool.ts';
import { archiveIdSizeBytes, blockKind, expectedFrame, hasRightHash, readFrame } from './block.ts';
import { BlockMap, type Extent, ExtentCollector } from './block-map.ts';
import { blockSizeBytes, bodySizeBytes, frameSizeBytes, hashSizeBytes, headerReplicas, Layout } from './geometry.ts';
import { LayoutEvidence } from './layout-evidence.ts';
import { readTolerant } from './read-tolerant.ts';

/** Finding an archive in its sources: its header, its layout, and where its blocks lie (`docs/format.md` section 7). */

const scanChunkBytes = 4 * 1024 * 1024;

export interface LocatedHeader {
  readonly header: Header;
  /** As it stands, zeros to the end of a body. */
  readonly body: Uint8Array;
}

export interface Located extends LocatedHeader {
  readonly layout: Layout;
  readonly map: BlockMap;
  /** Whether the sources are as they were written: copies at their places, nothing before, between or behind. */
  readonly inPlace: boolean;
  /** Whether the map was made by scanning, so that scanning again would not help. */
  readonly scanned: boolean;
}

export interface LocateOptions {
  readonly sources: readonly RandomAccess[];
  readonly workers: WorkerPool;
  /** Hex; chooses one archive of several. */
  readonly archiveId?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onScan?: ((doneBytes: number, totalBytes: number) => void) | undefined;
}

function hex(bytes: Uint8Array): string {
  return asBuffer(bytes).toString('hex');
}

/** Offsets of header blocks in a file that is as it was written, as far as they follow from its size. */
function nominalHeaderOffsets(sizeBytes: number, copies: number): number[] {
  const offsets: number[] = [];
  const copyBytes = Math.floor(sizeBytes / copies / blockSizeBytes) * blockSizeBytes;
  for (let copy = 0; copy < copies; copy++) {
    for (let ordinal = 0; ordinal < headerReplicas; ordinal++) {
      offsets.push(copy * copyBytes + ordinal * blockSizeBytes);
      offsets.push((copy + 1) * copyBytes - (ordinal + 1) * blockSizeBytes);
    }
  }
  return [...new Set(offsets)].filter((offset) => offset >= 0 && offset + blockSizeBytes <= sizeBytes);
}

async function readBlocksAt(source: RandomAccess, offsets: readonly number[]): Promise<Buffer[]> {
  const blocks = Buffer.alloc(offsets.length * blockSizeBytes);
  return await Promise.all(
    offsets.map(async (offset, index) => {
      const block = blocks.subarray(index * blockSizeBytes, (index + 1) * blockSizeBytes);
      await readTolerant(source, offset, block);
      return block;
    }),
  );
}

function archiveIdOf(headerBody: Uint8Array): string {
  return hex(headerBody.subarray(12, 12 + archiveIdSizeBytes));
}

function isHeaderKind(kind: number): boolean {
  return kind === blockKind.header || kind === blockKind.final;
}

/** Of several headers of one archive the newest counts. */
function newest(bodies: readonly Uint8Array[]): LocatedHeader {
  let chosen: LocatedHeader | undefined;
  let failure: unknown;
  for (const body of bodies) {
    try {
      const header = decodeHeader(body);
      if (chosen === undefined || header.generation > chosen.header.generation) chosen = { header, body };
    } catch (error) {
      failure ??= error;
    }
  }
  if (chosen === undefined) throw failure;
  return chosen;
}

/**
 * Whether it may be a damaged header block: what is gone, or says that it is something else, has no vote. Nor has a whole one: a scan finds
 * it, and sees whether it is of the only archive.
 */
function mayBeDamagedHeader(block: Buffer): boolean {
  const kind = block[28];
  if (kind === blockKind.data || kind === blockKind.parity) return false;
  return !block.subarray(0, 64).equals(Buffer.alloc(64)) && !hasRightHash(block);
}

/** The byte-wise majority of damaged header blocks, if a block that it makes has the hash of one of them. */
function majorityHeader(blocks: readonly Buffer[]): Uint8Array | undefined {
  const readable = blocks.filter(mayBeDamagedHeader);
  const voted = Buffer.alloc(blockSizeBytes);
  const counts = new Uint8Array(256);
  for (let offset = 0; offset < blockSizeBytes; offset++) {
    counts.fill(0);
    let best = 0;
    for (const block of readable) {
      const value = block[offset]!;
      counts[value]! += 1;
      if (counts[value]! > counts[best]!) best = value;
    }
    voted[offset] = best;
  }
  const body = Uint8Array.from(voted.subarray(frameSizeBytes, frameSizeBytes + bodySizeBytes));
  if (headerLength(body) === 0) return undefined;
  const right = readable.some((block) => {
    const trial = Buffer.concat([
      voted.subarray(0, archiveIdSizeBytes),
      block.subarray(archiveIdSizeBytes, frameSizeBytes),
      body,
      block.subarray(blockSizeBytes - hashSizeBytes),
    ]);
    return isHeaderKind(trial[28]!) && hasRightHash(trial);
  });
  return right ? body : undefined;
}

/** Blocks found over a whole source, in the order of their offsets: of one archive, or the header blocks of any. */
export async function* scanSource(
  source: RandomAccess,
  options: LocateOptions,
  archiveId: Uint8Array | undefined,
): AsyncGenerator<readonly FoundBlock[]> {
  const chunks = Math.ceil(source.sizeBytes / scanChunkBytes);
  const scanChunk = async (index: number): Promise<readonly FoundBlock[]> => {
    throwIfAborted(options.signal);
    const start = index * scanChunkBytes;
    const length = Math.min(scanChunkBytes + blockSizeBytes - 1, source.sizeBytes - start);
    const bytes = new Uint8Array(new SharedArrayBuffer(length));
    await readTolerant(source, start, bytes);
    const found = await options.workers.scan({ bytes, limit: scanChunkBytes, archiveId });
    return found.map((block) => ({ ...block, offset: block.offset + start }));
  };
  const ahead: Promise<readonly FoundBlock[]>[] = [];
  for (let index = 0; index < chunks; index++) {
    ahead.push(scanChunk(index));
    for (const chunk of ahead) chunk.catch(() => undefined);
    if (ahead.length > options.workers.threadCount + 1) yield (await ahead.shift()) ?? [];
    options.onScan?.(index * scanChunkBytes, source.sizeBytes);
  }
  for (const chunk of ahead) yield await chunk;
}

async function scanForHeaders(options: LocateOptions): Promise<LocatedHeader> {
  const bodies = new Map<string, Map<string, Uint8Array>>();
  for (const source of options.sources) {
    for await (const blocks of scanSource(source, options, undefined)) {
      for (const { body } of blocks) {
        if (body === undefined || headerLength(body) === 0) continue;
        const id = archiveIdOf(body);
        const known = bodies.get(id) ?? new Map<string, Uint8Array>();
        if (known.size < 64) known.set(hex(body), body);
        if (bodies.size < 1000) bodies.set(id, known);
      }
    }
  }
  const ids = [...bodies.keys()];
  const wanted = options.archiveId ?? (ids.length === 1 ? ids[0] : undefined);
  const found = wanted === undefined ? undefined : bodies.get(wanted);
  if (found !== undefined) return newest([...found.values()]);
  if (ids.length > 1 && options.archiveId === undefined) {
    throw new HoldfastError('archive.ambiguous', {
      message: `${ids.length} archives stand in this file: ${ids.slice(0, 8).join(', ')}`,
      context: { archiveIds: ids.slice(0, 100) },
    });
  }
  const empty = options.sources.every((source) => source.sizeBytes === 0);
  throw new HoldfastError('archive.not_an_archive', empty ? { message: 'the file is empty' } : {});
}

/** The newest header that is whole at one of the places where headers lie in a file that was not moved about. */
export async function findWholeHeader(
  sources: readonly RandomAccess[],
  archiveId: string | undefined,
): Promise<LocatedHeader | 'several' | undefined> {
  const bodies: Uint8Array[] = [];
  for (const source of sources) {
    for (const block of await readBlocksAt(source, nominalHeaderOffsets(source.sizeBytes, 1))) {
      const frame = readFrame(block);
      if (frame === undefined || !isHeaderKind(frame.kind) || !hasRightHash(block)) continue;
      const body = Uint8Array.from(block.subarray(frameSizeBytes, frameSizeBytes + bodySizeBytes));
      if (archiveId === undefined || archiveIdOf(body) === archiveId) bodies.push(body);
    }
  }
  // Headers of several archives: which is meant is not for this function to say.
  const ids = new Set(bodies.map(archiveIdOf));
  if (ids.size > 1) return 'several';
  return bodies.length === 0 ? undefined : newest(bodies);
}

/** Finds the header: at its places, by majority where all of these are damaged, by scanning. */
export async function findHeader(options: LocateOptions): Promise<LocatedHeader> {
  const whole = await findWholeHeader(options.sources, options.archiveId);
  if (whole === 'several') return await scanForHeaders(options);
  if (whole !== undefined) return whole;
  const damaged: Buffer[] = [];
  for (const source of options.sources) {
    const offsets = new Set([1, 2, 3].flatMap((copies) => nominalHeaderOffsets(source.sizeBytes, copies)));
    damaged.push(...(await readBlocksAt(source, [...offsets])));
  }
  const voted = majorityHeader(damaged);
  const isWanted = options.archiveId === undefined || (voted && archiveIdOf(voted) === options.archiveId);
  if (voted !== undefined && isWanted) return newest([voted]);
  return await scanForHeaders(options);
}

/** The extents of a source that is as it was written, judged by its size and its final header blocks. */
async function nominalExtents(
  source: RandomAccess,
  index: number,
  header: Header,
): Promise<{ extents: Extent[]; layout: Layout } | undefined> {
  const { copies } = header;
  const blocks = Math.floor(source.sizeBytes / blockSizeBytes);
  const aligned = source.sizeBytes % blockSizeBytes === 0;
  const isOurs = (block: Buffer) => asBuffer(header.archiveId).compare(block, 0, archiveIdSizeBytes) === 0;
  const last = (await readBlocksAt(source, [Math.max(0, (blocks - 1) * blockSizeBytes)]))[0]!;
  const frame = isOurs(last) && hasRightHash(last) ? readFrame(last) : undefined;
  let layout: Layout | undefined;
  if (aligned && frame?.kind === blockKind.final) {
    layout = Layout.fromFinalBlock(frame.position, frame.ordinal, header);
  } else if (aligned && blocks % copies === 0 && frame === undefined) {
    // The end is damaged: the size alone tells, if a block in the middle or at the start agrees.
    layout = Layout.fromTotalBlocks(blocks / copies, header);
  }
  if (layout === undefined) return undefined;
  const total = layout.totalBlocks;
  const exact = blocks === total * copies;
  if (!exact && !(copies === 2 && blocks > total * 2)) return undefined;
  const starts = Array.from({ length: copies }, (_, copy) => (copy === copies - 1 ? blocks - total : copy * total));
  const extents = starts.map((start) => ({ source: index, offset: start * blockSizeBytes, position: 0, count: total }));
  return (await agrees(source, header, layout, extents)) ? { extents, layout } : undefined;
}

/** Whether intact blocks stand where the extents say; where none is intact at all, there is nothing better to go by. */
async function agrees(
  source: RandomAccess,
  header: Header,
  layout: Layout,
  extents: readonly Extent[],
): Promise<boolean> {
  let contradicted = 0;
  let confirmed = 0;
  // Where each has its price, three: what they do not see is found block by block, and then scanned for.
  const parts = source.isSequential === true ? 2 : 8;
  for (const extent of extents) {
    const probes = Array.from({ length: parts + 1 }, (_, step) =>
      Math.min(extent.count - 1, Math.floor((extent.count * step) / parts)),
    );
    const blocks = await readBlocksAt(
      source,
      probes.map((probe) => extent.offset + probe * blockSizeBytes),
    );
    for (const [step, block] of blocks.entries()) {
      if (asBuffer(header.archiveId).compare(block, 0, archiveIdSizeBytes) !== 0 || !hasRightHash(block)) continue;
      // Another kind at its position tells of another layout.
      if (isDeepStrictEqual(readFrame(block), expectedFrame(layout, probes[step]!))) confirmed++;
      else contradicted++;
    }
  }
  return contradicted === 0 || confirmed > contradicted * 4;
}

/** Whether each source begins and ends with a copy and has all of them, with nothing but filler between. */
function inPlace(
  extents: readonly Extent[],
  layout: Layout,
  header: Header,
  sources: readonly RandomAccess[],
): boolean {
  return sources.every((source, index) => {
    const own = extents.filter((extent) => extent.source === index);
    const last = own.at(-1);
    return (
      own.length === header.copies &&
      own.every((extent) => extent.position === 0 && extent.count === layout.totalBlocks) &&
      own[0]?.offset === 0 &&
      last !== undefined &&
      last.offset + last.count * blockSizeBytes === source.sizeBytes
    );
  });
}

/** Finds all blocks of the archive by scanning all sources. */
async function locateByScan(found: LocatedHeader, options: LocateOptions): Promise<Located> {
  const evidence = new LayoutEvidence(found.header, options.sources);
  const collectors = options.sources.map((_, index) => new ExtentCollector(index));
  let largest = 0;
  for (const [index, source] of options.sources.entries()) {
    largest = Math.max(largest, source.sizeBytes);
    for await (const blocks of scanSource(source, options, found.header.archiveId)) {
      for (const block of blocks) {
        evidence.add(block);
        collectors[index]?.add(block.offset, block.position);
      }
    }
  }
  const layout = evidence.layout(largest);
  if (layout === undefined) {
    throw new HoldfastError('archive.damaged', {
      message: 'the archive is damaged beyond repair: its outline is lost',
    });
  }
  const inside = (extent: Extent) => extent.position + extent.count <= layout.totalBlocks;
  const extents = collectors.flatMap((collector) => collector.extents).filter(inside);
  const guesses = collectors.flatMap((collector, index) =>
    collector.guesses(options.sources[index]!.sizeBytes, layout.totalBlocks),
  );
  const map = new BlockMap(extents, guesses);
  return { ...found, layout, map, inPlace: inPlace(extents, layout, found.header, options.sources), scanned: true };
}

/** Finds an archive in one or more sources that hold it. Throws `archive.not_an_archive`, `archive.ambiguous`, `archive.damaged` and what a header gives. */
export async function locate(options: LocateOptions): Promise<Located> {
  const found = await findHeader(options);
  const { header } = found;
  const nominal = await Promise.all(options.sources.map((source, index) => nominalExtents(source, index, header)));
  const layout = nominal[0]?.layout;
  const alike = nominal.every((one) => one?.layout.totalDataBlocks === layout?.totalDataBlocks);
  if (layout === undefined || !alike) return await locateByScan(found, options);
  const extents = nominal.flatMap((one) => one?.extents ?? []);
  return { ...found, layout, map: new BlockMap(extents), inPlace: true, scanned: false };
}

/** Looks again, by scanning: for when blocks are not where they should be. */
export async function relocate(found: LocatedHeader, options: LocateOptions): Promise<Located> {
  return await locateByScan(found, options);
}
