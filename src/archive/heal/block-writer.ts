import { BufferPool } from '../worker/buffer-pool.ts';
import type { WorkerPool } from '../worker/worker-pool.ts';
import { blockKind, headerBlocks } from './block.ts';
import {
  blockSizeBytes,
  headerReplicas,
  Layout,
  payloadSizeBytes,
  type StripeShape,
  stripesPerBand,
} from './geometry.ts';

/** Blocks that a worker frames at once: about 1 MiB. */
const windowBlocks = 256;
const windowsInFlight = 6;

/** A piece of the sealed stream; `release` is called when its memory is no longer needed. */
export interface StreamPiece {
  readonly bytes: Uint8Array;
  readonly release: () => void;
}

interface Window {
  pieces: Uint8Array[];
  releases: (() => void)[];
  filledBytes: number;
  lost: number[];
}

function emptyWindow(): Window {
  return { pieces: [], releases: [], filledBytes: 0, lost: [] };
}

/** Calls `release` after the `count`th call of the function that it returns. */
function releaseAfter(count: number, release: () => void): () => void {
  let left = count;
  return () => {
    left--;
    if (left === 0) release();
  };
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
  #window = emptyWindow();
  /** Data blocks handed to workers. */
  #totalData = 0;
  #position = 0;
  #bandData = 0;
  #bandParity: Promise<unknown> = Promise.resolve();
  #output: Promise<void> = Promise.resolve();

  constructor(options: BlockWriterOptions) {
    this.#options = options;
    this.#fullBandData = stripesPerBand * options.shape.dataBlocks;
  }

  /** Wakes all who wait: the run has failed elsewhere. */
  fail(error: unknown): void {
    this.#windows.fail(error);
  }

  /** Appends to the sealed stream; resolves when there is room for more. */
  async append(piece: StreamPiece): Promise<void> {
    const { bytes } = piece;
    if (bytes.length === 0) {
      piece.release();
      return;
    }
    const cuts: Uint8Array[] = [];
    let offset = 0;
    let room = this.#room();
    while (offset < bytes.length) {
      const length = Math.min(bytes.length - offset, room);
      cuts.push(bytes.subarray(offset, offset + length));
      offset += length;
      room = offset < bytes.length ? this.#capacity(this.#bandDataAfter(cuts.length)) : 0;
    }
    const release = releaseAfter(cuts.length, piece.release);
    for (const cut of cuts) {
      this.#window.pieces.push(cut);
      this.#window.releases.push(release);
      this.#window.filledBytes += cut.length;
      if (this.#room() === 0) await this.#flush();
    }
  }

  /** Marks the next payload as lost: its block stays zero. Only for a stream that is appended payload by payload. */
  async appendLost(): Promise<void> {
    this.#window.lost.push(Math.floor(this.#window.filledBytes / payloadSizeBytes));
    await this.append({ bytes: new Uint8Array(payloadSizeBytes), release: () => undefined });
  }

  /** Writes what is left and the final headers. The stream's length must be a whole number of payloads. */
  async finish(): Promise<Layout> {
    if (this.#window.filledBytes > 0) await this.#flush();
    const lastBandData = this.#bandData === 0 ? this.#fullBandData : this.#bandData;
    if (this.#bandData > 0) this.#endBand();
    this.#writeHeaders(blockKind.final, lastBandData);
    await this.#output;
    return new Layout(this.#totalData, this.#options.shape);
  }

  /** Bytes of the window that are free. */
  #room(): number {
    return this.#capacity(this.#bandData) - this.#window.filledBytes;
  }

  #capacity(bandData: number): number {
    return Math.min(windowBlocks, this.#fullBandData - bandData) * payloadSizeBytes;
  }

  /** The band's data blocks when `flushes` windows, from the one that is open on, will have been written. */
  #bandDataAfter(flushes: number): number {
    let bandData = this.#bandData;
    for (let index = 0; index < flushes; index++) {
      bandData += Math.min(windowBlocks, this.#fullBandData - bandData);
      if (bandData === this.#fullBandData) bandData = 0;
    }
    return bandData;
  }

  async #flush(): Promise<void> {
    const window = this.#window;
    this.#window = emptyWindow();
    if (this.#bandData === 0) {
      // Only one band's parity is made at a time, so that its memory is bounded.
      await this.#bandParity;
      this.#writeHeaders(blockKind.header, 0);
    }
    const into = await this.#windows.acquire();
    const count = Math.ceil(window.filledBytes / payloadSizeBytes);
    const { pieces, lost } = window;
    const framed = this.#options.workers
      .run('frame', { pieces, firstPosition: this.#position, firstIndex: this.#bandData, count, lost, into })
      .finally(() => {
        for (const release of window.releases) release();
      });
    this.#write(
      framed.then(() => into.subarray(0, count * blockSizeBytes)),
      () => this.#windows.release(into),
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
    const parity = workers
      .broadcast('takeParity', { bandDataBlocks })
      .then((partials) => workers.run('finishParity', { partials, bandDataBlocks, firstPosition }));
    this.#bandParity = parity;
    this.#write(parity, () => undefined);
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
  #write(bytes: Promise<Uint8Array>, release: () => void): void {
    const before = this.#output;
    this.#output = (async () => {
      await before;
      await this.#options.sink(await bytes);
      release();
    })();
    // The error is seen where the output is awaited; until then it wakes those who wait for room.
    bytes.catch(() => undefined);
    this.#output.catch((error: unknown) => this.fail(error));
  }
}
