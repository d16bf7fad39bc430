import type { RunArchive, RunRecord } from '../history/run-record.ts';
import type { RetentionFacts } from './prune.ts';

/** What runs found of an archive. */
export interface Known {
  isProven: boolean;
  isSuspect: boolean;
  isDamaged: boolean;
  /** The last drill that came to its end did not find what the archive says. */
  isRefuted: boolean;
}

const unknown: Known = { isProven: false, isSuspect: false, isDamaged: false, isRefuted: false };

/** What is known of an archive after a run: each tells what it found; the later one counts, but for what only the backup itself could know. */
export function learn(known: Known, { state }: RunArchive, kind: RunRecord['kind']): Known {
  if (kind === 'drill' && state === 'suspect') return { ...known, isProven: false, isRefuted: true };
  switch (state) {
    case 'pending':
    case 'failed':
    case 'found':
      return known;
    case 'removed':
      return unknown;
    case 'damaged':
      return { ...known, isProven: false, isDamaged: true };
    case 'whole':
      return { ...known, isDamaged: false };
    default:
      return {
        isProven: state === 'proven' && (kind === 'drill' || !known.isRefuted),
        isSuspect: state === 'suspect' || (kind !== 'backup' && known.isSuspect),
        isDamaged: false,
        isRefuted: kind !== 'drill' && kind !== 'backup' && known.isRefuted,
      };
  }
}

/** Why nothing is removed after a run: undefined where that is no reason; `older` where the run before it has to be asked. */
function holdAfter(run: RunRecord, database: string, storage: string): string | undefined | 'older' {
  const archives = run.archives.filter(
    (archive) => archive.storage === storage && (archive.database ?? run.database) === database,
  );
  if (run.archives.length > 0 && archives.length === 0) return 'older';
  if (run.state === 'running') return 'older';
  if (run.state === 'suspect') return 'the last run is suspect';
  if (['failed', 'interrupted', 'died'].includes(run.state)) return `the last run ${words[run.state] ?? 'failed'}`;
  return archives.some(({ state }) => state === 'failed') ? 'the last run failed' : undefined;
}

const words: Readonly<Record<string, string>> = { interrupted: 'was interrupted', died: 'died' };

/** A run may make archives of several. */
function backupsByDatabase(runs: readonly RunRecord[]): Map<string, RunRecord[]> {
  const found = new Map<string, RunRecord[]>();
  for (const run of runs) {
    if (run.kind !== 'backup') continue;
    const databases = new Set([run.database, ...run.archives.map((archive) => archive.database)]);
    for (const database of databases) {
      if (database === undefined) continue;
      const known = found.get(database);
      if (known === undefined) found.set(database, [run]);
      else known.push(run);
    }
  }
  return found;
}

/**
 * What retention has to know of runs; they come newest first. With `nowMs` a run that began after it says nothing good: the clock was wrong
 * then, and it may be older than one that failed since.
 */
export function retentionFacts(
  runs: readonly RunRecord[],
  { nowMs = Number.POSITIVE_INFINITY }: { readonly nowMs?: number } = {},
): RetentionFacts {
  const known = new Map<string, Known>();
  for (const { kind, archives } of runs.toReversed()) {
    for (const archive of archives) {
      known.set(archive.url, learn(known.get(archive.url) ?? unknown, archive, kind));
    }
  }
  const backups = backupsByDatabase(runs);
  return {
    hold: (database, storage) => {
      for (const run of backups.get(database) ?? []) {
        const reason = holdAfter(run, database, storage);
        if (reason === 'older' || (reason === undefined && run.startedMs > nowMs)) continue;
        return reason;
      }
      return undefined;
    },
    isProven: (url) => known.get(url)?.isProven === true,
    isDoubtful: (url) => {
      const found = known.get(url);
      return found !== undefined && (found.isSuspect || found.isDamaged || found.isRefuted);
    },
  };
}
