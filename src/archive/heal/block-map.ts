import { blockSizeBytes } from './geometry.ts';

/** Consecutive blocks at consecutive places of one source; single ones may be damaged. */
export interface Extent {
  /** Index of the source. */
  readonly source: number;
  /** Where in the source the first of them begins. */
  readonly offset: number;
  /** Position of the first of them in its copy. */
  readonly position: number;
  readonly count: number;
}

/** A layer is read as one bit of a block's state. */
export const maximumLayers = 16;

/** Spreads extents over layers in which no position stands twice; what more layers than are read would hold is left out. */
function layered(extents: readonly Extent[]): Extent[][] {
  const layers: Extent[][] = [];
  const ends: number[] = [];
  for (const extent of [...extents].sort((a, b) => a.position - b.position)) {
    let layer = ends.findIndex((end) => end <= extent.position);
    if (layer === -1 && layers.length === maximumLayers) continue;
    if (layer === -1) layer = layers.push([]) - 1;
    layers[layer]?.push(extent);
    ends[layer] = extent.position + extent.count;
  }
  return layers;
}

/**
 * Where the blocks of an archive lie: layers of extents, each layer at most one place for a position. In an archive that was not moved
 * about a layer is a copy.
 */
export class BlockMap {
  readonly layers: readonly (readonly Extent[])[];
  /** The first layers, in which each block of the sources stands once; those behind hold guesses. */
  readonly primaryLayers: number;

  /** `guesses` are places where a block may lie by what lies beside it; they are read last. */
  constructor(extents: readonly Extent[], guesses: readonly Extent[] = []) {
    const primary = layered(extents);
    this.primaryLayers = primary.length;
    this.layers = [...primary, ...layered(guesses)].slice(0, maximumLayers);
  }

  /** The same map with further guesses. */
  withGuesses(guesses: readonly Extent[]): BlockMap {
    return new BlockMap(this.layers.slice(0, this.primaryLayers).flat(), [
      ...this.layers.slice(this.primaryLayers).flat(),
      ...guesses,
    ]);
  }

  /** The extents of a layer that meet a range of positions, cut to it. */
  *within(layer: number, first: number, count: number): Generator<Extent> {
    const extents = this.layers[layer] ?? [];
    for (let index = firstReaching(extents, first); index < extents.length; index++) {
      const extent = extents[index] as Extent;
      if (extent.position >= first + count) return;
      const start = Math.max(extent.position, first);
      const end = Math.min(extent.position + extent.count, first + count);
      const offset = extent.offset + (start - extent.position) * blockSizeBytes;
      yield { source: extent.source, offset, position: start, count: end - start };
    }
  }
}

/** Index of the first extent that ends behind `position`. */
function firstReaching(extents: readonly Extent[], position: number): number {
  let low = 0;
  let high = extents.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const extent = extents[middle] as Extent;
    if (extent.position + extent.count <= position) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Gathers found blocks, in the order of their offsets, into extents that bridge damage. */
export class ExtentCollector {
  readonly extents: { source: number; offset: number; position: number; count: number }[] = [];
  readonly #source: number;

  constructor(source: number) {
    this.#source = source;
  }

  add(offset: number, position: number): void {
    const last = this.extents.at(-1);
    const blocks = last === undefined ? -1 : (offset - last.offset) / blockSizeBytes;
    if (last !== undefined && blocks === position - last.position && blocks >= last.count) last.count = blocks + 1;
    else this.extents.push({ source: this.#source, offset, position, count: 1 });
  }

  /** Places before and behind the extents where, by their neighbours, further blocks may lie. */
  guesses(sourceSizeBytes: number, totalBlocks: number): Extent[] {
    const guesses: Extent[] = [];
    for (const [index, extent] of this.extents.entries()) {
      const previous = this.extents[index - 1];
      const gapStart = previous === undefined ? 0 : previous.offset + previous.count * blockSizeBytes;
      const before = Math.min(Math.floor((extent.offset - gapStart) / blockSizeBytes), extent.position);
      if (before > 0) {
        const offset = extent.offset - before * blockSizeBytes;
        guesses.push({ source: extent.source, offset, position: extent.position - before, count: before });
      }
      const end = extent.offset + extent.count * blockSizeBytes;
      const gapEnd = this.extents[index + 1]?.offset ?? sourceSizeBytes;
      const next = extent.position + extent.count;
      const behind = Math.min(Math.floor((gapEnd - end) / blockSizeBytes), totalBlocks - next);
      if (behind > 0) guesses.push({ source: extent.source, offset: end, position: next, count: behind });
    }
    return guesses;
  }
}
