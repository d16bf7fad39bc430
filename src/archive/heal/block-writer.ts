import assert from 'node:assert/strict';
import { BufferPool } from '../worker/buffer-pool.ts';
import type { FrameTask } from '../worker/protocol.ts';
import type { ArchiveWorkers, WorkerPool } from '../worker/worker-pool.ts';
import { blockKind, headerBlocks } from './block.ts';
import {
  bandGeometry,
  blockSizeBytes,
  headerReplicas,
  Layout,
  payloadSizeBytes,
  type StripeShape,
  stripesPerBand,
} from './geometry.ts';

/** Most blocks that are framed at once: 2 MiB and what compression may add to it. */
const windowBlocks = 544;
const windowsInFlight = 3;

export interface BlockWriterOptions {
  readonly workers: WorkerPool;
  readonly archiveId: Uint8Array;
  readonly shape: StripeShape;
  /** The header as it is repeated. What is written first waits for it. */
  readonly header: Uint8Array | Promise<Uint8Array>;
  /** Takes the bytes of a copy in order; the memory is used again once the promise is settled. */
  readonly sink: (bytes: Uint8Array) => Promise<void>;
}

/**
 * Cuts the sealed stream into blocks, bands and parity, and writes one copy of them: `docs/format.md` sections 2 to 4.
 * All of it is framed by one thread, which keeps the sums of the band: they never move. Memory: `windowsInFlight` windows, and that
 * of a `BlockFramer`.
 */
export class BlockWriter {
  readonly #options: BlockWriterOptions;
  readonly #workers: ArchiveWorkers;
  readonly #windows: BufferPool;
  readonly #fullBandData: number;
  /** The beginning of a payload whose rest is to come. */
  #rest: Uint8Array = new Uint8Array(0);
  /** Data blocks handed to workers. */
  #totalData = 0;
  #position = 0;
  #bandData = 0;
  /** The end of what was appended: each appending sends its tasks when those before it have sent theirs. */
  #sent: Promise<void> = Promise.resolve();
  #output: Promise<void> = Promise.resolve();

  constructor(options: BlockWriterOptions) {
    this.#options = options;
    const { archiveId, shape } = options;
    const setup = { archiveId, shape, codec: 'none', seal: undefined, totalDataBlocks: undefined } as const;
    this.#workers = options.workers.forArchive(setup);
    const { memory } = this.#workers;
    this.#windows = new BufferPool({ count: windowsInFlight, memory, sizeBytes: windowBlocks * blockSizeBytes });
    this.#fullBandData = stripesPerBand * options.shape.dataBlocks;
  }

  /** Wakes all who wait: the run has failed elsewhere. */
  fail(error: unknown): void {
    this.#windows.fail(error);
  }

  /** Appends to the sealed stream. The memory may be used again once the promise is settled; more may be appended before. */
  append(bytes: Uint8Array): Promise<void> {
    return this.#inOrder((framed) => this.#frame([bytes], framed));
  }

