import { copyBytes } from '../../bytes.ts';

/** One part of an object on its way. */
export interface Part {
  /** From 0. */
  readonly index: number;
  /** Where its first byte stands in the run. */
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** Options of {@link PartQueue}. */
export interface PartQueueOptions {
  /** Size of a part; it may grow with the number, never shrink. */
  readonly partBytes: (index: number) => number;
  /** Parts of a size that are sent at once, besides the one that is being filled. */
  readonly inFlight: (partBytes: number) => number;
  /** Its memory is used again when the promise is settled. */
  readonly send: (part: Part) => Promise<void>;
}

/**
 * Collects bytes into parts and sends those while the next one fills. The first failure is thrown by the next call. Memory: the
 * parts in flight and one more.
 */
export class PartQueue {
  readonly #options: PartQueueOptions;
  readonly #sending = new Set<Promise<void>>();
  #spare: Uint8Array[] = [];
  #buffer: Uint8Array | undefined;
  #filledBytes = 0;
  #offset = 0;
  #index = 0;
  #failure: { readonly error: unknown } | undefined;

  constructor(options: PartQueueOptions) {
    this.#options = options;
  }

  /** Bytes appended so far. */
  get sizeBytes(): number {
    return this.#offset + this.#filledBytes;
  }

  /** Parts sent so far, or on their way. */
  get partCount(): number {
    return this.#index;
  }

  /** The memory may be used again once the promise is settled. */
  async append(bytes: Uint8Array): Promise<void> {
    for (let taken = 0; taken < bytes.length; ) {
      this.#throwIfFailed();
      const buffer = this.#buffer ?? this.#takeBuffer();
      const length = Math.min(bytes.length - taken, buffer.length - this.#filledBytes);
      copyBytes(bytes.subarray(taken, taken + length), buffer, this.#filledBytes);
      this.#filledBytes += length;
      taken += length;
      if (this.#filledBytes === buffer.length) await this.#sendBuffer(buffer);
    }
    this.#throwIfFailed();
  }

  /** Sends what is left and waits for all; an object without bytes has no part. */
  async finish(): Promise<void> {
    if (this.#buffer !== undefined) await this.#sendBuffer(this.#buffer);
    await this.settle();
    this.#throwIfFailed();
    // What comes next needs memory too.
    this.#spare = [];
  }

  /** The last part, kept back for whoever must send it in another way than the others; waits for all those. */
  async finishExceptLast(): Promise<Part> {
    await this.settle();
    this.#throwIfFailed();
    const bytes = this.#buffer?.subarray(0, this.#filledBytes) ?? new Uint8Array(0);
    return { index: this.#index, offset: this.#offset, bytes };
  }

  /** Waits until nothing is on its way any more, however that ends. */
  async settle(): Promise<void> {
    while (this.#sending.size > 0) await Promise.allSettled(this.#sending);
  }

  #takeBuffer(): Uint8Array {
    const sizeBytes = this.#options.partBytes(this.#index);
    const spare = this.#spare.pop();
    this.#buffer = spare?.length === sizeBytes ? spare : new Uint8Array(sizeBytes);
    // Those of a smaller size are of no more use.
    if (spare !== undefined && spare.length !== sizeBytes) this.#spare = [];
    return this.#buffer;
  }

  /** Begins to send it as soon as there is a place for it. */
  async #sendBuffer(buffer: Uint8Array): Promise<void> {
    while (this.#sending.size >= this.#options.inFlight(buffer.length)) await Promise.race(this.#sending);
    const part = { index: this.#index, offset: this.#offset, bytes: buffer.subarray(0, this.#filledBytes) };
    this.#buffer = undefined;
    this.#offset += this.#filledBytes;
    this.#filledBytes = 0;
    this.#index += 1;
    const sending = this.#send(part, buffer);
    this.#sending.add(sending);
    sending.finally(() => this.#sending.delete(sending));
  }

  async #send(part: Part, buffer: Uint8Array): Promise<void> {
    try {
      if (this.#failure === undefined) await this.#options.send(part);
    } catch (error) {
      this.#failure ??= { error };
    }
    this.#spare.push(buffer);
  }

  #throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
