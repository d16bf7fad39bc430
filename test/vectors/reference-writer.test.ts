/** The reference writer against others: what it makes has to be right by more than its own word. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { Decrypter } from 'age-encryption';
import fc from 'fast-check';
import { ageFile, identityOf, recipientOf } from '../../vectors/age-file.ts';
import { member } from '../../vectors/codec-members.ts';
import { parityOf } from '../../vectors/reference-parity.ts';
import { geometryOf } from '../../vectors/reference-writer.ts';

const specification = readFileSync(new URL('../../docs/format.md', import.meta.url), 'utf8');

function times2(value: number): number {
  return value < 128 ? value << 1 : (value << 1) ^ 0x11d;
}

/** Shift and add. */
function times(left: number, right: number): number {
  let product = 0;
  for (let bit = 7; bit >= 0; bit--) {
    product = times2(product);
    if ((right >> bit) & 1) product ^= left;
  }
  return product;
}

/** The sum of `c_X · X^r`, with nothing but doubling and adding. */
function syndrome(column: readonly [locator: number, value: number][], r: number): number {
  let sum = 0;
  for (const [locator, value] of column) {
    let term = value;
    for (let step = 0; step < r; step++) term = times(term, locator);
    sum ^= term;
  }
  return sum;
}

describe('the reference writer', () => {
  it('makes age files that an age implementation opens with the identity', async () => {
    for (let index = 0; index < 5; index++) {
      const secret = randomBytes(32);
      const plaintext = randomBytes(32);
      const decrypter = new Decrypter();
      decrypter.addIdentity(identityOf(secret));
      const opened = await decrypter.decrypt(ageFile(recipientOf(secret), plaintext, randomBytes));
      assert.deepEqual(Buffer.from(opened), plaintext);
    }
  });

  it('makes members that the libraries expand', () => {
    for (const length of [1, 65_535, 65_536, 131_072, 131_073, 400_000]) {
      const bytes = randomBytes(length);
      assert.deepEqual(gunzipSync(member('gzip', bytes)), bytes);
      assert.deepEqual(zstdDecompressSync(member('zstd', bytes)), bytes);
    }
  });

  it('makes parity whose codewords are valid', () => {
    const shape = fc.record({ m: fc.integer({ min: 2, max: 6 }), k: fc.integer({ min: 1, max: 12 }) });
    const property = fc.property(shape, fc.integer({ min: 0, max: 4047 }), ({ m, k }, at) => {
      const bodies = Array.from({ length: k }, () => randomBytes(4048));
      const parity = parityOf(bodies, m);
      const column: [number, number][] = [
        ...parity.map((body, q): [number, number] => [q + 1, body[at]!]),
        ...bodies.map((body, index): [number, number] => [255 - index, body[at]!]),
      ];
      for (let r = 0; r < m; r++) assert.equal(syndrome(column, r), 0);
    });
    fc.assert(property, { seed: 1, numRuns: 12 });
  });

  it('makes the parity that the specification shows', () => {
    const shown = specification.matchAll(/^\| `([0-9a-f ]+)` \| `[0-9a-f ]+` \| `([0-9a-f ]+)` \|$/gm);
    const examples = [...shown].map(([, data = '', parity = '']) => [data.split(' '), parity.split(' ')] as const);
    assert.equal(examples.length, 3);
    for (const [data, expected] of examples) {
      const bodies = data.map((byte) => Buffer.alloc(4048, byte, 'hex'));
      const parity = parityOf(bodies, expected.length);
      for (const [q, body] of parity.entries()) assert.ok(body.equals(Buffer.alloc(4048, expected[q], 'hex')));
    }
  });

  it('lets the number of blocks tell the number of data blocks, for every K and M', () => {
    for (let K = 1; K <= 253; K++) {
      for (let M = 2; M <= Math.min(64, 255 - K); M += M < 8 ? 1 : 7) {
        // Bounds where the number of stripes changes, and the end of a band.
        const bounds = [1, K, 8 * K, 64 * K, 128 * K].flatMap((bound) => [bound - 1, bound, bound + 1]);
        const counts = [...new Set(bounds)].filter((T) => T > 0).sort((a, b) => a - b);
        const blocks = counts.map((T) => geometryOf(T, K, M).blockCount);
        for (const [index, count] of blocks.entries()) {
          assert.ok(index === 0 || count > blocks[index - 1]!, `K ${K}, M ${M}, T ${counts[index]}`);
        }
      }
    }
  });
});
