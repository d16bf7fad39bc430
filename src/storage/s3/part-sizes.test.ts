import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  equalPartBytes,
  growingPartBytes,
  leastPartBytes,
  mostObjectBytes,
  mostParts,
  partsInLane,
} from './part-sizes.ts';

const mostPartBytes = 5 * 2 ** 30;

test('growing parts of any number of lanes reach 5 TiB within the limits', () => {
  for (let lanes = 1; lanes <= 8; lanes += 1) {
    let laneBytes = 0;
    let before = 0;
    for (let index = 0; index < partsInLane(lanes); index += 1) {
      const sizeBytes = growingPartBytes(index, lanes);
      assert.ok(sizeBytes >= Math.max(leastPartBytes, before) && sizeBytes <= mostPartBytes);
      laneBytes += sizeBytes;
      before = sizeBytes;
    }
    assert.ok(laneBytes * lanes >= mostObjectBytes, `${lanes} lanes: ${laneBytes * lanes}`);
    assert.ok(lanes * partsInLane(lanes) <= mostParts);
  }
});

test('what is expected fits in parts that are alike; far more than that fits as well', () => {
  for (const lanes of [1, 2]) {
    const count = partsInLane(lanes);
    for (const expected of [0, 1e9, 2e10, 1e12, mostObjectBytes / lanes]) {
      let laneBytes = 0;
      let index = 0;
      for (; laneBytes < expected; index += 1) {
        assert.equal(growingPartBytes(index, lanes, expected), growingPartBytes(0, lanes, expected));
        laneBytes += growingPartBytes(index, lanes, expected);
      }
      for (; index < count; index += 1) {
        const sizeBytes = growingPartBytes(index, lanes, expected);
        assert.ok(sizeBytes >= leastPartBytes && sizeBytes <= mostPartBytes);
        laneBytes += sizeBytes;
      }
      assert.ok(
        laneBytes > Math.min(mostObjectBytes / lanes, Math.max(3 * expected, 5e11)),
        `${expected}: ${laneBytes}`,
      );
    }
  }
  assert.equal(growingPartBytes(0, 2, 1e10), leastPartBytes);
});

test('parts of an object of a usual size stay small', () => {
  let laneBytes = 0;
  let index = 0;
  for (; laneBytes < 2 * 2 ** 30; index += 1) laneBytes += growingPartBytes(index, 2);
  assert.ok(growingPartBytes(index, 2) < 9 * 2 ** 20);
});

test('equal parts have room for twice of what is expected, up to 5 TiB', () => {
  assert.equal(equalPartBytes(undefined), 16 * 2 ** 20);
  assert.equal(equalPartBytes(1e9), 16 * 2 ** 20);
  for (const expected of [1e11, 1e12, 4e12]) {
    assert.ok(equalPartBytes(expected) * mostParts >= Math.min(2 * expected, mostObjectBytes));
  }
  assert.ok(equalPartBytes(1e15) <= mostPartBytes);
});
