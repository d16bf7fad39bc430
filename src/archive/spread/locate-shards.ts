import { HoldfastError } from '../../errors.ts';
import { decodeHeader, headerLength } from '../header.ts';
import { asBuffer, blockKind, expectedFrame, hasRightHash, isSealedAs, readFrame } from '../heal/block.ts';
import { blockSizeBytes, bodySizeBytes, frameSizeBytes, Layout } from '../heal/geometry.ts';
import type { LocatedHeader } from '../heal/locate.ts';
import { Shard, type ShardPatience, type ShardSource } from './shard.ts';
import {
  leadBlocks,
  readHeadBlock,
  rowsInShard,
  rowsPerGroup,
  type ShardHead,
  type SpreadShape,
  shardCount,
  shardRows,
} from './shard-format.ts';

/** Blocks at the end of an archive that are looked at where no shard tells how large it is: final headers, and parity before them. */
const lastBlocks = 64;

/** Rows that the longest shard may lack besides, while what an end says of the archive's size is believed. */
const rowsToSpare = 16;

/** What the shards of one archive tell together. */
export interface LocatedShards {
  readonly shape: SpreadShape;
  readonly header: LocatedHeader;
  readonly layout: Layout;
  /** By index; undefined where a shard is missing. */
  readonly shards: readonly (Shard | undefined)[];
  /** Those that are no shard of this archive, or one that is there already, with the reason. */
  readonly foreign: readonly { readonly label: string; readonly reason: string }[];
}

interface Probed {
  readonly source: ShardSource;
  /** Stands in until its index is known. */
  readonly reader: Shard;
  readonly heads: readonly ShardHead[];
  readonly headers: readonly Uint8Array[];
}

/** How shards are looked at. */
export interface LocateShardsOptions extends ShardPatience {
  /** What their names say, for shards whose heads are all lost. */
  readonly shape?: SpreadShape | undefined;
}

function hex(bytes: Uint8Array): string {
  return asBuffer(bytes).toString('hex');
}

/** Reads the leads at the start and the end, and the first rows. */
async function probe(source: ShardSource, options: LocateShardsOptions, isPatient: boolean): Promise<Probed> {
  const reader = new Shard({ ...source, index: source.index ?? -1 }, options);
  const blocks = Math.floor(source.access.sizeBytes / blockSizeBytes);
  const places = [
    [0, leadBlocks + 1],
    [blocks - leadBlocks, leadBlocks],
    [rowsPerGroup + leadBlocks, leadBlocks],
  ] as const;
  const heads: ShardHead[] = [];
  const headers: Uint8Array[] = [];
  for (const [first, count] of places) {
    if (first < 0 || first + count > blocks) continue;
    const bytes = await reader.bytes(first * blockSizeBytes, count * blockSizeBytes, isPatient);
    for (let index = 0; bytes !== undefined && index < count; index += 1) {
      const block = bytes.subarray(index * blockSizeBytes, (index + 1) * blockSizeBytes);
      const head = readHeadBlock(block);
      if (head !== undefined) heads.push(head);
      const header = head === undefined ? headerBody(block) : undefined;
      if (header !== undefined) headers.push(header);
    }
  }
  return { source, reader, heads, headers };
}

function headerBody(block: Buffer): Uint8Array | undefined {
  const kind = readFrame(block)?.kind;
  if (kind !== blockKind.header && kind !== blockKind.final) return undefined;
  const body = block.subarray(frameSizeBytes, frameSizeBytes + bodySizeBytes);
  return headerLength(body) > 0 && hasRightHash(block) ? Uint8Array.from(body) : undefined;
}

/** The value that most have; the first of those where several are equal. */
function mostCommon<Value>(values: readonly Value[], keyOf: (value: Value) => string): Value | undefined {
  const counts = new Map<string, { value: Value; count: number }>();
  for (const value of values) {
    const known = counts.get(keyOf(value)) ?? { value, count: 0 };
    known.count += 1;
    counts.set(keyOf(value), known);
  }
  let best: { value: Value; count: number } | undefined;
  for (const one of counts.values()) if (one.count > (best?.count ?? 0)) best = one;
  return best?.value;
}

function arrangementOf({ archiveId, shape }: ShardHead): string {
  return `${hex(archiveId)}/${shape.data}+${shape.parity}`;
}

/** Of several headers of one archive the newest counts. */
function newestHeader(bodies: readonly Uint8Array[], archiveId: Uint8Array): LocatedHeader | undefined {
  let chosen: LocatedHeader | undefined;
  for (const body of bodies) {
    if (!asBuffer(body.subarray(12, 28)).equals(archiveId)) continue;
    const header = decodeHeader(body);
    if (chosen === undefined || header.generation > chosen.header.generation) chosen = { header, body };
  }
  return chosen;
}

/** What an outline is made of. */
interface Outlined {
  readonly ends: readonly number[];
  readonly header: LocatedHeader;
  readonly shape: SpreadShape;
  readonly shards: LocatedShards['shards'];
}

