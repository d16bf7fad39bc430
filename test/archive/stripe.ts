import assert from 'node:assert/strict';
import { createHash, hash } from 'node:crypto';
import {
  bandGeometry,
  blockSizeBytes,
  bodySizeBytes,
  frameSizeBytes,
  type StripeShape,
} from '../../src/archive/heal/geometry.ts';
import { ParityAccumulator } from '../../src/archive/heal/parity-accumulator.ts';
import { decodeStripe, type StripeCandidates, type StripeResult } from '../../src/archive/heal/stripe-decoder.ts';

/** Stripes for tests of what decodes them. */

export const fullShape: StripeShape = { dataBlocks: 239, parityBlocks: 16 };

/** Pseudorandom, the same in every run. */
export class Seeded {
  readonly #seed: string;
  #count = 0;

  constructor(seed: string) {
    this.#seed = seed;
  }

  bytes(sizeBytes: number): Uint8Array<ArrayBuffer> {
    const seed = `${this.#seed} ${this.#count++}`;
    return new Uint8Array(createHash('shake256', { outputLength: sizeBytes }).update(seed).digest());
  }

  /** Numbers from 0 to below 1. */
  fractions(count: number): number[] {
    return Array.from(new Uint32Array(this.bytes(4 * count).buffer), (word) => word / 2 ** 32);
  }

  /** `count` of the numbers below `limit`, in no order. */
  choose(count: number, limit: number): number[] {
    const numbers = Array.from({ length: limit }, (_, number) => number);
    for (const [index, fraction] of this.fractions(count).entries()) {
      const other = index + Math.floor(fraction * (limit - index));
      [numbers[index], numbers[other]] = [numbers[other]!, numbers[index]!];
    }
    return numbers.slice(0, count);
  }

  /** The body with this share of its bytes wrong. */
  damage(body: Uint8Array, share: number): Uint8Array {
    const fractions = this.fractions(body.length);
    const changes = this.bytes(body.length);
    return body.map((byte, at) => (fractions[at]! < share ? byte ^ ((changes[at]! % 255) + 1) : byte));
  }
}

/** A stripe as it was written. */
export interface Stripe {
  readonly dataCount: number;
  readonly parityRows: number;
  readonly maximumParityRows: number;
  /** Data by index, then parity by row. */
  readonly bodies: readonly Uint8Array[];
}

export function makeStripe(dataCount: number, shape = fullShape): Stripe {
  const blocks = new Seeded(`stripe ${dataCount}`).bytes(dataCount * blockSizeBytes);
  const accumulator = new ParityAccumulator(shape);
  accumulator.add(blocks, 0, dataCount);
  accumulator.solve(dataCount);
  const { stripes, parityRows } = bandGeometry(dataCount, shape);
  assert.equal(stripes, 1);
  const bodies: Uint8Array[] = [];
  for (let index = 0; index < dataCount; index++) {
    const start = index * blockSizeBytes + frameSizeBytes;
    bodies.push(blocks.slice(start, start + bodySizeBytes));
  }
  for (let row = 0; row < parityRows; row++) bodies.push(accumulator.parityBody(dataCount, row).slice());
  return { dataCount, parityRows, maximumParityRows: shape.parityBlocks, bodies };
}

/** Decodes, and checks that nothing but the right bodies comes back; the candidates' bytes must stay as they were. */
export function decode(stripe: Stripe, candidates: readonly StripeCandidates[]): StripeResult {
  const before = candidates.map(({ damaged }) => damaged.map((bytes) => hash('sha256', bytes)));
  const hashes = stripe.bodies.slice(0, stripe.dataCount).map((body) => hash('sha256', body));
  const { dataCount, parityRows, maximumParityRows } = stripe;
  const matchesHash = (index: number, body: Uint8Array) => {
    assert.ok(index >= 0 && index < dataCount);
    return hash('sha256', body) === hashes[index];
  };
  const result = decodeStripe({ dataCount, parityRows, maximumParityRows, candidates, matchesHash });
  assert.equal(result.data.length, dataCount);
  for (const [index, body] of result.data.entries()) {
    if (body !== undefined) assert.ok(Buffer.from(body).equals(stripe.bodies[index]!), `data ${index}`);
  }
  const given = candidates.slice(0, dataCount).filter(({ intact }) => intact !== undefined).length;
  assert.equal(result.solvedCount, result.data.filter((body) => body !== undefined).length - given);
  assert.deepEqual(
    candidates.map(({ damaged }) => damaged.map((bytes) => hash('sha256', bytes))),
    before,
  );
  return result;
}

