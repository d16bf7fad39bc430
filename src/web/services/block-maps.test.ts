import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BlockStep } from '../../operation/options.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import { BlockMaps } from './block-maps.ts';

const place = { storage: 'local', name: 'a.holdfast' };

function step(cells: readonly string[], isDone: boolean, from = 0): BlockStep {
  const counts = { intact: 0, damaged: 0, solved: 0, lost: 0 };
  return {
    archiveId: 'ab12',
    blocks: { perCopy: 6, copies: 2, ...counts },
    dataBlocks: 239,
    parityBlocks: 16,
    cellCount: 6,
    changes: cells.map((part, copy) => ({ copy, from, cells: part })),
    isDone,
  };
}

test('a map grows while it is read, and is kept', () => {
  const maps = new BlockMaps(new FakeClock(7000));
  assert.equal(maps.get(place), undefined);
  maps.see('job1', place, step(['=+', '=='], false));
  assert.deepEqual(maps.get(place)?.copies, ['=+....', '==....']);
  assert.equal(maps.get(place)?.isBeingRead, true);
  maps.see('job1', place, step(['====', '=#=='], true, 2));
  assert.deepEqual(maps.get(place)?.copies, ['=+====', '===#==']);
  assert.deepEqual([maps.get(place)?.isBeingRead, maps.get(place)?.lookedMs], [false, 7000]);
  assert.equal(maps.get({ ...place, storage: 'offsite' }), undefined);
});

test('what the same job reads again is healed where it was damaged; what another reads is what it is', () => {
  const maps = new BlockMaps(new FakeClock(0));
  maps.see('scrub', place, step(['=+#===', '======'], true));
  maps.see('scrub', place, step(['==', '=='], false));
  assert.deepEqual(maps.get(place)?.copies, ['=~#===', '======'], 'the rest as it was found before');
  maps.see('scrub', place, step(['=+==', '===='], true, 2));
  assert.deepEqual(maps.get(place)?.copies, ['=~~+==', '======']);
  maps.see('verify', place, step(['===+==', '======'], true));
  assert.deepEqual(maps.get(place)?.copies, ['===+==', '======']);
});

test('a reading that is broken off leaves what was known', () => {
  const maps = new BlockMaps(new FakeClock(0));
  maps.see('first', place, step(['=+====', '======'], true));
  maps.see('second', place, step(['==', '=='], false));
  assert.deepEqual(maps.get(place)?.copies, ['==....', '==....']);
  maps.end('second');
  assert.deepEqual(maps.get(place)?.copies, ['=+====', '======']);
  const other = { storage: 'offsite', name: 'a.holdfast' };
  maps.see('third', other, step(['==', '=='], false));
  maps.end('third');
  assert.deepEqual([maps.get(other)?.copies, maps.get(other)?.isBeingRead], [['==....', '==....'], false]);
});

test('who looks on is told what is new of an archive, and of no other', async () => {
  const maps = new BlockMaps(new FakeClock(0));
  maps.see('job', place, step(['======', '======'], true));
  const ending = new AbortController();
  const events = maps.follow('a.holdfast', ending.signal);
  const next = events.next();
  maps.see('job2', { storage: 'local', name: 'b.holdfast' }, step(['==', '=='], false));
  maps.see('job2', place, step(['=+', '=='], false));
  const first = await next;
  assert.ok(first.done !== true);
  assert.deepEqual(
    [first.value.storage, first.value.changes],
    [
      'local',
      [
        { copy: 0, from: 1, cells: '+....' },
        { copy: 1, from: 2, cells: '....' },
      ],
    ],
  );
  const later = events.next();
  maps.see('job2', place, step(['====', '===='], true, 2));
  const second = await later;
  assert.ok(second.done !== true);
  assert.deepEqual(second.value.changes, [
    { copy: 0, from: 2, cells: '====' },
    { copy: 1, from: 2, cells: '====' },
  ]);
  const last = events.next();
  ending.abort();
  assert.equal((await last).done, true);
});
