import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { drawMap, mapCells } from './damage-map.ts';
import { blockSizeBytes, blockStates, destroy } from './destroy.ts';
import { differences, fingerprintDatabase, fingerprintTree } from './fingerprint.ts';
import { formatBytes } from './screen.ts';
import { makeShop, shopTables } from './shop.ts';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-demo-test-'));
after(() => rmSync(folder, { recursive: true, force: true }));

test('the same seed makes the same shop, another seed another one', async () => {
  const shops = ['one', 'one', 'two'].map((seed, index) =>
    makeShop({ folder: join(folder, String(index)), seed, scale: 0.01 }),
  );
  const databases = shops.map((shop) => fingerprintDatabase(shop.databasePath).fingerprint);
  assert.deepEqual(differences(databases[0]!, databases[1]!), []);
  assert.ok(differences(databases[0]!, databases[2]!).includes('table orders'));
  assert.equal(databases[0]!.size, shopTables.length + 1);
  const trees = await Promise.all(shops.map((shop) => fingerprintTree(shop.uploadsPath)));
  assert.deepEqual(differences(trees[0]!, trees[1]!), []);
  for (const shop of shops) shop.close();
});

test('the fingerprint of a database sees one changed value, its type, and the schema', () => {
  const path = join(folder, 'fingerprint.db');
  const database = new DatabaseSync(path);
  database.exec('CREATE TABLE a (x, y); INSERT INTO a VALUES (1, 2), (3, NULL); CREATE TABLE b (z)');
  const before = fingerprintDatabase(path);
  assert.equal(before.rowCount, 2);
  for (const change of [
    "UPDATE a SET x = '1' WHERE x = 1",
    'UPDATE a SET x = 1.0 WHERE x = 1',
    "UPDATE a SET x = x'31' WHERE x = 1",
    'DELETE FROM a WHERE x = 3',
  ]) {
    database.exec(`BEGIN; ${change}; COMMIT`);
    assert.deepEqual(differences(before.fingerprint, fingerprintDatabase(path).fingerprint), ['table a'], change);
    database.exec('DELETE FROM a; INSERT INTO a VALUES (3, NULL), (1, 2)');
    assert.deepEqual(differences(before.fingerprint, fingerprintDatabase(path).fingerprint), []);
  }
  database.exec('CREATE INDEX i ON a (x)');
  assert.deepEqual(differences(before.fingerprint, fingerprintDatabase(path).fingerprint), ['schema']);
  database.close();
});

test('the fingerprint of a tree sees contents, mode and time', async () => {
  const shop = makeShop({ folder: join(folder, 'tree'), seed: 'tree', scale: 0.01 });
  shop.close();
  const before = await fingerprintTree(shop.uploadsPath);
  const readme = join(shop.uploadsPath, 'notes', 'README');
  const contents = readFileSync(readme);
  const changes: (() => void)[] = [
    () => chmodSync(readme, 0o604),
    () => utimesSync(readme, 1, 1),
    () => truncateSync(readme, contents.length - 1),
  ];
  let previous = before;
  for (const change of changes) {
    change();
    const now = await fingerprintTree(shop.uploadsPath);
    assert.deepEqual(differences(previous, now), ['file /notes/README']);
    previous = now;
  }
});

test('destroying hits what it says and nothing else', () => {
  const path = join(folder, 'archive');
  const sizeBytes = 100 * blockSizeBytes + 17;
  writeFileSync(path, new Uint8Array(sizeBytes));
  const damage = destroy(path, { seed: 'x', fraction: 0.1, flips: 50 });
  const bytes = readFileSync(path);
  assert.equal(damage.region.lastByte - damage.region.firstByte, Math.ceil(sizeBytes / 10));
  const changedOutside = [...bytes.entries()]
    .filter(([offset, byte]) => byte !== 0 && (offset < damage.region.firstByte || offset >= damage.region.lastByte))
    .map(([offset]) => offset);
  assert.deepEqual(
    changedOutside,
    [...damage.flippedOffsets].sort((left, right) => left - right),
  );
  assert.equal(changedOutside.length, 50);
  const states = blockStates(damage);
  assert.equal(states.length, 101);
  for (const offset of damage.flippedOffsets) assert.notEqual(states[Math.floor(offset / blockSizeBytes)], 0);
});

test('the map has a dot for each damaged block, and colours only where asked', () => {
  const states = new Uint8Array(24);
  states[1] = 1;
  states.fill(2, 8, 16);
  const cells = mapCells(states, 1);
  assert.deepEqual(cells, [
    { dots: 2, gone: false },
    { dots: 255, gone: true },
    { dots: 0, gone: false },
  ]);
  assert.deepEqual(drawMap(cells, { widthCells: 2, colour: false }), ['\u2802\u28ff', '\u2800']);
  assert.deepEqual(drawMap(cells, { widthCells: 3, colour: true }), [
    '\x1b[33m\u2802\x1b[31m\u28ff\x1b[33m\u2800\x1b[0m',
  ]);
});

test('sizes are shown with three digits', () => {
  assert.deepEqual([0, 999, 1_000, 1_234_567, 45_600_000_000].map(formatBytes), [
    '0 bytes',
    '999 bytes',
    '1.00 kB',
    '1.23 MB',
    '45.6 GB',
  ]);
});
