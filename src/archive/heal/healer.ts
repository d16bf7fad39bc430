import assert from 'node:assert/strict';
import { Limiter } from '../worker/ordered.ts';
import type { ArchiveWorkers } from '../worker/worker-pool.ts';
import { bandGeometry, blockSizeBytes, type Layout } from './geometry.ts';

export interface HealerOptions {
  readonly layout: Layout;
  readonly layers: number;
  readonly workers: ArchiveWorkers;
  /** Reads one block as a layer has it. */
  readonly read: (layer: number, position: number, into: Uint8Array) => Promise<void>;
  readonly has: (layer: number, position: number) => boolean;
}

type Payload = Uint8Array | undefined;

/** What a stripe gave: payloads by data block number; a block that is not in it was intact somewhere. */
type SolvedStripe = Map<number, Payload>;

/** Solves stripes, each once, and keeps what they gave while their band is read. */
export class Healer {
  readonly #options: HealerOptions;
  readonly #stripes = new Map<string, Promise<SolvedStripe>>();
  readonly #limiter: Limiter;
  #band = -1;

  constructor(options: HealerOptions) {
    this.#options = options;
    this.#limiter = new Limiter(options.workers.threadCount + 1);
  }

  /** Payloads of data blocks that are intact in no layer; undefined for those that are lost. */
  async heal(numbers: readonly number[]): Promise<Map<number, Payload>> {
    const { layout } = this.#options;
    const solved = new Map<number, Payload>();
    const parts = numbers.map(async (number) => {
      const place = layout.place(layout.dataPosition(number));
      assert(place.kind === 'data', 'a data block has the place of another');
      const { stripes } = layout.bandGeometry(place.band);
      solved.set(number, (await this.#stripe(place.band, place.index % stripes)).get(number));
    });
    await Promise.all(parts);
    return solved;
  }

  #stripe(band: number, stripe: number): Promise<SolvedStripe> {
    // Two bands are kept, as work goes on at the border of two; another is solved again.
    if (band !== this.#band) {
      for (const key of this.#stripes.keys()) {
        if (!key.startsWith(`${this.#band}/`) && !key.startsWith(`${band}/`)) this.#stripes.delete(key);
      }
      this.#band = band;
    }
    const key = `${band}/${stripe}`;
    const known = this.#stripes.get(key);
    if (known !== undefined) return known;
    const solving = this.#limiter.run(() => this.#solve(band, stripe));
    this.#stripes.set(key, solving);
    return solving;
  }

  async #solve(band: number, stripe: number): Promise<SolvedStripe> {
    const { layout, layers, workers, has } = this.#options;
    const bandData = layout.bandDataBlocks(band);
    const { stripes, parityRows } = bandGeometry(bandData, layout.shape);
    const numbers: number[] = [];
    for (let index = stripe; index < bandData; index += stripes) numbers.push(layout.bandFirstData(band) + index);
    const positions = numbers.map((number) => layout.dataPosition(number));
    for (let row = 0; row < parityRows; row++) positions.push(layout.parityPosition(band, row * stripes + stripe));
    const blocks = new Uint8Array(new SharedArrayBuffer(layers * positions.length * blockSizeBytes));
    const present = new Uint8Array(layers * positions.length);
    for (let layer = 0; layer < layers; layer++) {
      const reads = positions.map(async (position, index) => {
        const slot = layer * positions.length + index;
        if (!has(layer, position)) return;
        present[slot] = 1;
        await this.#options.read(layer, position, blocks.subarray(slot * blockSizeBytes, (slot + 1) * blockSizeBytes));
      });
      await Promise.all(reads);
    }
    const dataCount = numbers.length;
    const result = await workers.run('solve', { positions, dataCount, parityRows, blocks, layers, present });
    return new Map(result.solved.map(({ index, payload }) => [numbers[index]!, payload]));
  }
}
