import { asBuffer } from '../../bytes.ts';
import {
  archiveIdSizeBytes,
  blockKind,
  expectedFrame,
  hasRightHash,
  isIntactDataBody,
  isSealedAs,
  readFrame,
  shardBlockKind,
} from '../heal/block.ts';
import {
  bandGeometry,
  blockSizeBytes,
  bodySizeBytes,
  frameSizeBytes,
  headerReplicas,
  Layout,
  stripesPerBand,
} from '../heal/geometry.ts';
import type { LocatedHeader } from '../heal/locate.ts';
import { mostFrequent } from './most-frequent.ts';
import { RowCode } from './row-code.ts';
import type { Shard } from './shard.ts';
import { rowsInShard, type SpreadShape, shapeMark, shardCount } from './shard-format.ts';

/** Sizes of shards behind which the archive's end is looked for; where shards are of more sizes than that, most of them are wrong. */
const mostSizes = 8;
/** Blocks of the archive whose rows are read at once. */
const blocksAtOnce = 128;

/** Shards of one archive, none of which tells how long it is. */
export interface EndlessShards {
  readonly header: LocatedHeader;
  readonly shape: SpreadShape;
  /** By index; undefined where a shard is missing. */
  readonly shards: readonly (Shard | undefined)[];
}

/** A row as far as its blocks are whole, by index of the shard: bodies, null where one stands for zeros. */
type Row = readonly (Buffer | null | undefined)[];

/**
 * The outline of an archive by its last blocks, where no shard's end is left; undefined where they do not tell. The sizes of shards say where to
 * look, and no more: were they believed, shards that were all cut short would make a shorter archive that looks whole. A final header tells the
 * outline, and a parity block of a band that is not full: only the last one is not. Where all of these are in missing shards, the code
 * across shards tells where the data of such a band ends. At most eight sizes are tried, of each as many blocks as a band's parity has.
 */
export async function layoutByLastBlocks(set: EndlessShards): Promise<Layout | undefined> {
  const { header, shape, shards } = set;
  const rowCounts = shards.flatMap((shard) => (shard === undefined ? [] : [rowsInShard(shard.access.sizeBytes)]));
  const reachBlocks = stripesPerBand * header.header.parityBlocks + 2 * headerReplicas;
  const reachRows = Math.ceil(reachBlocks / shape.data) + 2;
  const code = new RowCode(shape);
  const tried: number[] = [];
  for (let left = rowCounts.sort((one, other) => other - one); left.length > 0 && tried.length < mostSizes; ) {
    const rows = mostFrequent(left, String) ?? 0;
    left = left.filter((count) => count !== rows);
    // A row more or less is no other place.
    if (tried.some((other) => Math.abs(other - rows) <= 1)) continue;
    tried.push(rows);
    const layout = await new Walk(set, code).back(rows + 1, Math.max(0, rows - reachRows));
    if (layout !== undefined) return layout;
  }
  return undefined;
}

/** Goes back from the end of shards, row by row. */
class Walk {
  readonly #set: EndlessShards;
  readonly #code: RowCode;
  readonly #fullBandData: number;
  readonly #fullBandBlocks: number;
  /** Whether the block behind the one that is looked at is known, and holds no data. */
  #isOtherBehind = false;
  /** What the code across shards tells. */
  #solved: Layout | undefined;

  constructor(set: EndlessShards, code: RowCode) {
    this.#set = set;
    this.#code = code;
    this.#fullBandData = stripesPerBand * set.header.header.dataBlocks;
    this.#fullBandBlocks = bandGeometry(this.#fullBandData, set.header.header).blocks;
  }

