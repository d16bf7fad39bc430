/** What the reports of operations mean to the history. */
import { HoldfastError } from '../errors.ts';
import type { RunArchive } from '../history/run-record.ts';
import type { DrillReport } from './drill-options.ts';
import { errorReport } from './error-report.ts';
import type { BackupReport, OutputReport, RepairReport, RestoreReport, ValidationReport } from './options.ts';
import type { PruneReport } from './prune.ts';
import type { RunOutcome } from './record-run.ts';
import type { NamedStorage, ScrubbedArchive, ScrubReport } from './scrub.ts';

/** What a plain dump tells as an archive does. */
type MadeReport = Omit<BackupReport, 'archiveId'> &
  Partial<Pick<BackupReport, 'archiveId'>> & { readonly fileSha256?: string };

/** Of {@link createBackup} and `createPlainBackup`; of several archives of one run, all of them, and the outputs of those that failed. */
export function backupOutcome(reports: readonly MadeReport[], lost: readonly OutputReport[] = []): RunOutcome {
  const sum = (of: (report: MadeReport) => number) => reports.reduce((total, report) => total + of(report), 0);
  const isSuspect = reports.some(({ suspect }) => suspect);
  const outputs = reports.flatMap((report) => report.outputs.map((output) => ({ ...output, report })));
  const isComplete =
    lost.length === 0 &&
    reports.every(({ problems }) => problems.length === 0) &&
    outputs.every(({ error }) => error === undefined);
  return {
    state: isSuspect ? 'suspect' : isComplete ? 'succeeded' : 'incomplete',
    sizeBytes: sum((report) => report.sizeBytes),
    plainSizeBytes: sum((report) => report.plainSizeBytes),
    entryCount: sum((report) => report.entryCount),
    rowCount: sum((report) => report.rowCount),
    archives: [...outputs.map(ofOutput), ...lost.map(ofLost)],
  };
}

function placeOf({ output, storage }: OutputReport) {
  return { url: output, ...(storage === undefined ? {} : { storage }) };
}

function ofLost(output: OutputReport): RunArchive {
  return { ...placeOf(output), state: 'failed', ...(output.error && { error: output.error }) };
}

function ofOutput({ report, ...output }: OutputReport & { readonly report: MadeReport }): RunArchive {
  if (output.error !== undefined) return ofLost(output);
  const { sizeBytes } = output;
  const { archiveId, fileSha256: sha256 } = report;
  const known = {
    ...placeOf(output),
    ...(archiveId && { archiveId }),
    ...(sha256 && { sha256 }),
    ...(sizeBytes === undefined ? {} : { sizeBytes }),
  };
  if (report.suspect) return { ...known, state: 'suspect' };
  return { ...known, state: report.verified === 'contents' ? 'proven' : 'written' };
}

/** Of {@link restoreBackup} and `restorePlainBackup`. */
export function restoreOutcome(
  archive: RunArchive,
  report: Omit<RestoreReport, 'archiveId'> & Partial<Pick<RestoreReport, 'archiveId'>>,
): RunOutcome {
  const { archiveId, entryCount, rowCount, sizeBytes, healedBlocks, lostEntries } = report;
  return {
    state: lostEntries.length > 0 ? 'incomplete' : 'succeeded',
    plainSizeBytes: sizeBytes,
    entryCount,
    rowCount,
    healedBlocks,
    archives: [{ ...archive, ...(archiveId && { archiveId }) }],
  };
}

/** Of {@link validateBackup}. */
export function verifyOutcome(archive: RunArchive, report: ValidationReport): RunOutcome {
  const { archiveId, sizeBytes, state, level, entryCount } = report;
  const proven = level === 'contents' ? 'proven' : 'whole';
  return {
    state: state === 'lost' ? 'failed' : state === 'repairable' ? 'incomplete' : 'succeeded',
    sizeBytes,
    entryCount,
    archives: [{ ...archive, archiveId, sizeBytes, state: state === 'lost' ? 'damaged' : proven }],
  };
}

/** Of `checkPlainBackup`, which reads everything or fails. */
export function plainCheckOutcome(archive: RunArchive, { sizeBytes }: { readonly sizeBytes: number }): RunOutcome {
  return { state: 'succeeded', sizeBytes, archives: [{ ...archive, sizeBytes, state: 'proven' }] };
}