export function lostOf(result: StripeResult): number[] {
  return [...result.data.entries()].filter(([, body]) => body === undefined).map(([index]) => index);
}

/** Candidates made of each body by index; undefined for an intact one. */
export function candidatesOf(
  stripe: Stripe,
  damage: (body: Uint8Array, index: number) => Uint8Array[] | undefined,
): StripeCandidates[] {
  return stripe.bodies.map((body, index) => {
    const damaged = damage(body, index);
    return damaged === undefined ? { intact: body, damaged: [] } : { intact: undefined, damaged };
  });
}

export function withErased(stripe: Stripe, erased: readonly number[]): StripeCandidates[] {
  return candidatesOf(stripe, (_, index) => (erased.includes(index) ? [] : undefined));
}

/** 6 data blocks and 4 of parity: at most 4 erasures, or 2 errors, in a column. */
export const small = makeStripe(6, { dataBlocks: 6, parityBlocks: 4 });
/** 8 data blocks and 6 of parity. */
export const middle = makeStripe(8, { dataBlocks: 8, parityBlocks: 6 });

/** The body with these columns wrong; what is wrong differs from column to column and from `kind` to `kind`. */
export function wrongIn(body: Uint8Array, isWrong: (column: number) => boolean, kind = 0): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(body, (byte, column) =>
    isWrong(column) ? byte ^ (1 + ((column * 7 + kind * 31) % 255)) : byte,
  );
}

export const everywhere = () => true;

export interface Found {
  readonly lost: readonly number[];
  /** Data indexes in the order in which their hashes were asked for. */
  readonly hashed: readonly number[];
}

/** Decodes; a body is taken where it is the stripe's, and `accept` says so. Checks that no other comes back. */
export function search(
  stripe: Stripe,
  candidates: readonly StripeCandidates[],
  accept: (index: number) => boolean = everywhere,
): Found {
  const hashed: number[] = [];
  const matchesHash = (index: number, body: Uint8Array) => {
    assert.ok(index >= 0 && index < stripe.dataCount, `index ${index}`);
    assert.equal(body.length, bodySizeBytes);
    hashed.push(index);
    return Buffer.compare(body, stripe.bodies[index]!) === 0 && accept(index);
  };
  const result = decodeStripe({ ...stripe, candidates, matchesHash });
  for (const [index, body] of result.data.entries()) {
    if (body !== undefined) assert.equal(Buffer.compare(body, stripe.bodies[index]!), 0, `data ${index}`);
  }
  const given = candidates.slice(0, stripe.dataCount).filter(({ intact }) => intact !== undefined).length;
  assert.equal(result.solvedCount, stripe.dataCount - lostOf(result).length - given);
  return { lost: lostOf(result), hashed };
}

/** Lets only the first of the blocks that are offered one after the other, by index, be taken; then the next sweep begins. */
export function onePerSweep(): (index: number) => boolean {
  let last = Number.POSITIVE_INFINITY;
  let isTaken = false;
  return (index) => {
    if (index <= last) isTaken = false;
    last = index;
    const accepted = !isTaken;
    isTaken = true;
    return accepted;
  };
}

export function* combinations(count: number, below: number, first = 0): Generator<number[]> {
  if (count === 0) yield [];
  else {
    for (let index = first; index < below; index++) {
      for (const rest of combinations(count - 1, below, index + 1)) yield [index, ...rest];
    }
  }
}
