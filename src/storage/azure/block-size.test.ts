import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blockSizeBytes, blocksInFlight, blocksPerCopy, maximumBlocks } from './block-size.ts';

const mebibyte = 1024 ** 2;

test('blocks never shrink, begin with 8 MiB, and stay within 4,000 MiB and 50,000', () => {
  for (let copies = 1; copies <= 8; copies += 1) {
    const blocks = blocksPerCopy(copies);
    assert.ok(blocks * copies <= maximumBlocks);
    assert.equal(blockSizeBytes(0, copies), 8 * mebibyte);
    let before = 0;
    let sum = 0;
    for (let index = 0; index < blocks; index += 1) {
      const sizeBytes = blockSizeBytes(index, copies);
      assert.ok(sizeBytes >= before && sizeBytes <= 4000 * mebibyte);
      before = sizeBytes;
      sum += sizeBytes;
    }
    // Two copies of more than 6 TiB; eight of 1.5.
    assert.ok(sum * copies > 12 * 1024 ** 4, `${copies} copies: ${sum}`);
  }
});

test('what is in flight stays near 64 MiB', () => {
  assert.deepEqual(
    [8, 16, 32, 64, 128, 1024].map((size) => blocksInFlight(size * mebibyte)),
    [4, 4, 2, 1, 1, 1],
  );
});
