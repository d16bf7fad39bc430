import { tmpdir } from 'node:os';
import { systemClock, timeoutSignal } from '../clock.ts';
import { HoldfastError, throwIfAborted } from '../errors.ts';
import { removeTree } from '../source/staging.ts';
import { drillArchive } from './drill-archive.ts';
import { runChecks } from './drill-checks.ts';
import type { DrillOptions, DrillReport } from './drill-options.ts';
import { drillPlain } from './drill-plain.ts';
import { type DrillRun, filesFolderOf } from './drill-run.ts';
import { errorReport } from './error-report.ts';
import { locationLabel } from './location.ts';
import { isPlainDump } from './plain-restore.ts';
import { withTemporaryFolder } from './temporary-folder.ts';

const defaultTimeoutMs = 60_000;
/** Differences that are told; there may be one for each file. */
const shownDifferences = 100;

/**
 * Restores an archive or a plain dump to where nothing is: databases to new ones with names of their own, which are dropped again, on the
 * servers where they came from or on others; SQLite databases and files to a folder of this user only, which is removed. What was restored
 * is read again, and compared with what the archive says: rows of each table, definitions, every byte of files. Then the checks run.
 *
 * Differences and checks that fail are a result (`isProven: false`), not an error. Nothing that was there before is touched; roles, events of
 * MySQL, and output of commands are read and not restored. Throws `archive.damaged`, `archive.corrupt`, `key.missing`, `key.wrong`,
 * `target.incompatible`, `target.invalid`, `storage.full`, `storage.unauthorized`, `drill.failed` (`limitMs` is over), `usage.invalid`,
 * `operation.interrupted`, and what opening throws.
 *
 * @example
 * const report = await drillBackup({
 *   archive: 'shop.holdfast',
 *   keys: { passphrases: [passphrase] },
 *   servers: ['postgres://drill@localhost/postgres'],
 *   checks: [{ sql: 'SELECT count(*) FROM invoice', expect: { atLeast: 1 } }],
 * });
 */
export async function drillBackup(options: DrillOptions): Promise<DrillReport> {
  const { limitMs, clock = systemClock, temporaryFolder = tmpdir() } = options;
  const startMs = clock.monotonicMs();
  const limit = limitMs === undefined ? new AbortController().signal : timeoutSignal(limitMs);
  const signal = AbortSignal.any(options.signal === undefined ? [limit] : [limit, options.signal]);
  const leftovers: string[] = [];
  try {
    return await withTemporaryFolder({ parent: temporaryFolder, clock }, async (folder) => {
      const run: DrillRun = { options, signal, folder, scratches: new Map() };
      try {
        const report = await drillAndCheck(run);
        await cleanUp(run, leftovers);
        return { ...report, leftovers, durationMs: Math.round(clock.monotonicMs() - startMs) };
      } catch (error) {
        await cleanUp(run, leftovers);
        throw leftovers.length === 0 ? error : withLeftovers(error, leftovers);
      }
    });
  } catch (error) {
    throwIfAborted(options.signal);
    if (!limit.aborted) throw error;
    throw new HoldfastError('drill.failed', {
      message: `the drill did not end within ${(limitMs ?? 0) / 60_000} min`,
      hint: 'give it more time with drill.timeoutMinutes, or see what it waits for',
      cause: error,
    });
  }
}

async function drillAndCheck(run: DrillRun): Promise<Omit<DrillReport, 'leftovers' | 'durationMs'>> {
  const { options, signal, scratches, folder } = run;
  const { archive, checks = [], timeoutMs = defaultTimeoutMs, clock = systemClock } = options;
  const drilled = (await isPlainDump(archive)) ? await drillPlain(run) : await drillArchive(run);
  const results = await runChecks(checks, {
    archive: locationLabel(archive),
    scratches,
    filesFolder: drilled.fileCount > 0 ? filesFolderOf(folder) : undefined,
    timeoutMs,
    clock,
    signal,
  });
  const isProven = drilled.differences.length === 0 && results.every(({ isPassed }) => isPassed);
  return { ...drilled, differences: drilled.differences.slice(0, shownDifferences), checks: results, isProven };
}

/** Removes all that was made, whatever becomes of each. */
async function cleanUp({ scratches, folder }: DrillRun, leftovers: string[]): Promise<void> {
  for (const scratch of scratches.values()) {
    try {
      await scratch.drop();
    } catch (error) {
      const { message, code } = errorReport(error);
      leftovers.push(`${scratch.label} could not be removed: ${message} [${code}]`);
    }
  }
  // Folders that their owner may not write are made writable first.
  await removeTree(filesFolderOf(folder));
}

function withLeftovers(error: unknown, leftovers: readonly string[]): HoldfastError {
  const { code, message, hint } = errorReport(error);
  const context = { ...(error instanceof HoldfastError ? error.context : {}), leftovers };
  return new HoldfastError(code, { message: `${message}; ${leftovers.join('; ')}`, hint, context, cause: error });
}
