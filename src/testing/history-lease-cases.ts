import assert from 'node:assert/strict';
import type { Lease } from '../history/history.ts';
import { deadProcess, type HistoryCase, opened } from './history-case.ts';

/** Fails where it was not taken. */
function taken(lease: Lease | undefined): Lease {
  assert.ok(lease, 'the job is not free');
  return lease;
}

/** Cases about who holds a job. */
export const historyLeaseCases: readonly HistoryCase[] = [
  {
    name: 'a job has one holder, until he lets go or dies; who lost it cannot give it back',
    run: (subject) =>
      opened(subject, 2, async (one, other) => {
        assert.ok(one && other);
        const times = { nowMs: 1000, durationMs: 60_000 };
        const lease = taken(await one.takeLease('backup', times));
        assert.equal(await other.takeLease('backup', times), undefined);
        taken(await other.takeLease('backup:crm', times));
        assert.equal(await one.renewLease(lease, times), true);
        await subject.execute(`UPDATE job SET lease_until_ms = 1 WHERE name = 'backup'`);
        const later = taken(await other.takeLease('backup', times));
        assert.equal(await one.renewLease(lease, times), false);
        await one.releaseLease(lease);
        assert.equal(await one.takeLease('backup', times), undefined);
        await other.releaseLease(later);
        taken(await one.takeLease('backup', times));
        await subject.execute(`UPDATE job SET process_id = ${await deadProcess()} WHERE name = 'backup'`);
        taken(await other.takeLease('backup', times));
        await subject.execute(`UPDATE job SET process_id = 1, process_space = 'elsewhere' WHERE name = 'backup'`);
        assert.equal(await one.takeLease('backup', times), undefined, 'nobody here can ask for it');
        await subject.execute(`UPDATE job SET lease_until_ms = ${2 ** 50} WHERE name = 'backup'`);
        taken(await one.takeLease('backup', times));
      }),
  },
  {
    name: 'a lease ends when its time is over, by the clock that all go by',
    run: (subject) =>
      opened(subject, 2, async (one, other) => {
        assert.ok(one && other);
        const at = (nowMs: number) => ({ nowMs, durationMs: 100_000 });
        const lease = taken(await one.takeLease('backup', at(1000)));
        assert.equal(await other.takeLease('backup', at(100_999)), undefined);
        // A machine whose clock is far ahead takes nothing that is held.
        const atItsEnd = await other.takeLease('backup', at(101_000));
        assert.equal(atItsEnd === undefined, subject.isServer);
        assert.equal(await one.renewLease(lease, at(101_000)), subject.isServer);
      }),
  },
  {
    name: 'of many who ask for a job at once one gets it',
    run: (subject) =>
      opened(subject, 8, async (...all) => {
        const times = { nowMs: 5, durationMs: 60_000 };
        const leases = await Promise.all(all.map((history) => history.takeLease('backup', times)));
        assert.equal(leases.filter((lease) => lease !== undefined).length, 1);
        assert.equal(await all[0]?.handledMs('backup'), undefined);
        await all[1]?.setHandledMs('backup', 7);
        await all[1]?.setHandledMs('backup', 1_800_000_000_000.6);
        assert.equal(await all[2]?.handledMs('backup'), 1_800_000_000_001);
        assert.equal(await all[2]?.takeLease('backup', times), undefined, 'still held');
      }),
  },
];
