import { BufferPool } from '../worker/buffer-pool.ts';
import { freeMemory } from '../worker/free-memory.ts';
import type { WorkerPool } from '../worker/worker-pool.ts';
import { blockKind, headerBlocks } from './block.ts';
import {
  blockSizeBytes,
  frameSizeBytes,
  headerReplicas,
  Layout,
  payloadSizeBytes,
  type StripeShape,
  stripesPerBand,
} from './geometry.ts';

/** Blocks that a worker frames at once: 2 MiB. */
const windowBlocks = 512;
const windowsInFlight = 3;

/** Blocks whose payloads are being filled in, where they will stand when they are framed. */
interface Window {
  readonly buffer: Uint8Array;
  readonly capacityBlocks: number;
  filledBytes: number;
  readonly lost: number[];
}

export interface BlockWriterOptions {
  readonly workers: WorkerPool;
  readonly archiveId: Uint8Array;
  readonly shape: StripeShape;
  /** The header as it is repeated. */
  readonly header: Uint8Array;
  /** Takes the bytes of a copy in order; the memory is used again once the promise is settled. */
  readonly sink: (bytes: Uint8Array) => Promise<void>;
}

/**
 * Cuts the sealed stream into blocks, bands and parity, and writes one copy of them: `docs/format.md` sections 2 to 4.
 * Memory: `windowsInFlight` windows, and the parity of two bands.
 */
export class BlockWriter {
  readonly #options: BlockWriterOptions;
  readonly #windows = new BufferPool({ count: windowsInFlight, sizeBytes: windowBlocks * blockSizeBytes });
  readonly #fullBandData: number;
  #window: Window | undefined;
  /** Data blocks handed to workers. */
  #totalData = 0;
  #position = 0;
  #bandData = 0;
  #bandParity: Promise<unknown>;
  #output: Promise<void> = Promise.resolve();

  constructor(options: BlockWriterOptions) {
    this.#options = options;
    this.#fullBandData = stripesPerBand * options.shape.dataBlocks;
    this.#bandParity = options.workers.broadcast('resetParity', undefined);
    // The error is seen where the first band begins.
    this.#bandParity.catch(() => undefined);
  }

  /** Wakes all who wait: the run has failed elsewhere. */
  fail(error: unknown): void {
    this.#windows.fail(error);
  }

  /** Appends to the sealed stream. The memory may be used again once the promise is settled. */
  async append(bytes: Uint8Array): Promise<void> {
    let taken = 0;
    while (taken < bytes.length) {
      const window = this.#window ?? (await this.#begin());
      taken += fillPayload(window, bytes.subarray(taken));
      if (window.filledBytes === window.capacityBlocks * payloadSizeBytes) this.#flush(window);
    }
  }

  /** Marks the next payload as lost: its block stays zero. Only for a stream that is appended payload by payload. */
  async appendLost(): Promise<void> {
    const window = this.#window ?? (await this.#begin());
    window.lost.push(window.filledBytes / payloadSizeBytes);
    await this.append(new Uint8Array(payloadSizeBytes));
  }

  /** Writes what is left and the final headers. The stream's length must be a whole number of payloads. */
  async finish(): Promise<Layout> {
    if (this.#window !== undefined) this.#flush(this.#window);
    const lastBandData = this.#bandData === 0 ? this.#fullBandData : this.#bandData;
    if (this.#bandData > 0) this.#endBand();
    this.#writeHeaders(blockKind.final, lastBandData);
    await this.#output;
    return new Layout(this.#totalData, this.#options.shape);
  }

  async #begin(): Promise<Window> {
    if (this.#bandData === 0) {
      // Only one band's parity is made at a time, so that its memory is bounded.
      await this.#bandParity;
      this.#writeHeaders(blockKind.header, 0);
    }
    const buffer = await this.#windows.acquire();
    const capacityBlocks = Math.min(windowBlocks, this.#fullBandData - this.#bandData);
    this.#window = { buffer, capacityBlocks, filledBytes: 0, lost: [] };
    return this.#window;
  }

  #flush(window: Window): void {
    this.#window = undefined;
    const { buffer, lost } = window;
    const count = Math.ceil(window.filledBytes / payloadSizeBytes);
    const task = { firstPosition: this.#position, firstIndex: this.#bandData, count, lost, blocks: buffer };
    const framed = this.#options.workers.run('frame', task);
    this.#write(
      framed.then(() => buffer.subarray(0, count * blockSizeBytes)),
      () => this.#windows.release(buffer),
    );
    this.#position += count;
    this.#bandData += count;
    this.#totalData += count;
    if (this.#bandData === this.#fullBandData) this.#endBand();
  }

  #endBand(): void {
    const { workers, shape } = this.#options;
    const bandDataBlocks = this.#bandData;
    const firstPosition = this.#position;
    const parity = workers.broadcast('takeParity', { bandDataBlocks }).then((partials) =>
      workers.run(
        'finishParity',
        { partials, bandDataBlocks, firstPosition },
        partials.map((partial) => partial.buffer as ArrayBuffer),
      ),
    );
    this.#bandParity = parity;
    this.#write(parity, (blocks) => freeMemory(blocks));
    this.#position += new Layout(bandDataBlocks, shape).totalBlocks - 2 * headerReplicas - bandDataBlocks;
    this.#bandData = 0;
  }

  #writeHeaders(kind: typeof blockKind.header | typeof blockKind.final, bandDataBlocks: number): void {
    const { archiveId, header } = this.#options;
    const blocks = headerBlocks({ archiveId, header, position: this.#position, kind, bandDataBlocks });
    this.#write(Promise.resolve(blocks), () => undefined);
    this.#position += headerReplicas;
  }

  /** Writes what a promise gives, after all that was queued before. */
  #write(bytes: Promise<Uint8Array>, release: (written: Uint8Array) => void): void {
    const before = this.#output;
    this.#output = (async () => {
      await before;
      const ready = await bytes;
      await this.#options.sink(ready);
      release(ready);
    })();
    // The error is seen where the output is awaited; until then it wakes those who wait for room.
    bytes.catch(() => undefined);
    this.#output.catch((error: unknown) => this.fail(error));
  }
}

/** Copies bytes to where payloads stand in the window's blocks, as many as there is room for; gives how many. */
function fillPayload(window: Window, bytes: Uint8Array): number {
  let taken = 0;
  let block = Math.floor(window.filledBytes / payloadSizeBytes);
  let filled = window.filledBytes - block * payloadSizeBytes;
  while (taken < bytes.length && block < window.capacityBlocks) {
    const length = Math.min(bytes.length - taken, payloadSizeBytes - filled);
    window.buffer.set(bytes.subarray(taken, taken + length), block * blockSizeBytes + frameSizeBytes + filled);
    taken += length;
    block++;
    filled = 0;
  }
  window.filledBytes += taken;
  return taken;
}
