/** The two hashes of blocks that are made here: the reference writer's, and that of the recovery script, against fixed values. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { xxh3With128Bits } from '../../vectors/reference-xxh3.ts';

const root = join(import.meta.dirname, '../..');
const script = readFileSync(join(root, 'recover/holdfast-recover.mjs'), 'utf8');

const zeros = (length: number) => Buffer.alloc(length);
const ones = (length: number) => Buffer.alloc(length, 0xff);
const counting = (length: number) => Buffer.from(Array.from({ length }, (_, index) => index % 251));

/** What `xxhsum -H128` prints: block lengths, and both sides of the ends of a stripe (64) and of a round (1,024). */
const fixedValues: readonly (readonly [bytes: Buffer, hash: string])[] = [
  [zeros(4064), '97bb5bb96d6d05ee327bb5b181c9a5c8'],
  [zeros(4080), 'e0b7f86abbcd381b63fc089359d93c49'],
  [ones(4064), '530b34d886c8cceaab9860ff11bcc78d'],
  [ones(4080), 'd7ffbde14fc691fafcf8d8fa41d3a359'],
  [counting(4064), '5ff3bc696f98c8d27c02b3fcaf6dd27a'],
  [counting(4080), 'e400b276e354caf703ceee8d7cd54d79'],
  [counting(241), '1da1cb61bcb8a2a102e8cd95421c6d02'],
  [counting(256), '96c36c85d00e5bc544f5d90dacde463a'],
  [counting(1024), 'd0ac1f7b93bf57b9e5d78bafa45b2aa5'],
  [counting(1025), '2882ebca04ec915ce95c42288f28186e'],
  [counting(1088), '295519bc52981c5c1a848d807034c403'],
  [counting(4096), 'e12cd72144990fe57135ffa504f1bc71'],
  [counting(10_000), '89dec82a789965e61cb3abee1c2fc1c4'],
];

/** The script's own hash: all of it but the program, as a module. */
async function hashOfScript(folder: string): Promise<(bytes: Buffer) => Buffer> {
  const program = /^\/\/ -+ the program$/m.exec(script);
  assert.ok(program, 'the script has no line before its program');
  const module = join(folder, 'recover.mjs');
  writeFileSync(module, `${script.slice(0, program.index)}\nexport { xxh128 };\n`);
  const { xxh128 } = (await import(pathToFileURL(module).href)) as { xxh128: (bytes: Buffer) => Buffer };
  return xxh128;
}

describe('the hash of blocks', () => {
  let folder = '';
  let xxh128: (bytes: Buffer) => Buffer = xxh3With128Bits;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'holdfast-hash-'));
    xxh128 = await hashOfScript(folder);
    assert.notEqual(xxh128, xxh3With128Bits);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('is XXH3 with 128 bits, high bits first', () => {
    for (const [bytes, hash] of fixedValues) {
      assert.equal(xxh3With128Bits(bytes).toString('hex'), hash, `reference writer, ${bytes.length} bytes`);
      assert.equal(xxh128(bytes).toString('hex'), hash, `recovery script, ${bytes.length} bytes`);
    }
  });

  it('is the same in the reference writer and in the recovery script, wherever the bytes stand in memory', () => {
    const inputs = fc.tuple(fc.uint8Array({ minLength: 241, maxLength: 4400, size: 'max' }), fc.nat(9));
    const property = fc.property(inputs, ([bytes, shift]) => {
      const shifted = Buffer.concat([Buffer.alloc(shift), bytes]).subarray(shift);
      assert.deepEqual(xxh128(shifted), xxh3With128Bits(Buffer.from(bytes)));
    });
    fc.assert(property, { seed: 1, numRuns: 300 });
  });

  it('changes with every bit of a block', () => {
    const block = counting(4064);
    const seen = new Set([xxh128(block).toString('hex')]);
    for (let bit = 0; bit < 8 * block.length; bit++) {
      block[bit >> 3] = block[bit >> 3]! ^ (1 << (bit & 7));
      seen.add(xxh128(block).toString('hex'));
      block[bit >> 3] = block[bit >> 3]! ^ (1 << (bit & 7));
    }
    assert.equal(seen.size, 8 * block.length + 1);
  });

  it('is refused for inputs that it would hash in another way', () => {
    assert.throws(() => xxh3With128Bits(zeros(240)), assert.AssertionError);
  });

  it('has the values that the page of the format gives', () => {
    const page = readFileSync(join(root, 'docs/format.md'), 'utf8');
    for (const bytes of [zeros(4064), counting(4064), zeros(4080), counting(4080)]) {
      const hash = xxh3With128Bits(bytes).toString('hex');
      const line = page.split('\n').find((candidate) => candidate.includes(hash));
      assert.ok(line?.includes(bytes.length.toLocaleString('en')), `${bytes.length} bytes: ${hash}`);
    }
  });
});