  /** Marks the next payload as lost: its block stays zero. Only for a stream that is appended payload by payload. */
  appendLost(): Promise<void> {
    return this.#inOrder(async (framed) => {
      assert(this.#rest.length === 0, 'a lost payload is a whole one');
      await this.#frame([new Uint8Array(payloadSizeBytes)], framed, true);
    });
  }

  /** Writes what is left and the final headers. The stream's length must be a whole number of payloads. */
  async finish(): Promise<Layout> {
    await this.#sent;
    assert(this.#rest.length === 0, 'the stream ends within a payload');
    const lastBandData = this.#bandData === 0 ? this.#fullBandData : this.#bandData;
    if (this.#bandData > 0) await this.#endBand();
    this.#writeHeaders(blockKind.final, lastBandData);
    await this.#output;
    await this.#workers.runInOrder('resetParity', undefined);
    return new Layout(this.#totalData, this.#options.shape);
  }

  /** Lets `send` send its tasks in turn; gives a promise of their end. */
  async #inOrder(send: (framed: Promise<unknown>[]) => Promise<void>): Promise<void> {
    const framed: Promise<unknown>[] = [];
    this.#sent = this.#sent.then(() => send(framed));
    this.#sent.catch((error: unknown) => this.fail(error));
    await this.#sent;
    await Promise.all(framed);
  }

  /** Has all whole payloads of the bytes framed, and keeps the rest. */
  async #frame(bytes: readonly Uint8Array[], framed: Promise<unknown>[], lost = false): Promise<void> {
    const pieces = new Pieces([this.#rest, ...bytes]);
    this.#rest = new Uint8Array(0);
    while (pieces.sizeBytes >= payloadSizeBytes) {
      if (this.#bandData === 0) this.#writeHeaders(blockKind.header, 0);
      const whole = Math.floor(pieces.sizeBytes / payloadSizeBytes);
      const count = Math.min(whole, windowBlocks, this.#fullBandData - this.#bandData);
      const blocks = await this.#windows.acquire();
      framed.push(this.#send({ pieces: pieces.take(count * payloadSizeBytes), count, lost, blocks }));
      if (this.#bandData === this.#fullBandData) await this.#endBand();
    }
    // A copy: the memory is the caller's again. Of its own: what is sent to a worker is sent with all that it shares memory with.
    const rest = new Uint8Array(pieces.sizeBytes);
    let filled = 0;
    for (const piece of pieces.take(rest.length)) {
      rest.set(piece, filled);
      filled += piece.length;
    }
    this.#rest = rest;
  }

  #send(task: Pick<FrameTask, 'pieces' | 'count' | 'lost' | 'blocks'>): Promise<unknown> {
    const framed = this.#workers.runInOrder('frame', {
      ...task,
      firstPosition: this.#position,
      firstIndex: this.#bandData,
    });
    this.#writeWindow(framed, task);
    this.#bandData += task.count;
    this.#totalData += task.count;
    return framed;
  }

  /** Has the band's parity framed. */
  async #endBand(): Promise<void> {
    const { shape } = this.#options;
    const bandDataBlocks = this.#bandData;
    const { stripes, parityRows } = bandGeometry(bandDataBlocks, shape);
    for (let firstIndex = 0; firstIndex < stripes * parityRows; firstIndex += windowBlocks) {
      const count = Math.min(windowBlocks, stripes * parityRows - firstIndex);
      const blocks = await this.#windows.acquire();
      const task = { bandDataBlocks, firstPosition: this.#position, firstIndex, count, blocks };
      this.#writeWindow(this.#workers.runInOrder('parity', task), task);
    }
    this.#bandData = 0;
  }

  /** Writes a window once it is framed, and gives it back. */
  #writeWindow(framed: Promise<unknown>, window: { readonly count: number; readonly blocks: Uint8Array }): void {
    const { count, blocks } = window;
    this.#write(
      framed.then(() => blocks.subarray(0, count * blockSizeBytes)),
      () => this.#windows.release(blocks),
    );
    this.#position += count;
  }

  #writeHeaders(kind: typeof blockKind.header | typeof blockKind.final, bandDataBlocks: number): void {
    const { archiveId, header } = this.#options;
    const place = { position: this.#position, kind, bandDataBlocks };
    const blocks = Promise.resolve(header).then((bytes) => headerBlocks({ archiveId, header: bytes, ...place }));
    this.#write(blocks, () => undefined);
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

/** Pieces of memory that are joined, taken from the front. */
class Pieces {
  readonly #pieces: Uint8Array[];
  sizeBytes: number;

  constructor(pieces: readonly Uint8Array[]) {
    this.#pieces = pieces.filter((piece) => piece.length > 0);
    this.sizeBytes = this.#pieces.reduce((sum, piece) => sum + piece.length, 0);
  }

  take(sizeBytes: number): Uint8Array[] {
    const taken: Uint8Array[] = [];
    let wanted = sizeBytes;
    while (wanted > 0) {
      const piece = this.#pieces.shift();
      assert(piece !== undefined, 'no more is taken than there is');
      taken.push(piece.subarray(0, wanted));
      if (piece.length > wanted) this.#pieces.unshift(piece.subarray(wanted));
      wanted -= Math.min(wanted, piece.length);
    }
    this.sizeBytes -= sizeBytes;
    return taken;
  }
}
