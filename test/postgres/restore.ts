import { Secret } from '../../src/secret.ts';
import type { DatabaseTargetOptions } from '../../src/source/database-options.ts';
import { PostgresSource } from '../../src/source/postgres/postgres-source.ts';
import { PostgresTarget } from '../../src/source/postgres/postgres-target.ts';
import type { RestorableEntry, TargetChange } from '../../src/source/target.ts';
import { type CollectedEntry, collectSource } from '../../src/testing/source-cases.ts';

export type Entry = CollectedEntry & RestorableEntry;

/** Backs a database up to memory. */
export async function backUp(url: string, options: Record<string, unknown> = {}): Promise<readonly Entry[]> {
  const { entries } = await collectSource(new PostgresSource({ url: new Secret(url), ...options }));
  return entries.map((entry) => ({ ...entry, sizeBytes: entry.bytes.length }));
}

/** Restores entries as the operation does: plan, those without bytes first, phase by phase, commit; abort when something fails. */
export async function restore(
  url: string,
  entries: readonly Entry[],
  options: Partial<DatabaseTargetOptions> & { readonly onStaged?: (path: string) => void } = {},
): Promise<TargetChange> {
  const target = new PostgresTarget({ url: new Secret(url), timeoutMs: 20_000, ...options });
  const rank = (entry: Entry) => (entry.sizeBytes === 0 ? -1 : target.phaseOf(entry));
  try {
    await target.plan(entries);
    for (const entry of [...entries].sort((a, b) => rank(a) - rank(b))) {
      await target.stage(entry, chunksOf(entry.bytes));
      options.onStaged?.(entry.path);
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
  for (let at = 0; at < bytes.length; at += memory.length) {
    yield memory.subarray(0, bytes.copy(memory, 0, at, at + memory.length));
  }
}
