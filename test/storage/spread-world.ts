/** An archive over storages in memory, for tests. */
import assert from 'node:assert/strict';
import { WorkerPool } from '../../src/archive/worker/worker-pool.ts';
import { MemoryStorage } from '../../src/storage/memory/memory-storage.ts';
import { SpreadStorage } from '../../src/storage/spread/spread-storage.ts';
import { FaultyStorage, SeededRandom } from '../../src/testing/index.ts';
import { readAll } from '../../src/testing/storage-case.ts';
import { makeSubject } from '../damage/subject.ts';

/** What the archive is called. */
export const name = 'daily/shop.holdfast';

/** Storages in memory that may fail, and archives over them. */
export function world(shape = { data: 3, parity: 2 }) {
  const inner = Array.from({ length: shape.data + shape.parity }, () => new MemoryStorage());
  const faulty = inner.map((storage, seed) => new FaultyStorage(storage, { seed }));
  const members = faulty.map((storage, index) => ({ label: 'abcdefghij'[index] ?? '', storage }));
  let seed = 0;
  const make = () => {
    seed += 1;
    return new SpreadStorage({ shape, members, random: new SeededRandom(seed) });
  };
  return { inner, faulty, make, storage: make() };
}

/** Two archives, the second one shorter. */
export async function twoArchives(): Promise<readonly [archive: Uint8Array, newer: Uint8Array]> {
  const workers = new WorkerPool(1);
  try {
    const options = { name: 'spread', copies: 1 };
    const { bytes: archive } = await makeSubject(workers, { ...options, seed: 1, sizeBytes: 200_000 });
    const { bytes: newer } = await makeSubject(workers, { ...options, seed: 2, sizeBytes: 100_000 });
    return [archive, newer];
  } finally {
    await workers.close();
  }
}

/** All bytes of the archive. */
export async function read(storage: SpreadStorage): Promise<Buffer> {
  const opened = await storage.open(name);
  try {
    return Buffer.from(await readAll(opened));
  } finally {
    await opened.close();
  }
}

/** Writes with a check that passes, as a backup does. */
export async function write(storage: SpreadStorage, bytes: Uint8Array) {
  const writer = await storage.writer(name, { copies: 1 });
  try {
    await writer.write(bytes);
    const stored = await writer.commit(async (access) => {
      assert.ok(Buffer.from(await readAll(access)).equals(bytes));
    });
    return {
      stored,
      failed: (writer.parts ?? []).filter(({ error }) => error !== undefined).map(({ label }) => label),
    };
  } catch (error) {
    await writer.abort();
    throw error;
  }
}
