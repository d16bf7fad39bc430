import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bodySizeBytes } from './geometry.ts';
import { findBlanks, StripeReading } from './stripe-reading.ts';

/** A body without equal neighbours, changed where asked. */
function body(changes: Record<number, number> = {}): Uint8Array {
  const bytes = Uint8Array.from({ length: bodySizeBytes }, (_, at) => at % 251);
  for (const [at, value] of Object.entries(changes)) bytes[Number(at)] = value;
  return bytes;
}

function makeReading(): StripeReading {
  return new StripeReading(new Uint8Array(255 * bodySizeBytes), 4);
}

/** Columns of the reading with their erased places. */
function erasuresOf(reading: StripeReading): Record<number, number[]> {
  const found: Record<number, number[]> = {};
  for (const [column, count] of reading.erasureCounts.entries()) {
    if (count > 0) found[column] = [...reading.erasures.subarray(column * 4, column * 4 + Math.min(count, 4))];
  }
  return found;
}

function valuesOf(reading: StripeReading, place: number): Uint8Array {
  return reading.values.slice(place * bodySizeBytes, (place + 1) * bodySizeBytes);
}

test('holes are runs of 32 equal bytes and more', () => {
  assert.equal(findBlanks(body()), undefined);
  assert.equal(findBlanks(body().fill(9, 100, 131)), undefined);
  const blanks = findBlanks(
    body()
      .fill(9, 100, 132)
      .fill(0, bodySizeBytes - 40),
  );
  const inHole = (at: number) => (at >= 100 && at < 132) || at >= bodySizeBytes - 40;
  assert.ok(blanks?.every((mark, at) => mark === (inHole(at) ? 1 : 0)));
  assert.ok(findBlanks(new Uint8Array(bodySizeBytes))?.every((mark) => mark === 1));
  // A byte in front of a hole that happens to have its value belongs to it only where nothing stands between.
  const near = body().fill(5, 0, 40);
  near[1] = 6;
  assert.deepEqual(findBlanks(near)?.subarray(0, 3), Uint8Array.of(0, 0, 1));
});

test('one copy is presumed right, and two where they agree', () => {
  const reading = makeReading();
  reading.setDamaged(3, [{ bytes: body({ 5: 1 }) }]);
  assert.deepEqual(erasuresOf(reading), {});
  assert.deepEqual(valuesOf(reading, 3), body({ 5: 1 }));
  reading.setDamaged(8, [{ bytes: body({ 0: 77, 9: 1 }) }, { bytes: body({ 9: 1, 4047: 7 }) }]);
  assert.deepEqual(erasuresOf(reading), { 0: [8], 4047: [8] });
  assert.equal(valuesOf(reading, 8)[9], 1);
  reading.clear();
  assert.deepEqual(erasuresOf(reading), {});
});

test('more copies vote byte by byte, and a tie is an erasure', () => {
  const reading = makeReading();
  reading.setDamaged(0, [{ bytes: body({ 1: 9, 2: 9 }) }, { bytes: body({ 2: 8 }) }, { bytes: body({ 2: 7, 3: 5 }) }]);
  assert.deepEqual(erasuresOf(reading), { 2: [0] });
  assert.deepEqual(valuesOf(reading, 0), body({ 2: valuesOf(reading, 0)[2]! }));
  reading.clear();
  const four = [body({ 1: 9, 2: 9, 3: 9 }), body({ 1: 9, 2: 9, 3: 7 }), body({ 2: 7 }), body({ 2: 7 })];
  reading.setDamaged(
    1,
    four.map((bytes) => ({ bytes })),
  );
  assert.deepEqual(erasuresOf(reading), { 1: [1], 2: [1] }, 'two against two twice, two against one and one');
  assert.deepEqual(valuesOf(reading, 1)[3], 3);
  reading.clear();
  const last = bodySizeBytes - 1;
  const three = [body({ 0: 9, [last]: 9 }), body({ 0: 8, [last]: 8 }), body()];
  reading.setDamaged(
    1,
    three.map((bytes) => ({ bytes })),
  );
  assert.deepEqual(erasuresOf(reading), { 0: [1], [last]: [1] }, 'in the first and in the last column');
});

test('holes have no vote', () => {
  const reading = makeReading();
  const holed = body().fill(0, 1000, 2000);
  const marked = { bytes: holed, blanks: findBlanks(holed) };
  reading.setDamaged(2, [marked, { bytes: body() }]);
  assert.deepEqual(erasuresOf(reading), {});
  assert.deepEqual(valuesOf(reading, 2), body());
  // One believed byte against another: that the hole has the value of one of them is no vote for it.
  reading.setDamaged(3, [marked, { bytes: body({ 1500: 0 }) }, { bytes: body() }]);
  assert.deepEqual(erasuresOf(reading), { 1500: [3] });
  reading.clear();
  reading.setDamaged(4, [marked]);
  assert.deepEqual(
    Object.keys(erasuresOf(reading)).map(Number),
    Array.from({ length: 1000 }, (_, at) => 1000 + at),
  );
  assert.deepEqual(valuesOf(reading, 4), holed);
});

test('a place without a copy is an erasure in each column, and no count overflows', () => {
  const reading = makeReading();
  for (let place = 0; place < 255; place++) reading.setDamaged(place, []);
  reading.setErased(0);
  assert.ok(reading.erasureCounts.every((count) => count === 255));
  assert.deepEqual(erasuresOf(reading)[bodySizeBytes - 1], [0, 1, 2, 3]);
});

test('a place keeps to its own values', () => {
  const reading = makeReading();
  const marked = { bytes: body(), blanks: new Uint8Array(bodySizeBytes) };
  const changes = [
    () => reading.setErased(2),
    () => reading.setIntact(2, body()),
    () => reading.setDamaged(2, [{ bytes: body() }, { bytes: body({ 3: 9 }) }]),
    () => reading.setDamaged(2, [marked, { bytes: body() }, { bytes: body({ 3: 9 }) }]),
  ];
  for (const [index, change] of changes.entries()) {
    reading.values.fill(200);
    change();
    for (const place of [0, 1, 3, 4]) assert.ok(valuesOf(reading, place).every((value) => value === 200));
    assert.deepEqual(valuesOf(reading, 2), index === 0 ? new Uint8Array(bodySizeBytes) : body());
  }
});
