import type { Stats } from 'node:fs';
import { type FileHandle, open, utimes } from 'node:fs/promises';
import type { Clock } from '../../clock.ts';
import { HoldfastError } from '../../errors.ts';
import { heartbeatMs } from '../staging.ts';
import type { RestorableEntry } from '../target.ts';
import { archivedTables } from './archived-tables.ts';
import { inspectDatabase } from './inspect.ts';
import { sqliteResultCode } from './sqlite-error.ts';

/** Where a database is staged. */
interface Stage {
  /** A file that is not there yet. */
  readonly path: string;
  readonly clock: Clock;
}

/** Writes an archived database to a file, durably, and checks it: whole, with the rows that were counted when it was backed up. */
export async function stageDatabase(
  entry: RestorableEntry,
  bytes: AsyncIterable<Uint8Array>,
  stage: Stage,
): Promise<void> {
  const handle = await open(stage.path, 'wx+', 0o600);
  try {
    await write(entry, handle, bytes, stage);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await check(entry, stage.path);
}

async function write(
  entry: RestorableEntry,
  handle: FileHandle,
  bytes: AsyncIterable<Uint8Array>,
  { path, clock }: Stage,
): Promise<void> {
  let sizeBytes = 0;
  let beatMs = clock.monotonicMs();
  for await (const chunk of bytes) {
    for (let done = 0; done < chunk.length; )
      done += (await handle.write(chunk, done, chunk.length - done)).bytesWritten;
    sizeBytes += chunk.length;
    if (clock.monotonicMs() - beatMs < heartbeatMs) continue;
    // Tells other restores that this one is at work.
    const seconds = clock.nowMs() / 1000;
    await utimes(path, seconds, seconds);
    beatMs = clock.monotonicMs();
  }
  if (sizeBytes !== entry.sizeBytes) {
    const message = `${entry.path} has ${sizeBytes} bytes where the index tells of ${entry.sizeBytes}`;
    throw new HoldfastError('target.invalid', { message, context: { path: entry.path } });
  }
}

async function check(entry: RestorableEntry, path: string): Promise<void> {
  const invalid = (message: string, cause?: unknown) =>
    new HoldfastError('target.invalid', {
      message: `${entry.path}: ${message}`,
      context: { path: entry.path },
      cause,
    });
  const contents = await inspectDatabase(path).catch((error: unknown) => {
    throw sqliteResultCode(error) === undefined ? error : invalid(error instanceof Error ? error.message : '', error);
  });
  if (contents.faults.length > 0) throw invalid(`the integrity check fails: ${contents.faults.join('; ')}`);
  const counted = new Map(contents.tables.map(({ name, rows }) => [name, rows]));
  for (const { name, rows } of archivedTables(entry)) {
    const found = counted.get(name);
    if (contents.uncounted.includes(name)) continue;
    if (found !== rows) throw invalid(`table ${name} has ${found ?? 'no'} rows where ${rows} were backed up`);
  }
  const rows = entry.metadata['rows'];
  if (contents.uncounted.length > 0 || typeof rows !== 'number' || rows === contents.rows) return;
  throw invalid(`${contents.rows} rows where ${rows} were backed up`);
}

/** Gives a staged file the mode and, where it may, the owner of what it replaces. */
export async function dressAs(path: string, old: Stats | undefined): Promise<void> {
  const handle = await open(path, 'r+');
  try {
    if (old !== undefined && process.getuid?.() === 0) await handle.chown(old.uid, old.gid);
    await handle.chmod(old === undefined ? 0o644 & ~process.umask() : old.mode & 0o777);
    await handle.sync();
  } finally {
    await handle.close();
  }
}
