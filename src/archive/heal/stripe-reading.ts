import { bodySizeBytes } from './geometry.ts';

/** Equal bytes in a row from which on they are taken for a hole: sealed bytes have such a run once in 2^248 places. */
const blankRunLength = 32;

/** A damaged copy of a body. */
export interface DamagedBody {
  readonly bytes: Uint8Array;
  /** 1 at each byte that is not believed. */
  readonly blanks?: Uint8Array | undefined;
}

/** Marks the bytes that lie in a long run of one value, as in a zeroed sector; undefined where there are none. */
export function findBlanks(body: Uint8Array): Uint8Array | undefined {
  let blanks: Uint8Array | undefined;
  let start = 0;
  for (let at = 1; at <= body.length; at++) {
    if (at < body.length && body[at] === body[start]) continue;
    if (at - start >= blankRunLength) {
      blanks ??= new Uint8Array(body.length);
      blanks.fill(1, start, at);
    }
    start = at;
  }
  return blanks;
}

/**
 * What is presumed of a stripe's blocks, from one way to look at their damaged copies: a value for each byte, and for each column the
 * places whose byte is an erasure.
 */
export class StripeReading {
  /** Bodies: that of place x at x·4,048. */
  readonly values: Uint8Array;
  /** Erasures of each column; from 255 on not counted further. */
  readonly erasureCounts = new Uint8Array(bodySizeBytes);
  /** Places of the first erasures of each column: those of column c from c·capacity on. */
  readonly erasures: Uint8Array;
  readonly #capacity: number;

  /** `capacity`: erasures of a column that are kept, M. */
  constructor(values: Uint8Array, capacity: number) {
    this.values = values;
    this.#capacity = capacity;
    this.erasures = new Uint8Array(bodySizeBytes * capacity);
  }

  /** Forgets all erasures; the values are overwritten one by one. */
  clear(): void {
    this.erasureCounts.fill(0);
  }

  setIntact(place: number, body: Uint8Array): void {
    this.values.set(body, place * bodySizeBytes);
  }

  setErased(place: number): void {
    this.values.fill(0, place * bodySizeBytes, (place + 1) * bodySizeBytes);
    for (let column = 0; column < bodySizeBytes; column++) this.#erase(place, column);
  }

  /** Takes bytes on which the copies agree; the others are erasures. */
  setDamaged(place: number, bodies: readonly DamagedBody[]): void {
    const [first, second] = bodies;
    if (first === undefined) {
      this.setErased(place);
      return;
    }
    this.values.set(first.bytes, place * bodySizeBytes);
    if (bodies.length > 2 || bodies.some((body) => body.blanks !== undefined)) {
      this.#setMajority(place, bodies);
    } else if (second !== undefined) {
      for (let column = 0; column < bodySizeBytes; column++) {
        if (first.bytes[column] !== second.bytes[column]) this.#erase(place, column);
      }
    }
  }

  /** Takes the value that more of the believed bytes have than any other; where there is none the byte is an erasure. */
  #setMajority(place: number, bodies: readonly DamagedBody[]): void {
    for (let column = 0; column < bodySizeBytes; column++) {
      let value = 0;
      let votes = 0;
      let tied = true;
      for (const body of bodies) {
        const byte = body.bytes[column]!;
        let agreeing = 0;
        for (const other of bodies) {
          if (other.blanks?.[column] !== 1 && other.bytes[column] === byte) agreeing++;
        }
        if (agreeing > votes) tied = false;
        else if (agreeing === votes && byte !== value) tied = true;
        if (agreeing <= votes) continue;
        value = byte;
        votes = agreeing;
      }
      this.values[place * bodySizeBytes + column] = value;
      if (tied) this.#erase(place, column);
    }
  }

  #erase(place: number, column: number): void {
    const count = this.erasureCounts[column]!;
    if (count < this.#capacity) this.erasures[column * this.#capacity + count] = place;
    if (count < 255) this.erasureCounts[column] = count + 1;
  }
}
