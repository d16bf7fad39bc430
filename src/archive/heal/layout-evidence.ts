import type { Header } from '../header.ts';
import type { RandomAccess } from '../random-access.ts';
import type { FoundBlock } from '../worker/protocol.ts';
import { blockKind } from './block.ts';
import { bandGeometry, blockSizeBytes, Layout, stripesPerBand } from './geometry.ts';

/** A 64th of a copy is enough to tell how large it was. */
const believedFactor = 64;

/** What the frames of found blocks tell of the layout. */
export class LayoutEvidence {
  /** Layouts by T, with the number of final header blocks that tell of each. */
  readonly #finals = new Map<number, { readonly layout: Layout; votes: number }>();
  #lastParity: Layout | undefined;
  #highestPosition = -1;
  readonly #header: Header;

  /** A block's hash has no key: one that claims far more than the sources could have held is not believed. */
  readonly #believedBlocks: number;

  constructor(header: Header, sources: readonly RandomAccess[]) {
    this.#header = header;
    const sizeBytes = sources.reduce((sum, source) => sum + source.sizeBytes, 0);
    this.#believedBlocks = Math.ceil(sizeBytes / blockSizeBytes) * believedFactor;
  }

  add(block: FoundBlock): void {
    const { dataBlocks } = this.#header;
    if (block.position >= this.#believedBlocks) return;
    if (block.kind === blockKind.final) {
      const layout = Layout.fromFinalBlock(block.position, block.ordinal, this.#header);
      if (layout === undefined) return;
      const known = this.#finals.get(layout.totalDataBlocks) ?? { layout, votes: 0 };
      known.votes++;
      this.#finals.set(layout.totalDataBlocks, known);
    } else if (block.kind === blockKind.parity && block.position > this.#highestPosition) {
      const fullData = stripesPerBand * dataBlocks;
      const band = Math.floor(block.position / bandGeometry(fullData, this.#header).blocks);
      const { bandDataBlocks } = block;
      if (bandDataBlocks >= 1 && bandDataBlocks <= fullData) {
        this.#lastParity = new Layout(band * fullData + bandDataBlocks, this.#header);
      }
    }
    this.#highestPosition = Math.max(this.#highestPosition, block.position);
  }

  layout(sizeBytes: number): Layout | undefined {
    const { copies } = this.#header;
    const bySize = Layout.fromTotalBlocks(Math.round(sizeBytes / blockSizeBytes / copies), this.#header);
    const fits = (layout: Layout | undefined) =>
      layout && layout.totalBlocks > this.#highestPosition ? layout : undefined;
    let final: { readonly layout: Layout; readonly votes: number } | undefined;
    for (const one of this.#finals.values()) if (one.votes > (final?.votes ?? 0)) final = one;
    return final?.layout ?? fits(this.#lastParity) ?? fits(bySize);
  }
}
