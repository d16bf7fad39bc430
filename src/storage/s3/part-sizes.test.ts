import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  equalPartBytes,
  fitsInEqualParts,
  fitsInLanes,
  heldPartBytes,
  lanePartBytes,
  leastPartBytes,
  mostObjectBytes,
  mostParts,
  partsInLane,
} from './part-sizes.ts';

const mostPartBytes = 5 * 2 ** 30;

test('lanes of what fits have small parts that are alike; more than was expected fits as well, up to 5 TiB', () => {
  for (let lanes = 1; lanes <= 8; lanes += 1) {
    const most = Math.floor((partsInLane(lanes) * 0.8 * heldPartBytes) / 1.12);
    assert.ok(fitsInLanes(most, lanes) && !fitsInLanes(most * 1.001, lanes));
    for (const expected of [0, 1e8, most]) {
      let laneBytes = 0;
      let before = leastPartBytes;
      for (let index = 0; index < partsInLane(lanes); index += 1) {
        const sizeBytes = lanePartBytes(index, lanes, expected);
        if (laneBytes < expected * 1.12) assert.equal(sizeBytes, lanePartBytes(0, lanes, expected));
        assert.ok(sizeBytes >= before && sizeBytes <= mostPartBytes);
        laneBytes += sizeBytes;
        before = sizeBytes;
      }
      assert.ok(lanePartBytes(0, lanes, expected) <= heldPartBytes);
      assert.ok(laneBytes * lanes > 5e11, `${lanes} lanes, ${expected}: ${laneBytes}`);
    }
    assert.ok(lanes * partsInLane(lanes) <= mostParts);
  }
});

test('what is not known fits nowhere', () => {
  assert.equal(fitsInLanes(undefined, 1), false);
  assert.equal(fitsInEqualParts(undefined), false);
});

test('equal parts have room for a quarter more than what is said to fit', () => {
  const most = 0.8 * mostParts * equalPartBytes;
  assert.ok(fitsInEqualParts(most) && !fitsInEqualParts(most + 1));
  assert.ok(mostParts * equalPartBytes < mostObjectBytes);
});
