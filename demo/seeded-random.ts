import { createCipheriv, createHash } from 'node:crypto';

const bufferSizeBytes = 65_536;

/** Numbers and bytes that are the same for the same seed: the key stream of AES-256-CTR. */
export class SeededRandom {
  readonly #cipher;
  readonly #zeros = Buffer.alloc(bufferSizeBytes);
  #buffer = Buffer.alloc(0);
  #offset = 0;

  constructor(seed: string) {
    this.#cipher = createCipheriv('aes-256-ctr', createHash('sha256').update(seed).digest(), Buffer.alloc(16));
  }

  /** `sizeBytes` bytes that do not compress. */
  bytes(sizeBytes: number): Buffer {
    return this.#cipher.update(Buffer.alloc(sizeBytes));
  }

  /** A whole number from 0 to `below` - 1. */
  integer(below: number): number {
    return Math.floor(this.fraction() * below);
  }

  /** A whole number from `first` to `last`. */
  between(first: number, last: number): number {
    return first + this.integer(last - first + 1);
  }

  /** True in `probability` of the cases. */
  chance(probability: number): boolean {
    return this.fraction() < probability;
  }

  /** One of the items. */
  pick<Item>(items: readonly Item[]): Item {
    return items[this.integer(items.length)] as Item;
  }

  /** From 0 on, below 1. */
  fraction(): number {
    if (this.#offset + 4 > this.#buffer.length) {
      this.#buffer = this.#cipher.update(this.#zeros);
      this.#offset = 0;
    }
    const value = this.#buffer.readUInt32LE(this.#offset);
    this.#offset += 4;
    return value / 0x1_0000_0000;
  }
}
