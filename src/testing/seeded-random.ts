import assert from 'node:assert/strict';
import type { Random } from '../random.ts';

const twoTo32 = 2 ** 32;

/**
 * A repeatable {@link Random} for tests: xoshiro128** (Blackman and Vigna), its state filled from the seed by splitmix32. Fast, and
 * predictable by anyone: never for keys. `bytes` is one stream: 3 bytes and then 5 are the same as 8 at once.
 *
 * @example
 * const random = new SeededRandom(7);
 * random.integer(6); // 0 to 5
 */
export class SeededRandom implements Random {
  /** Gives the same numbers again. */
  readonly seed: number;
  readonly #state = new Uint32Array(4);
  #word = 0;
  #wordBytes = 0;

  /** @param seed A whole number from 0 to 2^32 - 1. */
  constructor(seed: number) {
    assert(Number.isInteger(seed) && seed >= 0 && seed < twoTo32, 'a seed is a whole number of 32 bits');
    this.seed = seed;
    let value = seed;
    for (let index = 0; index < 4; index += 1) {
      value = (value + 0x9e3779b9) | 0;
      let mixed = value ^ (value >>> 16);
      mixed = Math.imul(mixed, 0x21f0aaad);
      mixed ^= mixed >>> 15;
      mixed = Math.imul(mixed, 0x735a2d97);
      this.#state[index] = mixed ^ (mixed >>> 15);
    }
  }

  bytes(sizeBytes: number): Uint8Array {
    const bytes = new Uint8Array(sizeBytes);
    this.fill(bytes);
    return bytes;
  }

  /** Overwrites all of `bytes`. */
  fill(bytes: Uint8Array): void {
    for (let index = 0; index < bytes.length; index += 1) {
      if (this.#wordBytes === 0) {
        this.#word = this.#next();
        this.#wordBytes = 4;
      }
      bytes[index] = this.#word;
      this.#word >>>= 8;
      this.#wordBytes -= 1;
    }
  }

  /** A whole number from 0 to `below` - 1, each as likely; `below` is 1 to 2^53. */
  integer(below: number): number {
    assert(Number.isInteger(below) && below >= 1 && below <= 2 ** 53, 'below is a whole number from 1 to 2^53');
    const range = below <= twoTo32 ? twoTo32 : 2 ** 53;
    // What lies above the last whole multiple is drawn again, else small results would be likelier.
    const limit = range - (range % below);
    for (;;) {
      const value = range === twoTo32 ? this.#next() : this.#next53();
      if (value < limit) return value % below;
    }
  }

  /** A number from 0 up to, and never, 1. */
  float(): number {
    return this.#next53() / 2 ** 53;
  }

  /** A generator of its own, so that what it is used for does not change what comes next here. */
  fork(): SeededRandom {
    return new SeededRandom(this.#next());
  }

  /** A generator that gives the same as this one did from its start. */
  restart(): SeededRandom {
    return new SeededRandom(this.seed);
  }

  #next53(): number {
    return (this.#next() >>> 11) * twoTo32 + this.#next();
  }

  #next(): number {
    const [a = 0, b = 0, c = 0, d = 0] = this.#state;
    const scrambled = Math.imul(b, 5);
    const result = Math.imul((scrambled << 7) | (scrambled >>> 25), 9) >>> 0;
    const third = c ^ a;
    const fourth = d ^ b;
    this.#state[0] = a ^ fourth;
    this.#state[1] = b ^ third;
    this.#state[2] = third ^ (b << 9);
    this.#state[3] = (fourth << 11) | (fourth >>> 21);
    return result;
  }
}
