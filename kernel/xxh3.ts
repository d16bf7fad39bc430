// XXH3 with 128 bits, seed 0 and the default secret, of more than 240 bytes: doc/xxhash_spec.md of xxHash, "XXH3 large inputs". The same
// in plain TypeScript is src/archive/heal/xxh3.ts.

const prime32First: u64 = 0x9e3779b1;
const prime32Second: u64 = 0x85ebca77;
const prime32Third: u64 = 0xc2b2ae3d;
const prime64First: u64 = 0x9e3779b185ebca87;
const prime64Second: u64 = 0xc2b2ae3d27d4eb4f;
const prime64Third: u64 = 0x165667b19e3779f9;
const prime64Fourth: u64 = 0x85ebca77c2b2ae63;
const prime64Fifth: u64 = 0x27d4eb2f165667c5;

/** Lengths in bytes: what is summed at a time, the secret, and its step from one stripe to the next. */
const stripe: usize = 64;
const secretSize: usize = 192;
const secretStep: usize = 8;
const stripesPerRound: usize = (secretSize - stripe) / secretStep;

/** `sum` and the other half's input, and the products of a key's 32-bit halves. */
@inline
function add(sum: v128, input: v128, products: v128): v128 {
  return i64x2.add(sum, i64x2.add(products, v128.shuffle<i64>(input, input, 1, 0)));
}

/** Low half · high half of the 64-bit lanes of the first key. Two keys share the sorting of their halves. */
@inline
function firstProducts(first: v128, second: v128): v128 {
  return i64x2.extmul_low_i32x4_u(
    v128.shuffle<i32>(first, second, 0, 2, 4, 6), v128.shuffle<i32>(first, second, 1, 3, 5, 7));
}

/** The same of the second key. */
@inline
function secondProducts(first: v128, second: v128): v128 {
  return i64x2.extmul_high_i32x4_u(
    v128.shuffle<i32>(first, second, 0, 2, 4, 6), v128.shuffle<i32>(first, second, 1, 3, 5, 7));
}

@inline
function scramble(sum: v128, secret: usize): v128 {
  const mixed = v128.xor(v128.xor(sum, i64x2.shr_u(sum, 47)), v128.load(secret));
  return i64x2.mul(mixed, i64x2.splat(prime32First));
}

/** Both halves of the 128-bit product, XORed. */
@inline
function foldedProduct(a: u64, b: u64): u64 {
  const lowLow = (a & 0xffffffff) * (b & 0xffffffff);
  const highLow = (a >> 32) * (b & 0xffffffff);
  const lowHigh = (a & 0xffffffff) * (b >> 32);
  const highHigh = (a >> 32) * (b >> 32);
  const middle = (lowLow >> 32) + (highLow & 0xffffffff) + lowHigh;
  const high = (highLow >> 32) + (middle >> 32) + highHigh;
  return high ^ ((middle << 32) | (lowLow & 0xffffffff));
}

@inline
function merged(sum: v128, secret: usize): u64 {
  return foldedProduct(i64x2.extract_lane(sum, 0) ^ load<u64>(secret), i64x2.extract_lane(sum, 1) ^ load<u64>(secret, 8));
}

@inline
function avalanche(value: u64): u64 {
  const mixed = (value ^ (value >> 37)) * 0x165667919e3779f9;
  return mixed ^ (mixed >> 32);
}

/** The canonical bytes of the hash of `length` bytes, more than 240. The default secret stands at `secret`. */
export function xxh3(source: usize, length: usize, secret: usize): v128 {
  let sum0 = i64x2(prime32Third, prime64First);
  let sum1 = i64x2(prime64Second, prime64Third);
  let sum2 = i64x2(prime64Fourth, prime32Second);
  let sum3 = i64x2(prime64Fifth, prime32First);
  const last = source + length - stripe;
  let from = source;
  let remaining = (length - 1) / stripe;
  // The last stripe is another one, that ends with the input: its key is taken from near the end of the secret.
  while (true) {
    const isLast = remaining == 0;
    let key = isLast ? secret + secretSize - stripe - 7 : secret;
    if (isLast) from = last;
    const count: usize = isLast ? 1 : min<usize>(remaining, stripesPerRound);
    const end = key + count * secretStep;
    while (key < end) {
      const input0 = v128.load(from);
      const input1 = v128.load(from, 16);
      const input2 = v128.load(from, 32);
      const input3 = v128.load(from, 48);
      const key0 = v128.xor(input0, v128.load(key));
      const key1 = v128.xor(input1, v128.load(key, 16));
      const key2 = v128.xor(input2, v128.load(key, 32));
      const key3 = v128.xor(input3, v128.load(key, 48));
      sum0 = add(sum0, input0, firstProducts(key0, key1));
      sum1 = add(sum1, input1, secondProducts(key0, key1));
      sum2 = add(sum2, input2, firstProducts(key2, key3));
      sum3 = add(sum3, input3, secondProducts(key2, key3));
      from += stripe;
      key += secretStep;
    }
    if (isLast) break;
    remaining -= count;
    if (count == stripesPerRound) {
      const scrambling = secret + secretSize - stripe;
      sum0 = scramble(sum0, scrambling);
      sum1 = scramble(sum1, scrambling + 16);
      sum2 = scramble(sum2, scrambling + 32);
      sum3 = scramble(sum3, scrambling + 48);
    }
  }
  const lowSecret = secret + 11;
  const low = avalanche(<u64>length * prime64First + merged(sum0, lowSecret) + merged(sum1, lowSecret + 16) +
    merged(sum2, lowSecret + 32) + merged(sum3, lowSecret + 48));
  const highSecret = secret + secretSize - stripe - 11;
  const high = avalanche(~(<u64>length * prime64Second) + merged(sum0, highSecret) + merged(sum1, highSecret + 16) +
    merged(sum2, highSecret + 32) + merged(sum3, highSecret + 48));
  const hash = i64x2.replace_lane(i64x2.splat(low), 1, high);
  // Big-endian, the high half first: all of the bytes the other way round.
  return v128.shuffle<i8>(hash, hash, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
}
