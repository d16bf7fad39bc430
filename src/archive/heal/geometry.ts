/** Blocks, bands and stripes: `docs/format.md` sections 2 and 3. */

export const blockSizeBytes = 4096;
export const frameSizeBytes = 32;
export const hashSizeBytes = 16;
/** The part of a block that parity covers. */
export const bodySizeBytes = blockSizeBytes - frameSizeBytes - hashSizeBytes;
/** What a data block carries: its body less the inner hash. */
export const payloadSizeBytes = bodySizeBytes - hashSizeBytes;
export const headerReplicas = 3;
export const stripesPerBand = 64;

/** K and M of the format: data and parity blocks of a full stripe. */
export interface StripeShape {
  readonly dataBlocks: number;
  readonly parityBlocks: number;
}

export interface BandGeometry {
  /** S: stripes of the band. */
  readonly stripes: number;
  /** k: data blocks of its longest stripe. */
  readonly longest: number;
  /** m: parity rows of each stripe. */
  readonly parityRows: number;
  /** Blocks of the band: headers, data and parity. */
  readonly blocks: number;
}

/** The stripes of a band with `bandDataBlocks` (D, 1 to 64K) data blocks. */
export function bandGeometry(bandDataBlocks: number, shape: StripeShape): BandGeometry {
  const { dataBlocks, parityBlocks } = shape;
  const stripes = bandDataBlocks <= dataBlocks ? 1 : bandDataBlocks <= 8 * dataBlocks ? 8 : stripesPerBand;
  const longest = Math.ceil(bandDataBlocks / stripes);
  const parityRows = Math.min(parityBlocks, Math.max(2, Math.ceil((longest * parityBlocks) / dataBlocks) + 4));
  return { stripes, longest, parityRows, blocks: headerReplicas + bandDataBlocks + stripes * parityRows };
}

/** Where a position lies in a copy. */
export type Place =
  | { readonly kind: 'header'; readonly band: number; readonly ordinal: number }
  | { readonly kind: 'data'; readonly band: number; readonly index: number }
  | { readonly kind: 'parity'; readonly band: number; readonly index: number }
  | { readonly kind: 'final'; readonly ordinal: number };

/** The outline of one copy with T data blocks. */
export class Layout {
  readonly shape: StripeShape;
  readonly totalDataBlocks: number;
  readonly bands: number;
  /** N: blocks of a copy. */
  readonly totalBlocks: number;
  readonly #fullBandData: number;
  readonly #fullBandBlocks: number;

  constructor(totalDataBlocks: number, shape: StripeShape) {
    this.shape = shape;
    this.totalDataBlocks = totalDataBlocks;
    this.#fullBandData = stripesPerBand * shape.dataBlocks;
    this.#fullBandBlocks = bandGeometry(this.#fullBandData, shape).blocks;
    this.bands = Math.ceil(totalDataBlocks / this.#fullBandData);
    const last = bandGeometry(this.bandDataBlocks(this.bands - 1), shape).blocks;
    this.totalBlocks = (this.bands - 1) * this.#fullBandBlocks + last + headerReplicas;
  }

  /** D of a band. */
  bandDataBlocks(band: number): number {
    return band < this.bands - 1 ? this.#fullBandData : this.totalDataBlocks - band * this.#fullBandData;
  }

  bandGeometry(band: number): BandGeometry {
    return bandGeometry(this.bandDataBlocks(band), this.shape);
  }

  /** Position of a band's first header block. */
  bandPosition(band: number): number {
    return band * this.#fullBandBlocks;
  }

  /** Position of data block `number` of the whole sealed stream. */
  dataPosition(number: number): number {
    const band = Math.floor(number / this.#fullBandData);
    return this.bandPosition(band) + headerReplicas + (number - band * this.#fullBandData);
  }

  parityPosition(band: number, index: number): number {
    return this.bandPosition(band) + headerReplicas + this.bandDataBlocks(band) + index;
  }

  finalPosition(ordinal: number): number {
    return this.totalBlocks - headerReplicas + ordinal;
  }

  place(position: number): Place {
    if (position >= this.totalBlocks - headerReplicas)
      return { kind: 'final', ordinal: position - this.finalPosition(0) };
    const band = Math.floor(position / this.#fullBandBlocks);
    const inBand = position - this.bandPosition(band);
    if (inBand < headerReplicas) return { kind: 'header', band, ordinal: inBand };
    const index = inBand - headerReplicas;
    const bandData = this.bandDataBlocks(band);
    return index < bandData ? { kind: 'data', band, index } : { kind: 'parity', band, index: index - bandData };
  }

  /** Number of the first data block of a band in the sealed stream. */
  bandFirstData(band: number): number {
    return band * this.#fullBandData;
  }

  /** The layout whose copies have `totalBlocks` blocks, or undefined where no T gives that. */
  static fromTotalBlocks(totalBlocks: number, shape: StripeShape): Layout | undefined {
    const fullBandData = stripesPerBand * shape.dataBlocks;
    const fullBandBlocks = bandGeometry(fullBandData, shape).blocks;
    const fullBands = Math.floor((totalBlocks - headerReplicas - 1) / fullBandBlocks);
    if (fullBands < 0) return undefined;
    const rest = totalBlocks - headerReplicas - fullBands * fullBandBlocks;
    if (rest === fullBandBlocks) return new Layout((fullBands + 1) * fullBandData, shape);
    let low = 1;
    let high = fullBandData;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (bandGeometry(middle, shape).blocks < rest) low = middle + 1;
      else high = middle;
    }
    if (bandGeometry(low, shape).blocks !== rest) return undefined;
    return new Layout(fullBands * fullBandData + low, shape);
  }

  /** The layout whose last full-known position is implied by a final header block at `position` with this ordinal. */
  static fromFinalBlock(position: number, ordinal: number, shape: StripeShape): Layout | undefined {
    return Layout.fromTotalBlocks(position - ordinal + headerReplicas, shape);
  }
}
