import assert from 'node:assert';
import { hashSizeBytes } from './geometry.ts';

/**
 * XXH3 with 128 bits, seed 0 and the default secret: the hash of blocks, by the specification of xxHash ("XXH3 algorithm for large
 * inputs"). Shorter inputs, which have algorithms of their own, do not occur. The same in WebAssembly is `kernel/xxh3.ts`.
 */

/** The shortest input that is hashed this way. */
export const minimumHashedBytes = 241;

/** The default secret of the specification. */
export const xxh3Secret: Uint8Array = Buffer.from(
  'b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221' +
    'b8084674f743248ee03590e6813a264c3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8' +
    'a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364eac5ac8334d3ebc3c581a0fffa1363eb' +
    '170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e',
  'hex',
);

const primes32 = [0x9e3779b1n, 0x85ebca77n, 0xc2b2ae3dn] as const;
const primes64 = [
  0x9e3779b185ebca87n,
  0xc2b2ae3d27d4eb4fn,
  0x165667b19e3779f9n,
  0x85ebca77c2b2ae63n,
  0x27d4eb2f165667c5n,
] as const;

const lanes = 8;
const stripeSizeBytes = 64;
const secretStepBytes = 8;
const stripesPerRound = (xxh3Secret.length - stripeSizeBytes) / secretStepBytes;

const secret = new DataView(xxh3Secret.buffer, xxh3Secret.byteOffset, xxh3Secret.length);

/** Adds a stripe of 64 bytes to the sums. */
function addStripe(sums: BigUint64Array, input: DataView, offset: number, secretOffset: number): void {
  for (let lane = 0; lane < lanes; lane++) {
    const value = input.getBigUint64(offset + lane * 8, true);
    const key = value ^ secret.getBigUint64(secretOffset + lane * 8, true);
    // The sums wrap around by themselves, as 64 bits are kept of each.
    sums[lane ^ 1]! += value;
    sums[lane]! += (key & 0xffffffffn) * (key >> 32n);
  }
}

function scramble(sums: BigUint64Array): void {
  const start = xxh3Secret.length - stripeSizeBytes;
  for (let lane = 0; lane < lanes; lane++) {
    const sum = sums[lane]!;
    const mixed = sum ^ (sum >> 47n) ^ secret.getBigUint64(start + lane * 8, true);
    sums[lane] = mixed * primes32[0];
  }
}

/** Half of the hash. */
function merge(sums: BigUint64Array, secretOffset: number, start: bigint): bigint {
  let merged = start;
  for (let lane = 0; lane < lanes; lane += 2) {
    const first = sums[lane]! ^ secret.getBigUint64(secretOffset + lane * 8, true);
    const second = sums[lane + 1]! ^ secret.getBigUint64(secretOffset + (lane + 1) * 8, true);
    const product = first * second;
    merged = BigInt.asUintN(64, merged + (product ^ (product >> 64n)));
  }
  merged = BigInt.asUintN(64, (merged ^ (merged >> 37n)) * 0x165667919e3779f9n);
  return merged ^ (merged >> 32n);
}

/** The hash of at least {@link minimumHashedBytes} bytes, in the canonical form: 16 bytes, big-endian. */
export function xxh3(bytes: Uint8Array): Uint8Array {
  const { length } = bytes;
  assert(length >= minimumHashedBytes);
  const input = new DataView(bytes.buffer, bytes.byteOffset, length);
  const sums = BigUint64Array.of(
    primes32[2],
    primes64[0],
    primes64[1],
    primes64[2],
    primes64[3],
    primes32[1],
    primes64[4],
    primes32[0],
  );
  const stripes = Math.floor((length - 1) / stripeSizeBytes);
  for (let stripe = 0; stripe < stripes; stripe++) {
    const inRound = stripe % stripesPerRound;
    addStripe(sums, input, stripe * stripeSizeBytes, inRound * secretStepBytes);
    if (inRound === stripesPerRound - 1) scramble(sums);
  }
  addStripe(sums, input, length - stripeSizeBytes, xxh3Secret.length - stripeSizeBytes - 7);
  const low = BigInt(length) * primes64[0];
  const high = ~(BigInt(length) * primes64[1]);
  const hash = new Uint8Array(hashSizeBytes);
  const output = new DataView(hash.buffer);
  output.setBigUint64(0, merge(sums, xxh3Secret.length - stripeSizeBytes - 11, high));
  output.setBigUint64(8, merge(sums, 11, low));
  return hash;
}
