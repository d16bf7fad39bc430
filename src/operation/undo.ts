import { systemClock } from '../clock.ts';
import { HoldfastError } from '../errors.ts';
import { Secret } from '../secret.ts';
import type { UndoChange } from '../source/engine.ts';
import { engineOfUrl } from '../source/engines.ts';
import { undoFiles } from '../source/files/undo-files.ts';
import type { RunOptions } from './options.ts';

/** What {@link undoRestore} takes: a database or files. */
export interface UndoRestoreOptions extends Pick<RunOptions, 'signal' | 'clock' | 'random'> {
  /** The database that was restored, by its URL. */
  readonly to?: string | Secret;
  /** The folder or file that was restored. */
  readonly files?: string;
  /** Says what would be done, and changes nothing. */
  readonly dryRun?: boolean;
  /** How long a lock or a silent server is waited for, in milliseconds; 60,000 unless set. */
  readonly timeoutMs?: number;
}

/** What {@link undoRestore} did, or would do. */
export interface UndoReport extends UndoChange {
  /** `files`, or the kind of database: `sqlite`. */
  readonly kind: string;
  readonly dryRun: boolean;
  readonly durationMs: number;
}

/**
 * Brings back what the newest restore of a target replaced, and keeps what stands there now: a second undo takes the first one back.
 * A database is the one or the other at any moment, whole. Of files, those that the restore replaced come back; those that it added stay.
 *
 * Throws `target.no_undo` where nothing is kept, `target.busy`, `usage.invalid`, `operation.interrupted`, and what the server throws.
 *
 * @example
 * const { restored, undo } = await undoRestore({ to: 'sqlite:shop.db' });
 */
export async function undoRestore(options: UndoRestoreOptions): Promise<UndoReport> {
  const { to, files, dryRun = false, ...rest } = options;
  const clock = options.clock ?? systemClock;
  const startMs = clock.monotonicMs();
  if ((to === undefined) === (files === undefined)) {
    throw new HoldfastError('usage.invalid', { message: 'an undo has one target: a database or files' });
  }
  const report = (kind: string, change: UndoChange): UndoReport => {
    return { kind, ...change, dryRun, durationMs: Math.round(clock.monotonicMs() - startMs) };
  };
  if (files !== undefined) return report('files', await undoFiles(files, { ...rest, dryRun }));
  const url = to instanceof Secret ? to : new Secret(to ?? '');
  const engine = engineOfUrl(url.reveal());
  return report(engine.name, await engine.undo({ ...rest, url, dryRun }));
}
