import type { RunRecord } from '../history/run-record.ts';

/** What runs of one kind, or backups of one database, come to. */
export interface RunStats {
  /** Absent in the sums by kind. */
  readonly database?: string;
  readonly kind: RunRecord['kind'];
  readonly runCount: number;
  /** Complete, or with something left out. */
  readonly doneCount: number;
  /** Failed, suspect, interrupted, died. */
  readonly failedCount: number;
  readonly lastState: RunRecord['state'];
  readonly lastMs: number;
  /** When the last good one ended. */
  readonly lastGoodMs?: number;
  readonly averageDurationMs?: number;
  /** Of the archives. */
  readonly averageSizeBytes?: number;
  readonly healedBlocks: number;
}

/** How long a run took; undefined while it is under way. */
export function runDurationMs({ startedMs, endedMs }: RunRecord): number | undefined {
  return endedMs === undefined ? undefined : Math.max(0, endedMs - startedMs);
}

/** How much of the contents a run read or wrote in a second; undefined where it counted none, and where nobody saw how long it took. */
export function runBytesPerSecond(run: RunRecord): number | undefined {
  const durationMs = runDurationMs(run) ?? 0;
  if (durationMs === 0 || run.plainSizeBytes === undefined) return undefined;
  return Math.round((run.plainSizeBytes / durationMs) * 1000);
}

const isGood = ({ state }: RunRecord) => state === 'succeeded' || state === 'incomplete';

function average(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : Math.round(values.reduce((sum, value) => sum + value, 0) / values.length);
}

function sumUp(kind: RunRecord['kind'], runs: readonly RunRecord[], database: string | undefined): RunStats[] {
  const [last] = runs;
  if (last === undefined) return [];
  const good = runs.filter(isGood);
  const lastGoodMs = good[0]?.endedMs;
  const averageDurationMs = average(good.flatMap((run) => runDurationMs(run) ?? []));
  const averageSizeBytes = average(good.flatMap(({ sizeBytes }) => (sizeBytes === undefined ? [] : [sizeBytes])));
  const runningCount = runs.filter(({ state }) => state === 'running').length;
  return [
    {
      ...(database === undefined ? {} : { database }),
      kind,
      runCount: runs.length,
      doneCount: good.length,
      failedCount: runs.length - good.length - runningCount,
      lastState: last.state,
      lastMs: last.startedMs,
      ...(lastGoodMs === undefined ? {} : { lastGoodMs }),
      ...(averageDurationMs === undefined ? {} : { averageDurationMs }),
      ...(averageSizeBytes === undefined ? {} : { averageSizeBytes }),
      healedBlocks: runs.reduce((sum, { healedBlocks = 0 }) => sum + healedBlocks, 0),
    },
  ];
}

/** Sums by kind, and of backups by what is backed up. The runs come newest first. */
export function runStats(runs: readonly RunRecord[]): { readonly kinds: RunStats[]; readonly databases: RunStats[] } {
  const kinds = Map.groupBy(runs, ({ kind }) => kind);
  const backups = runs.filter(({ kind, database }) => kind === 'backup' && database !== undefined);
  const databases = Map.groupBy(backups, ({ database }) => database);
  return {
    kinds: [...kinds].flatMap(([kind, found]) => sumUp(kind, found, undefined)),
    databases: [...databases].flatMap(([database, found]) => sumUp('backup', found, database)),
  };
}
