import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { Corruptor, type Damage } from './corruptor.ts';
import { SeededRandom } from './seeded-random.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-corruptor-'));
});
after(() => rm(folder, { recursive: true, force: true }));

const corruptor = (seed = 1) => new Corruptor(new SeededRandom(seed));
/** No zeros, so that each zero is a damage. */
const original = new SeededRandom(2).bytes(100_000).map((byte) => byte || 1);
const foreign = new Uint8Array([1, 2, 3]);

function changedPlaces(damaged: Uint8Array): number[] {
  assert.equal(damaged.length, original.length);
  return [...damaged.keys()].filter((index) => damaged[index] !== original[index]);
}

test('ranges are zeroed or lost, and nothing around them', () => {
  const zeroed = corruptor().zeroRange(100, 50).applyTo(original);
  const places = changedPlaces(zeroed);
  assert.deepEqual([places[0], places.at(-1), places.length], [100, 149, 50]);
  assert.ok(zeroed.subarray(100, 150).every((byte) => byte === 0));
  const lost = changedPlaces(corruptor().loseRange(100, 5000).applyTo(original));
  assert.ok(lost[0] !== undefined && lost[0] >= 100 && (lost.at(-1) ?? 0) < 5100 && lost.length > 4900);
  assert.equal(changedPlaces(corruptor().zeroRange(99_990, 50).applyTo(original)).length, 10);
  assert.equal(changedPlaces(corruptor().zeroRange(200_000, 50).applyTo(original)).length, 0);
});

test('exactly as many bytes are flipped as asked', () => {
  for (const count of [0, 1, 2, 1000])
    assert.equal(changedPlaces(corruptor().flipBytes(count).applyTo(original)).length, count);
  const small = new Uint8Array([7, 8, 9]);
  const flipped = corruptor().flipBytes(5).applyTo(small);
  assert.ok(flipped.every((byte, index) => byte !== small[index]));
});

test('random errors have their rate, all over', () => {
  const places = changedPlaces(corruptor().randomErrors(0.01).applyTo(original));
  assert.ok(places.length > 850 && places.length < 1150, `${places.length}`);
  for (let part = 0; part < 10; part += 1) {
    const count = places.filter((place) => Math.floor(place / 10_000) === part).length;
    assert.ok(count > 50 && count < 150, `${count} in part ${part}`);
  }
  for (const rate of [0, 1, -1]) assert.throws(() => corruptor().randomErrors(rate));
});

test('the fraction of sectors that is lost is exact, and they are lost whole', () => {
  for (const [fraction, lost] of [
    [0, 0],
    [0.15, 15],
    [0.5, 50],
    [1, 100],
  ] as const) {
    const damaged = corruptor().loseSectors(fraction, { sectorBytes: 1000, fill: 'zero' }).applyTo(original);
    const sectors = new Map<number, number>();
    for (const place of changedPlaces(damaged)) {
      const sector = Math.floor(place / 1000);
      sectors.set(sector, (sectors.get(sector) ?? 0) + 1);
    }
    assert.equal(sectors.size, lost);
    assert.ok([...sectors.values()].every((count) => count === 1000));
  }
  const random = corruptor().loseSectors(0.2).applyTo(original);
  const touched = new Set(changedPlaces(random).map((place) => Math.floor(place / 4096)));
  assert.equal(touched.size, Math.round(0.2 * Math.ceil(original.length / 4096)));
});

test('bytes are inserted, removed, cut, swapped and added', () => {
  const bytes = new Uint8Array([10, 11, 12, 13, 14]);
  const given = bytes.slice();
  const results: readonly (readonly [Damage, readonly number[]])[] = [
    [corruptor().insert(0, foreign), [1, 2, 3, 10, 11, 12, 13, 14]],
    [corruptor().insert(2, foreign), [10, 11, 1, 2, 3, 12, 13, 14]],
    [corruptor().insert(99, foreign), [10, 11, 12, 13, 14, 1, 2, 3]],
    [corruptor().remove(1, 2), [10, 13, 14]],
    [corruptor().remove(3, 99), [10, 11, 12]],
    [corruptor().remove(99, 1), [10, 11, 12, 13, 14]],
    [corruptor().truncate(0), []],
    [corruptor().truncate(2), [10, 11]],
    [corruptor().truncate(9), [10, 11, 12, 13, 14]],
    [corruptor().swapHalves(), [12, 13, 14, 10, 11]],
    [corruptor().appendForeign(foreign), [10, 11, 12, 13, 14, 1, 2, 3]],
    [corruptor().embed(foreign, new Uint8Array([9])), [1, 2, 3, 10, 11, 12, 13, 14, 9]],
  ];
  for (const [damage, expected] of results) assert.deepEqual([...damage.applyTo(bytes)], expected, damage.description);
  assert.deepEqual(bytes, given);
});

function everyDamage(seed: number): Damage[] {
  const make = corruptor(seed);
  const place = seed % 90_000;
  return [
    make.zeroRange(place, 1001),
    make.loseRange(place, 7777),
    make.flipBytes(50),
    make.randomErrors(0.003),
    make.loseSectors(0.15),
    make.loseSectors(0.3, { sectorBytes: 513, fill: 'zero' }),
    make.insert(place, foreign),
    make.remove(place, 999),
    make.truncate(place),
    make.swapHalves(),
    make.appendForeign(foreign),
    make.embed(foreign, foreign),
  ];
}

test('one seed gives one damage, each time it is applied; another seed another', () => {
  const property = fc.property(fc.nat(1_000_000), fc.uint8Array({ maxLength: 3000 }), (seed, bytes) => {
    const again = everyDamage(seed);
    everyDamage(seed).forEach((damage, index) => {
      const damaged = damage.applyTo(bytes);
      assert.deepEqual(damage.applyTo(bytes), damaged);
      assert.deepEqual(again[index]?.applyTo(bytes), damaged);
      assert.equal(again[index]?.description, damage.description);
    });
  });
  fc.assert(property, { seed: 1, numRuns: 50 });
  assert.notDeepEqual(corruptor(1).flipBytes(9).applyTo(original), corruptor(2).flipBytes(9).applyTo(original));
});

test('a file is damaged as bytes are, across chunks too', async () => {
  const large = new SeededRandom(3).bytes(2 * 1024 * 1024 + 12_345);
  const path = join(folder, 'file');
  const across = [
    corruptor().loseRange(1024 * 1024 - 13, 1_000_001),
    corruptor().loseSectors(0.4, { sectorBytes: 300_007 }),
  ];
  for (const damage of [...everyDamage(77), ...across]) {
    await writeFile(path, large);
    await damage.applyToFile(path);
    assert.equal(Buffer.compare(await readFile(path), damage.applyTo(large)), 0, damage.description);
    assert.deepEqual(await readdir(folder), ['file']);
  }
});

test('the description names the damage and its seed', () => {
  assert.match(corruptor(7).zeroRange(4096, 100).description, /^zero 100 bytes at 4096 \[seed 7\/\d+\]$/u);
});
