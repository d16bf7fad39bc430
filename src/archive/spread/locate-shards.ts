import { asBuffer } from '../../bytes.ts';
import { HoldfastError } from '../../errors.ts';
import { decodeHeader, headerLength } from '../header.ts';
import { blockKind, hasRightHash, readFrame } from '../heal/block.ts';
import { blockSizeBytes, bodySizeBytes, frameSizeBytes, Layout } from '../heal/geometry.ts';
import type { LocatedHeader } from '../heal/locate.ts';
import { type EndlessShards, layoutByLastBlocks } from './last-blocks.ts';
import { mostFrequent } from './most-frequent.ts';
import { Shard, type ShardPatience, type ShardSource } from './shard.ts';
import {
  leadBlocks,
  readHeadBlock,
  rowsInShard,
  rowsPerGroup,
  type ShardHead,
  type SpreadShape,
  shardCount,
} from './shard-format.ts';

/** So short is no shard that its end could not tell the truth of it. */
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

/** Whether a header is there, and an end. */
function isEnoughIn(probed: readonly Probed[]): boolean {
  const isEnd = ({ totalBlocks }: ShardHead) => totalBlocks !== undefined;
  return probed.some(({ headers }) => headers.length > 0) && probed.some(({ heads }) => heads.some(isEnd));
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

/** The outline of the archive: by the ends of the shards, else by its last blocks. */
async function layoutOf(ends: readonly number[], set: EndlessShards): Promise<Layout | undefined> {
  const { header, shape, shards } = set;
  const rows = Math.max(...shards.map((shard) => (shard === undefined ? 0 : rowsInShard(shard.access.sizeBytes))));
  // Shards that lost more than half of their blocks give no archive back: an end that says more than that would keep readers busy without end.
  const possible = ends.filter((totalBlocks) => totalBlocks <= 2 * (rows + rowsToSpare) * shape.data);
  // Of as many the longest: a shorter archive that looks whole would be written anew.
  const told = mostFrequent(
    possible.sort((one, other) => other - one),
    String,
  );
  const byEnd = told === undefined ? undefined : Layout.fromTotalBlocks(told, header.header);
  return byEnd ?? (await layoutByLastBlocks(set));
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
  } else if (!isEnoughIn(probed)) {
    probed = await Promise.all(probed.map((one) => (one.reader.isSlow ? probe(one.source, options, true) : one)));
  }
  const first = probed.flatMap(({ heads }) => heads.slice(0, 1));
  const chosen = mostFrequent(first, arrangementOf);
  const shape = chosen?.shape ?? options.shape;
  const archiveId =
    chosen?.archiveId ??
    mostFrequent(
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
  const layout = await layoutOf(told, { header, shape, shards });
  if (layout === undefined) {
    throw beyondRepair(shards, 'no shard has a whole end, and none of its last blocks tells how long it was');
  }
  return { shape, header, layout, shards, foreign };
}

/** A storage that does not answer may hold what is wanted: then nothing is lost yet, and its error counts. */
function beyondRepair(readers: readonly (Shard | undefined)[], reason: string): unknown {
  const failed = readers.find((reader) => reader?.failure !== undefined);
  if (failed?.failure !== undefined) return failed.failure.error;
  return new HoldfastError('archive.damaged', { message: `the archive is damaged beyond repair: ${reason}` });
}

function nothingWhole(probed: readonly Probed[]): unknown {
  return beyondRepair(
    probed.map(({ reader }) => reader),
    'no shard has a whole head and header',
  );
}
