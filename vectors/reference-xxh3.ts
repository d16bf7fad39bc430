/**
 * XXH3 with 128 bits, seed 0 and the default secret, as the specification of xxHash writes it down: with whole 64-bit numbers, slow, and
 * only the way for inputs of more than 240 bytes. docs/format.md section 2 names it.
 */
import assert from 'node:assert/strict';

/** The specification's default secret, 192 bytes. */
const secret = Buffer.from(
  [
    'b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671f',
    'cb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c',
    '3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8',
    'a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364',
    'eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e',
    '2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e',
  ].join(''),
  'hex',
);

const prime32 = { first: 0x9e3779b1n, second: 0x85ebca77n, third: 0xc2b2ae3dn } as const;
const prime64 = {
  first: 0x9e3779b185ebca87n,
  second: 0xc2b2ae3d27d4eb4fn,
  third: 0x165667b19e3779f9n,
  fourth: 0x85ebca77c2b2ae63n,
  fifth: 0x27d4eb2f165667c5n,
} as const;
const avalanchePrime = 0x165667919e3779f9n;

const stripeSize = 64;
/** Each stripe of a round has its own 64 bytes of the secret, 8 bytes further than those of the one before. */
const stripesPerRound = (secret.length - stripeSize) / 8;

const low32 = (value: bigint): bigint => value & 0xffffffffn;
const wrapped = (value: bigint): bigint => BigInt.asUintN(64, value);

/** Eight 64-bit numbers from `offset` on, little-endian. */
function lanes(bytes: Buffer, offset: number): bigint[] {
  return Array.from({ length: 8 }, (_, lane) => bytes.readBigUInt64LE(offset + 8 * lane));
}

function accumulate(sums: bigint[], stripe: readonly bigint[], secretOffset: number): void {
  const secretLanes = lanes(secret, secretOffset);
  for (const [lane, data] of stripe.entries()) {
    const mixed = data ^ secretLanes[lane]!;
    sums[lane ^ 1] = wrapped(sums[lane ^ 1]! + data);
    sums[lane] = wrapped(sums[lane]! + low32(mixed) * (mixed >> 32n));
  }
}

function scramble(sums: bigint[]): void {
  for (const [lane, secretLane] of lanes(secret, secret.length - stripeSize).entries()) {
    const sum = sums[lane]!;
    sums[lane] = wrapped((sum ^ (sum >> 47n) ^ secretLane) * prime32.first);
  }
}

function merge(sums: readonly bigint[], start: bigint, secretOffset: number): bigint {
  const mixed = lanes(secret, secretOffset).map((secretLane, lane) => secretLane ^ sums[lane]!);
  let result = start;
  for (let lane = 0; lane < 8; lane += 2) {
    const product = mixed[lane]! * mixed[lane + 1]!;
    result += wrapped(product) ^ (product >> 64n);
  }
  result = wrapped(result);
  result ^= result >> 37n;
  result = wrapped(result * avalanchePrime);
  return result ^ (result >> 32n);
}

/** The hash of more than 240 bytes, in the canonical form: the high 64 bits, then the low ones, each big-endian. */
export function xxh3With128Bits(bytes: Buffer): Buffer {
  assert.ok(bytes.length > 240, 'shorter inputs are hashed in another way');
  const sums = [
    ...[prime32.third, prime64.first, prime64.second, prime64.third],
    ...[prime64.fourth, prime32.second, prime64.fifth, prime32.first],
  ];
  const stripeCount = Math.floor((bytes.length - 1) / stripeSize);
  for (let stripe = 0; stripe < stripeCount; stripe++) {
    const place = stripe % stripesPerRound;
    // The sums are scrambled after a full round, but not after one that ends with the input.
    if (place === 0 && stripe > 0) scramble(sums);
    accumulate(sums, lanes(bytes, stripe * stripeSize), place * 8);
  }
  if (stripeCount % stripesPerRound === 0) scramble(sums);
  // The last 64 bytes, which overlap the stripe before unless the length is a multiple of 64.
  accumulate(sums, lanes(bytes, bytes.length - stripeSize), secret.length - 71);
  const length = BigInt(bytes.length);
  const hash = Buffer.alloc(16);
  hash.writeBigUInt64BE(merge(sums, wrapped(~(length * prime64.second)), secret.length - 75), 0);
  hash.writeBigUInt64BE(merge(sums, wrapped(length * prime64.first), 11), 8);
  return hash;
}