/** The outline of the archive: by the ends of the shards, else by their sizes where a block that stands at the archive's end bears it out. */
async function layoutOf(outlined: Outlined): Promise<Layout | undefined> {
  const { ends, header, shape, shards } = outlined;
  const rows = Math.max(...shards.map((shard) => (shard === undefined ? 0 : rowsInShard(shard.access.sizeBytes))));
  // Shards that lost more than half of their blocks give no archive back: an end that says more than that would keep readers busy without end.
  const possible = ends.filter((totalBlocks) => totalBlocks <= 2 * (rows + rowsToSpare) * shape.data);
  const told = mostCommon(possible, String);
  const byEnd = told === undefined ? undefined : Layout.fromTotalBlocks(told, header.header);
  if (byEnd !== undefined) return byEnd;
  const fits = (totalBlocks: number) =>
    shards.filter((shard) => {
      return shard !== undefined && rowsInShard(shard.access.sizeBytes) === shardRows(shape, shard.index, totalBlocks);
    }).length;
  const totals = Array.from({ length: Math.min(shape.data, rows * shape.data) }, (_, step) => rows * shape.data - step);
  for (const total of totals.sort((left, right) => fits(right) - fits(left) || right - left)) {
    const layout = Layout.fromTotalBlocks(total, header.header);
    if (layout !== undefined && (await endsSo(layout, outlined))) return layout;
  }
  return undefined;
}

/**
 * Whether one of the last blocks stands where an outline has it: these tell in their frames how much data there is. Sizes alone prove nothing: were they
 * believed, shards that were all cut short would make a shorter archive that looks whole.
 */
async function endsSo(layout: Layout, { header, shape, shards }: Outlined): Promise<boolean> {
  const first = Math.max(0, layout.totalBlocks - lastBlocks);
  for (let position = layout.totalBlocks - 1; position >= first; position -= 1) {
    const frame = expectedFrame(layout, position);
    if (frame.kind !== blockKind.final && frame.kind !== blockKind.parity) return false;
    const block = await shards[position % shape.data]?.rows(Math.floor(position / shape.data), 1, true);
    if (block !== undefined && isSealedAs(block, header.header.archiveId, frame)) return true;
  }
  return false;
}

/**
 * Finds out what archive shards belong to, and which is which. What a shard says of itself goes before its name; of shards of several
 * archives most decide. Throws `archive.damaged` where the archive's header is whole in none, `archive.version_unsupported`.
 */
export async function locateShards(
  sources: readonly ShardSource[],
  options: LocateShardsOptions,
): Promise<LocatedShards> {
  let probed = await Promise.all(sources.map((source) => probe(source, options, false)));
  if (!probed.some(({ heads }) => heads.length > 0)) {
    probed = await Promise.all(sources.map((source) => probe(source, options, true)));
  }
  const first = probed.flatMap(({ heads }) => heads.slice(0, 1));
  const chosen = mostCommon(first, arrangementOf);
  const shape = chosen?.shape ?? options.shape;
  const archiveId =
    chosen?.archiveId ??
    mostCommon(
      probed.flatMap(({ headers }) => headers.map((body) => body.subarray(12, 28))),
      hex,
    );
  if (shape === undefined || archiveId === undefined) throw nothingWhole(probed);
  const shards: (Shard | undefined)[] = Array.from({ length: shardCount(shape) }, () => undefined);
  const foreign: { label: string; reason: string }[] = [];
  for (const { source, heads, reader } of probed) {
    const { label, access } = source;
    const own = heads.find((head) => chosen !== undefined && arrangementOf(head) === arrangementOf(chosen));
    const other = own === undefined ? heads[0] : undefined;
    const index = own?.index ?? source.index;
    if (other !== undefined) foreign.push({ label, reason: `it is of the archive ${hex(other.archiveId)}` });
    else if (index === undefined || index >= shards.length)
      foreign.push({ label, reason: 'it does not tell which shard it is' });
    else if (shards[index] !== undefined && own === undefined)
      foreign.push({ label, reason: `shard ${index + 1} is there twice` });
    else {
      const before = shards[index];
      if (before !== undefined) foreign.push({ label: before.label, reason: `shard ${index + 1} is there twice` });
      const shard = new Shard({ access, label, index }, options);
      shard.isSlow = reader.isSlow;
      shard.failure = reader.failure;
      shards[index] = shard;
    }
  }
  const header = newestHeader(
    probed.flatMap(({ headers }) => headers),
    archiveId,
  );
  if (header === undefined) throw nothingWhole(probed);
  const ends = probed
    .flatMap(({ heads }) => heads)
    .filter((head) => chosen !== undefined && arrangementOf(head) === arrangementOf(chosen));
  const told = ends.flatMap(({ totalBlocks }) => totalBlocks ?? []);
  const layout = await layoutOf({ ends: told, header, shape, shards });
  if (layout === undefined) throw nothingWhole(probed);
  return { shape, header, layout, shards, foreign };
}

/** A storage that does not answer may hold what is wanted: then nothing is lost yet. */
function nothingWhole(probed: readonly Probed[]): unknown {
  const failed = probed.find(({ reader }) => reader.failure !== undefined);
  if (failed?.reader.failure !== undefined) return failed.reader.failure.error;
  return new HoldfastError('archive.damaged', {
    message: 'the archive is damaged beyond repair: no shard has a whole head and header',
  });
}