/** Of {@link repairArchive}. */
export function repairOutcome(archive: RunArchive, report: RepairReport): RunOutcome {
  const { archiveId, output: url, state, blocks } = report;
  return {
    state: state === 'lost' ? 'failed' : 'succeeded',
    healedBlocks: report.written ? Math.max(0, blocks.damaged - blocks.lost) : 0,
    archives: [{ ...archive, url, archiveId, state: state === 'lost' ? 'damaged' : 'whole' }],
  };
}

const scrubbed = {
  intact: 'whole',
  repaired: 'whole',
  restored: 'whole',
  repairable: 'found',
  missing: 'failed',
  lost: 'damaged',
  unreadable: 'found',
} as const satisfies Record<ScrubbedArchive['state'], RunArchive['state']>;

/** Of {@link scrubStorages}. */
export function scrubOutcome(storages: readonly NamedStorage[], report: ScrubReport): RunOutcome {
  const { archives, failedStorages } = report;
  const has = (...states: ScrubbedArchive['state'][]) => archives.some(({ state }) => states.includes(state));
  const isIncomplete = has('repairable', 'missing', 'unreadable') || failedStorages.length > 0;
  return {
    state: has('lost') ? 'failed' : isIncomplete ? 'incomplete' : 'succeeded',
    healedBlocks: archives.reduce(
      (sum, { state, blocks }) => sum + (state === 'repaired' ? (blocks?.damaged ?? 0) : 0),
      0,
    ),
    archives: archives.map(({ storage: label, name, archiveId, state, error }) => {
      const url = storages.find((named) => named.name === label)?.storage.url(name) ?? name;
      const known = { ...(archiveId && { archiveId }), ...(error && { error }) };
      return { url, storage: label, name, ...known, state: scrubbed[state] };
    }),
  };
}

/** Of {@link pruneStorages}: what was removed, or could not be. */
export function pruneOutcome(storages: readonly NamedStorage[], report: PruneReport): RunOutcome {
  const touched = report.archives.filter(({ removed, error }) => removed || error !== undefined);
  const isComplete = touched.every(({ error }) => error === undefined) && report.failedStorages.length === 0;
  return {
    state: isComplete ? 'succeeded' : 'incomplete',
    sizeBytes: touched.reduce((sum, { removed, sizeBytes }) => sum + (removed ? sizeBytes : 0), 0),
    archives: touched.map(({ storage: label, name, sizeBytes, removed, error }) => {
      const url = storages.find((named) => named.name === label)?.storage.url(name) ?? name;
      const place = { url, storage: label, name, sizeBytes };
      return removed ? { ...place, state: 'removed' } : { ...place, state: 'found', ...(error && { error }) };
    }),
  };
}

/** Why an archive did not pass its drill, for people. */
export function drillFailure({ differences, checks }: Pick<DrillReport, 'differences' | 'checks'>): HoldfastError {
  const failed = checks.filter(({ isPassed }) => !isPassed).map(({ check, message }) => `${check}: ${message}`);
  const all = [...differences, ...failed];
  const more = all.length > 1 ? ` (and ${all.length - 1} more)` : '';
  return new HoldfastError('drill.failed', {
    message: `the archive did not pass its drill: ${all[0] ?? 'it is not proven'}${more}`,
    context: { differences: all },
  });
}

/** Of {@link drillBackup}. What was restored and is not what the archive says is doubtful from now on. */
export function drillOutcome(archive: RunArchive, report: DrillReport): RunOutcome {
  const { isProven, restoreMs, tableCount, fileCount, differences, checks, notRestored } = report;
  const { archiveId, entryCount, rowCount, sizeBytes, healedBlocks } = report;
  return {
    state: isProven ? 'succeeded' : 'failed',
    plainSizeBytes: sizeBytes,
    entryCount,
    rowCount,
    healedBlocks,
    archives: [{ ...archive, ...(archiveId && { archiveId }), state: isProven ? 'proven' : 'suspect' }],
    proof: { isProven, restoreMs, tableCount, fileCount, differences, checks, notRestored },
    ...(isProven ? {} : { error: errorReport(drillFailure(report)) }),
  };
}
