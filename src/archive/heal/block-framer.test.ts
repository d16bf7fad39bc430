import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { blockKind, isIntactBlock } from './block.ts';
import { BlockFramer } from './block-framer.ts';
import { bandGeometry, blockSizeBytes, frameSizeBytes, payloadSizeBytes } from './geometry.ts';
import { ParityAccumulator } from './parity-accumulator.ts';

const archiveId = Buffer.alloc(16, 7);
const shape = { dataBlocks: 13, parityBlocks: 4 };
const fullBandData = 64 * shape.dataBlocks;

function seededBytes(seed: string, sizeBytes: number): Buffer {
  return createHash('shake256', { outputLength: sizeBytes }).update(seed).digest();
}

function blockOf(blocks: Buffer, index: number): Buffer {
  return blocks.subarray(index * blockSizeBytes, (index + 1) * blockSizeBytes);
}

interface Part {
  readonly count: number;
  readonly lost: boolean;
}

/** Frames a band's data blocks, at these positions, in these parts over and over. */
function frameBand(framer: BlockFramer, payloads: Buffer, firstPosition: number, parts: readonly Part[]): Buffer {
  const bandData = payloads.length / payloadSizeBytes;
  const band = Buffer.alloc(bandData * blockSizeBytes, 0xff);
  for (let firstIndex = 0, part = 0; firstIndex < bandData; part++) {
    const { count: wanted, lost } = parts[part % parts.length]!;
    const count = Math.min(wanted, bandData - firstIndex);
    const bytes = payloads.subarray(firstIndex * payloadSizeBytes, (firstIndex + count) * payloadSizeBytes);
    const pieces = [bytes.subarray(0, 1000), bytes.subarray(1000)];
    const blocks = band.subarray(firstIndex * blockSizeBytes);
    framer.frame({ pieces, count, lost, firstPosition: firstPosition + firstIndex, firstIndex, blocks });
    for (let index = 0; index < count; index++) {
      const block = blockOf(blocks, index);
      const expected = {
        position: firstPosition + firstIndex + index,
        bandDataBlocks: 0,
        kind: blockKind.data,
        ordinal: 0,
      };
      if (lost) assert.ok(block.equals(Buffer.alloc(blockSizeBytes)));
      else assert.ok(isIntactBlock(block, archiveId, expected));
      const payload = block.subarray(frameSizeBytes, frameSizeBytes + payloadSizeBytes);
      if (!lost) assert.ok(payload.equals(bytes.subarray(index * payloadSizeBytes, (index + 1) * payloadSizeBytes)));
    }
    firstIndex += count;
  }
  return band;
}

/** Asks for the band's parity so many blocks at a time, and compares it with that of the blocks. */
function checkParity(framer: BlockFramer, band: Buffer, firstPosition: number, window: number): void {
  const bandDataBlocks = band.length / blockSizeBytes;
  const { stripes, parityRows } = bandGeometry(bandDataBlocks, shape);
  const accumulator = new ParityAccumulator(shape);
  accumulator.add(band, 0, bandDataBlocks);
  accumulator.solve(bandDataBlocks);
  for (let firstIndex = 0; firstIndex < stripes * parityRows; firstIndex += window) {
    const count = Math.min(window, stripes * parityRows - firstIndex);
    const blocks = Buffer.alloc(count * blockSizeBytes);
    framer.parity({ bandDataBlocks, firstIndex, firstPosition: firstPosition + firstIndex, count, blocks });
    for (let index = 0; index < count; index++) {
      const ordinal = Math.floor((firstIndex + index) / stripes);
      const position = firstPosition + firstIndex + index;
      const block = blockOf(blocks, index);
      assert.ok(isIntactBlock(block, archiveId, { position, bandDataBlocks, kind: blockKind.parity, ordinal }));
      const body = accumulator.parityBody(bandDataBlocks, firstIndex + index);
      assert.equal(Buffer.compare(block.subarray(frameSizeBytes, frameSizeBytes + body.length), body), 0);
    }
  }
}

test('blocks out of order, and a band that ends without some of its blocks, are refused', () => {
  const framer = new BlockFramer(archiveId, shape);
  frameBand(framer, seededBytes('order', 5 * payloadSizeBytes), 0, [{ count: 5, lost: false }]);
  const blocks = Buffer.alloc(blockSizeBytes);
  const lost = { pieces: [], count: 1, lost: true, firstPosition: 0, blocks };
  for (const firstIndex of [0, 4, 6]) assert.throws(() => framer.frame({ ...lost, firstIndex }), /in order/);
  const parity = { firstIndex: 0, firstPosition: 5, count: 1, blocks };
  for (const bandDataBlocks of [4, 6]) {
    assert.throws(() => framer.parity({ ...parity, bandDataBlocks }), /all of its blocks/);
  }
  framer.frame({ ...lost, firstIndex: 5 });
  framer.parity({ ...parity, bandDataBlocks: 6 });
});

test('an accumulator that a framer gave up, wherever it was, makes the parity of the next archive', () => {
  const other = seededBytes('other', 700 * payloadSizeBytes);
  const own = seededBytes('own', 70 * payloadSizeBytes);
  const window = { firstIndex: 0, firstPosition: 0, count: 1, blocks: Buffer.alloc(blockSizeBytes) };
  for (const isSolved of [false, true]) {
    const accumulator = new ParityAccumulator(shape);
    const first = new BlockFramer(Buffer.alloc(16, 1), shape, accumulator);
    first.frame({ ...window, pieces: [other], count: 700, lost: false, blocks: Buffer.alloc(700 * blockSizeBytes) });
    if (isSolved) first.parity({ ...window, bandDataBlocks: 700 });
    assert.equal(first.release(), accumulator);
    const framer = new BlockFramer(archiveId, shape, accumulator);
    checkParity(framer, frameBand(framer, own, 0, [{ count: 70, lost: false }]), 70, 8);
  }
});

test('blocks and their parity are the same however tasks cut them up, band after band', () => {
  const part = fc.record({ count: fc.integer({ min: 1, max: 600 }), lost: fc.boolean() });
  const bands = fc.array(
    fc.record({
      bandData: fc.oneof(fc.constantFrom(1, 511, 512, 513, fullBandData), fc.integer({ min: 1, max: fullBandData })),
      parts: fc.array(part, { minLength: 1, maxLength: 5 }),
      window: fc.integer({ min: 1, max: 300 }),
    }),
    { minLength: 1, maxLength: 3 },
  );
  const framer = new BlockFramer(archiveId, shape);
  const law = fc.property(bands, (wanted) => {
    for (const [index, { bandData, parts, window }] of wanted.entries()) {
      const payloads = seededBytes(`band ${index} ${bandData}`, bandData * payloadSizeBytes);
      const band = frameBand(framer, payloads, 1000 * index, parts);
      checkParity(framer, band, 1000 * index + bandData, window);
    }
  });
  fc.assert(law, { seed: 11, numRuns: 20 });
});
