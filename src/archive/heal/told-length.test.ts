import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { plainCopy, plainHeader } from '../../../test/archive/plain-copy.ts';
import { one, open, sourceOf, two, without, workers } from '../../../test/archive/small-store.ts';
import { HoldfastError } from '../../errors.ts';
import { BlockStore } from './block-store.ts';
import { blockSizeBytes } from './geometry.ts';

after(() => workers.close());

const range = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, index) => first + index);
/** Of the second band: parity, and the final headers. */
const parity = range(204, 219);
const finals = range(220, 222);

/** Leaves of a block its frame, with some bytes of it changed. */
function frameAlone(bytes: Buffer, block: number, ...changed: number[]): Buffer {
  const damaged = Buffer.from(bytes);
  damaged.fill(7, block * blockSizeBytes + 32, (block + 1) * blockSizeBytes);
  for (const at of changed) damaged[block * blockSizeBytes + at]! ^= 0x55;
  return damaged;
}

async function knows(archive: Parameters<typeof open>[0], bytes: Uint8Array): Promise<boolean> {
  return await (await open(archive, bytes)).store.knowsLength();
}

test('a whole archive tells its length by its final headers, and no more of it is read', async () => {
  const { store, reads } = await open(one);
  assert.equal(await store.knowsLength(), true);
  assert.deepEqual(reads, [[220, 3]]);
});

test('any final header, or parity of a band that is not full, tells it, in any copy', async () => {
  for (const kept of [...finals, ...parity]) {
    const lost = [...finals, ...parity].filter((block) => block !== kept);
    assert.equal(await knows(one, without(one.file, ...lost)), true, `block ${kept}`);
    assert.equal(await knows(two, without(two.file, ...range(204, 222), ...lost.map((block) => 223 + block))), true);
  }
  assert.equal(await knows(one, without(one.file, ...finals, ...parity)), false);
  assert.equal(await knows(two, without(two.file, ...range(204, 222), ...range(427, 445))), false);
});

test('a frame is enough, with at most four wrong bytes, all of them in the id', async () => {
  const endless = without(one.file, ...finals, ...parity);
  const withBlock = (block: number) => {
    const bytes = Buffer.from(endless);
    one.file.copy(bytes, block * blockSizeBytes, block * blockSizeBytes, (block + 1) * blockSizeBytes);
    return bytes;
  };
  for (const block of [221, 210]) {
    const bytes = withBlock(block);
    assert.equal(await knows(one, frameAlone(bytes, block, 0, 5, 9, 15)), true);
    assert.equal(await knows(one, frameAlone(bytes, block, 0, 5, 9, 14, 15)), false);
    for (const at of range(16, 31)) assert.equal(await knows(one, frameAlone(bytes, block, at)), false, `byte ${at}`);
  }
});

test('parity of a full band does not tell it, since others may have followed', async () => {
  for (const [dataBlocks, count, isTold] of [
    [1, 63, true],
    [1, 64, false],
    [2, 127, true],
    [2, 128, false],
  ] as const) {
    const header = plainHeader(1, { dataBlocks, parityBlocks: 2, copies: 1, segmentSizeBytes: 9000 });
    const { bytes, layout } = plainCopy(count, header);
    const last = layout.totalBlocks - 1;
    const store = await BlockStore.open({ sources: [sourceOf(without(bytes, last - 2, last - 1, last))], workers });
    assert.equal(await store.knowsLength(), isTold);
  }
});

test('where the size tells another length, the blocks are looked for; where they tell none, none is known', async () => {
  const told = { truth: 0, nothing: 0 };
  for (let lostBlocks = 1; lostBlocks < 60; lostBlocks++) {
    const cut = one.file.subarray(0, one.file.length - lostBlocks * blockSizeBytes);
    // Most sizes are that of no archive.
    const opened = await open(one, cut).catch((error: unknown) => assert.ok(error instanceof HoldfastError));
    const isTold = (await opened?.store.knowsLength()) ?? false;
    assert.equal(isTold, lostBlocks <= 18, `${lostBlocks} blocks less`);
    if (isTold) assert.equal(opened?.store.layout.totalBlocks, 223);
    if (isTold) told.truth += 1;
    else if (opened !== undefined) told.nothing += 1;
  }
  assert.ok(told.truth === 18 && told.nothing > 0, JSON.stringify(told));
});