  async back(endRow: number, firstRow: number): Promise<Layout | undefined> {
    const rowsAtOnce = Math.max(1, Math.floor(blocksAtOnce / this.#set.shape.data));
    for (let end = endRow; end > firstRow; end -= rowsAtOnce) {
      const start = Math.max(firstRow, end - rowsAtOnce);
      const read = await Promise.all(this.#set.shards.map((shard) => shard?.rows(start, end - start, true)));
      const told: Layout[] = [];
      for (let row = end - 1; row >= start; row -= 1) {
        const offset = (row - start) * blockSizeBytes;
        const blocks = read.map((bytes) => bytes?.subarray(offset, offset + blockSizeBytes));
        told.push(...this.#toldBy(blocks, row));
        if (told.length === 0) this.#solve(blocks, row, endRow - 1);
      }
      const layout = mostFrequent(told, ({ totalBlocks }) => String(totalBlocks)) ?? this.#solved;
      if (layout !== undefined) return layout;
    }
    return undefined;
  }

  /** The outlines that final headers and parity of a row tell in their frames. */
  #toldBy(blocks: readonly (Buffer | undefined)[], row: number): Layout[] {
    const { header, shape } = this.#set;
    return blocks.slice(0, shape.data).flatMap((block, index) => {
      const frame = block && readFrame(block);
      const position = row * shape.data + index;
      if (block === undefined || frame?.position !== position) return [];
      const { kind, ordinal, bandDataBlocks } = frame;
      const layout =
        kind === blockKind.final
          ? Layout.fromFinalBlock(position, ordinal, header.header)
          : kind === blockKind.parity
            ? this.#endingIn(Math.floor(position / this.#fullBandBlocks), bandDataBlocks)
            : undefined;
      const isSo = layout && isSealedAs(block, header.header.archiveId, expectedFrame(layout, position));
      return isSo ? [layout] : [];
    });
  }

  /** The outline of an archive whose last band has so many data blocks; undefined for a full band, which may be any. */
  #endingIn(band: number, bandDataBlocks: number): Layout | undefined {
    if (bandDataBlocks < 1 || bandDataBlocks >= this.#fullBandData) return undefined;
    return new Layout(band * this.#fullBandData + bandDataBlocks, this.#set.header.header);
  }

  /** Looks for the last data block of a band in a row, blocks that only the other shards give included. */
  #solve(blocks: readonly (Buffer | undefined)[], row: number, rowsBySize: number): void {
    const { header, shape } = this.#set;
    const { archiveId } = header.header;
    const bodies = this.#wholeBodies(blocks, row);
    const isMissing = (index: number) => bodies[index] === undefined;
    const all = Array.from({ length: shardCount(shape) }, (_, index) => index);
    const known = all.filter((index) => !isMissing(index)).slice(0, shape.data);
    const wanted = all.slice(0, shape.data).filter(isMissing);
    const isKnown = wanted.length === 0 || known.length === shape.data;
    const solved =
      isKnown && wanted.length > 0
        ? this.#code.solve(
            known,
            known.map((index) => bodies[index] ?? undefined),
            wanted,
          )
        : [];
    for (let index = shape.data - 1; index >= 0; index -= 1) {
      const position = row * shape.data + index;
      const body = bodies[index] ?? solved[wanted.indexOf(index)];
      const isData = body !== undefined && isIntactDataBody(body, archiveId, position);
      if (isData && this.#isOtherBehind) {
        const band = Math.floor(position / this.#fullBandBlocks);
        const layout = this.#endingIn(band, position - band * this.#fullBandBlocks - headerReplicas + 1);
        // An archive that leaves out what is there would lose it.
        if (layout !== undefined && Math.ceil(layout.totalBlocks / shape.data) >= rowsBySize) this.#solved ??= layout;
      }
      this.#isOtherBehind = !isData && (isKnown || !isMissing(index));
    }
  }

  /** What the blocks of a row say of themselves, whatever the outline is. */
  #wholeBodies(blocks: readonly (Buffer | undefined)[], row: number): Row {
    const { header, shape } = this.#set;
    const { archiveId } = header.header;
    const mark = shapeMark(shape);
    return blocks.map((block, index) => {
      if (block === undefined) return undefined;
      const body = block.subarray(frameSizeBytes, frameSizeBytes + bodySizeBytes);
      if (index >= shape.data) {
        const ordinal = index - shape.data;
        const frame = { position: row, bandDataBlocks: mark, kind: shardBlockKind.parity, ordinal };
        return isSealedAs(block, archiveId, frame) ? body : undefined;
      }
      const frame = readFrame(block);
      const isOwn = asBuffer(archiveId).compare(block, 0, archiveIdSizeBytes) === 0;
      if (!isOwn || frame?.position !== row * shape.data + index || !hasRightHash(block)) return undefined;
      return frame.kind === blockKind.header || frame.kind === blockKind.final ? null : body;
    });
  }
}
