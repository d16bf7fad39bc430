import { Secret } from '../../src/secret.ts';
import type { DatabaseTargetOptions } from '../../src/source/database-options.ts';
import { MysqlSource } from '../../src/source/mysql/mysql-source.ts';
import { MysqlTarget } from '../../src/source/mysql/mysql-target.ts';
import type { RestorableEntry, TargetChange } from '../../src/source/target.ts';
import { type CollectedEntry, collectSource } from '../../src/testing/source-cases.ts';

export type Entry = CollectedEntry & RestorableEntry;

/** Backs a database up to memory. */
export async function backUp(url: string, options: Record<string, unknown> = {}): Promise<readonly Entry[]> {
  const { entries } = await collectSource(new MysqlSource({ url: new Secret(url), ...options }));
  return entries.map((entry) => ({ ...entry, sizeBytes: entry.bytes.length }));
}

/** Restores entries as the operation does: plan, phases, several at once, commit; abort when something fails. */
export async function restore(
  url: string,
  entries: readonly Entry[],
  options: Partial<DatabaseTargetOptions> = {},
): Promise<TargetChange> {
  const target = new MysqlTarget({ url: new Secret(url), ...options });
  try {
    await target.plan(entries);
    for (const phase of new Set(entries.map((entry) => target.phaseOf(entry)).sort((a, b) => a - b))) {
      const queue = entries.filter((entry) => target.phaseOf(entry) === phase);
      const work = async () => {
        for (let entry = queue.shift(); entry !== undefined; entry = queue.shift())
          await target.stage(entry, chunksOf(entry.bytes));
      };
      await Promise.all(Array.from({ length: target.parallelEntries }, work));
    }
    return await target.commit();
  } catch (error) {
    await target.abort();
    throw error;
  }
}

/** In memory that is used again, as chunks of an archive are. */
async function* chunksOf(bytes: Buffer): AsyncGenerator<Uint8Array> {
  const memory = Buffer.alloc(100_000);
  for (let at = 0; at < bytes.length; at += memory.length)
    yield memory.subarray(0, bytes.copy(memory, 0, at, at + memory.length));
}
