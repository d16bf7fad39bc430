/** Archives of many shapes, damaged as far as the format promises to bear, through the recovery script. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { bytes } from '../../vectors/generators/vector.ts';
import { blockSize, type Specification, type Written, writeArchive } from '../../vectors/reference-writer.ts';

const script = join(import.meta.dirname, '../../recover/holdfast-recover.mjs');

let folder = '';
let runs = 0;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-damage-'));
});
after(() => rmSync(folder, { recursive: true, force: true }));

function recover(file: Buffer, specification: Specification): number | null {
  const archive = join(folder, `${++runs}.holdfast`);
  const output = join(folder, `${runs}`);
  writeFileSync(archive, file);
  const result = spawnSync(process.execPath, [script, archive, output], { encoding: 'utf8' });
  if (result.status === 0) {
    for (const entry of specification.entries) {
      assert.deepEqual(readFileSync(join(output, entry.path)), entry.bytes, entry.path);
    }
  }
  rmSync(archive);
  rmSync(output, { recursive: true, force: true });
  return result.status;
}

/** Positions of the blocks of one stripe of the first band, data first. */
function stripePositions(written: Written, stripe: number): { data: number[]; parity: number[] } {
  const { dataBlocks, stripes, parityRows } = written.geometry.bands[0]!;
  const [data, parity]: [number[], number[]] = [[], []];
  for (let d = stripe; d < dataBlocks; d += stripes) data.push(3 + d);
  for (let row = 0; row < parityRows; row++) parity.push(3 + dataBlocks + row * stripes + stripe);
  return { data, parity };
}

const shapes = fc.record({
  dataBlocks: fc.integer({ min: 1, max: 9 }),
  parityBlocks: fc.integer({ min: 2, max: 5 }),
  copies: fc.integer({ min: 1, max: 3 }),
  segmentSize: fc.integer({ min: 1000, max: 20_000 }),
  indexEverySegments: fc.integer({ min: 1, max: 5 }),
  codec: fc.constantFrom('none', 'gzip', 'zstd'),
  sizes: fc.array(fc.integer({ min: 0, max: 60_000 }), { minLength: 1, maxLength: 4 }),
  chosen: fc.array(fc.nat(), { minLength: 64, maxLength: 64 }),
});

function specificationOf(shape: Omit<Specification, 'seed' | 'entries'> & { sizes: number[] }): Specification {
  const entries = shape.sizes.map((size, index) => ({
    path: `files/root/${index}`,
    kind: 'file',
    bytes: bytes(`${index}/${size}`, size),
  }));
  return { ...shape, seed: 'damage', entries };
}

describe('the recovery script on damage', () => {
  it('bears as many lost blocks as there is parity in every stripe, in all copies', () => {
    const property = fc.property(shapes, (shape) => {
      const specification = specificationOf({ ...shape, codec: shape.codec as 'none' });
      const written = writeArchive(specification);
      const band = written.geometry.bands[0]!;
      for (let stripe = 0; stripe < band.stripes; stripe++) {
        const { data, parity } = stripePositions(written, stripe);
        const order = [...data, ...parity].map(
          (position, index) => [shape.chosen[(index + stripe) % 64]!, position] as const,
        );
        order.sort((a, b) => a[0] - b[0]);
        for (const [, position] of order.slice(0, band.parityRows)) {
          for (let copy = 0; copy < shape.copies; copy++) {
            const block = copy * written.geometry.blockCount + position;
            written.file.fill(0xee, block * blockSize + 200, block * blockSize + 300);
          }
        }
      }
      assert.equal(recover(written.file, specification), 0);
    });
    fc.assert(property, { seed: 2, numRuns: 25 });
  });

  it('names a loss when one block more is gone', () => {
    const property = fc.property(shapes, (shape) => {
      const specification = specificationOf({ ...shape, codec: 'none', copies: 1, sizes: [20_000] });
      const written = writeArchive(specification);
      const { data, parity } = stripePositions(written, 0);
      for (const position of [data[0]!, ...parity])
        written.file.fill(0, position * blockSize, (position + 1) * blockSize);
      assert.equal(recover(written.file, specification), 11);
    });
    fc.assert(property, { seed: 3, numRuns: 5 });
  });

  it('bears the loss of 49 % of the file anywhere, and bytes moved', () => {
    const property = fc.property(
      shapes,
      fc.double({ min: 0, max: 0.51, noNaN: true }),
      fc.nat(5000),
      (shape, from, moved) => {
        const specification = specificationOf({ ...shape, codec: 'none', copies: 2 });
        const { file } = writeArchive(specification);
        const start = Math.floor(file.length * from);
        const end = start + Math.floor(file.length * 0.49);
        const cut = Buffer.concat([bytes('moved', moved), file.subarray(0, start), file.subarray(end)]);
        assert.equal(recover(cut, specification), 0);
        file.fill(0xdd, start, end);
        assert.equal(recover(file, specification), 0);
      },
    );
    fc.assert(property, { seed: 4, numRuns: 15 });
  });
});
