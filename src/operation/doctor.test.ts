import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryStorage } from '../storage/memory/memory-storage.ts';
import { examineStorage } from './doctor.ts';

async function storageWith(names: readonly string[]): Promise<MemoryStorage> {
  let nowMs = Date.UTC(2026, 0, 1);
  const clock = { nowMs: () => nowMs, monotonicMs: () => nowMs };
  const storage = new MemoryStorage({ clock });
  for (const name of names) {
    nowMs += 3_600_000;
    const writer = await storage.writer(name, { copies: 1 });
    await writer.write(new TextEncoder().encode('a dump'));
    await writer.commit();
  }
  return storage;
}

test('the age is that of the last good backup: those that are suspect or damaged are passed over, and told', async () => {
  const names = [1, 2, 3].map((hour) => `shop_20260101_0${hour}0000_default.sql.gz`);
  const storage = await storageWith(names);
  const nowMs = Date.UTC(2026, 0, 1, 5);
  const clock = { nowMs: () => nowMs, monotonicMs: () => nowMs };
  const examine = async (doubtful: readonly (string | undefined)[]) => {
    const isDoubtful = (url: string) => doubtful.some((name) => name !== undefined && url === storage.url(name));
    const found = await examineStorage({ name: 'near', storage, readOnly: true, isDoubtful, clock });
    const backups = found.find(({ part }) => part === 'backups');
    return `${backups?.state}: ${backups?.message}`;
  };
  assert.equal(await examine([]), `ok: the last good backup, ${names[2]}, is 2 h old`);
  assert.equal(
    await examine([names[2]]),
    `warning: the last good backup, ${names[1]}, is 3 h old; one is suspect or damaged since`,
  );
  assert.equal(
    await examine([names[2], names[1]]),
    `warning: the last good backup, ${names[0]}, is 4 h old; 2 are suspect or damaged since`,
  );
  assert.equal(await examine([names[0]]), `ok: the last good backup, ${names[2]}, is 2 h old`);
  assert.equal(await examine(names), 'failed: no backup is good');
});
