import { type Clock, systemClock } from '../clock.ts';
import { HoldfastError } from '../errors.ts';
import type { History } from '../history/history.ts';
import type { BegunRun, EndedRun, RunArchive, RunLogLine, RunPhase } from '../history/run-record.ts';
import { errorReport } from './error-report.ts';
import type { Progress } from './options.ts';

/** How a run ended, as far as its own report tells. */
export type RunOutcome = Omit<EndedRun, 'endedMs' | 'phases' | 'error'> & Pick<EndedRun, 'error'>;

/** What {@link recordRun} takes. */
export interface RecordRunOptions extends Omit<BegunRun, 'startedMs'> {
  /** Nothing is recorded where it is undefined. */
  readonly history: Pick<History, 'begin' | 'end'> | undefined;
  readonly clock?: Clock;
  /** Told the id under which the run is recorded. */
  readonly onBegun?: (id: string) => void;
  /** What it told on its way, asked for at its end. */
  readonly takeLog?: () => readonly RunLogLine[];
  /** Told when the history cannot be written: that never ends a run. */
  readonly onProblem?: (error: unknown) => void;
}

/** Tells phases apart by the progress of a run. */
class PhaseTimer {
  readonly #clock: Clock;
  readonly #phases: { name: string; durationMs: number }[] = [];
  #lastMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#lastMs = clock.monotonicMs();
  }

  see(name: string): void {
    this.#close();
    if (this.#phases.at(-1)?.name !== name) this.#phases.push({ name, durationMs: 0 });
  }

  end(): RunPhase[] {
    this.#close();
    return this.#phases.map(({ name, durationMs }) => ({ name, durationMs: Math.round(durationMs) }));
  }

  #close(): void {
    const nowMs = this.#clock.monotonicMs();
    const open = this.#phases.at(-1);
    if (open !== undefined) open.durationMs += nowMs - this.#lastMs;
    this.#lastMs = nowMs;
  }
}

/**
 * Runs an operation and records it: that it began, how long its phases took, what it did or why it failed. The work gets an `onPhase` for the
 * operation's progress. A history that cannot be written is told, and changes nothing else.
 *
 * @example
 * const report = await recordRun(
 *   { history, kind: 'backup', database: 'shop' },
 *   (onProgress) => createBackup({ ...options, onProgress }),
 *   backupOutcome,
 * );
 */
export async function recordRun<Result>(
  options: RecordRunOptions,
  work: (onProgress: (progress: Progress) => void) => Promise<Result>,
  outcomeOf: (result: Result) => RunOutcome,
): Promise<Result> {
  const { history, clock = systemClock, onProblem, onBegun, takeLog, ...begun } = options;
  if (history === undefined) return await work(() => undefined);
  const attempt = async <Value>(write: () => Promise<Value>): Promise<Value | undefined> => {
    try {
      return await write();
    } catch (error) {
      onProblem?.(error);
      return undefined;
    }
  };
  const startedMs = clock.nowMs();
  const begin = async () => {
    const id = await history.begin({ ...begun, startedMs });
    onBegun?.(id);
    return id;
  };
  // Where it is away it is asked again at the end, and is told only then.
  const began = await begin().catch(() => undefined);
  const timer = new PhaseTimer(clock);
  const end = async (outcome: RunOutcome) => {
    const id = began ?? (await attempt(begin));
    if (id === undefined) return;
    const archives = outcome.archives.map((archive) => withKnown(archive, begun.archives ?? []));
    const log = takeLog === undefined ? {} : { log: takeLog() };
    const ended = { ...outcome, archives, endedMs: clock.nowMs(), phases: timer.end(), ...log };
    await attempt(() => history.end(id, ended));
  };
  let result: Result;
  try {
    result = await work(({ phase }) => timer.see(phase));
  } catch (error) {
    await end(failure(error, begun));
    throw error;
  }
  await end(outcomeOf(result));
  return result;
}

/** What was known of it at the beginning, and the report does not tell. */
function withKnown(archive: RunArchive, begun: readonly RunArchive[]): RunArchive {
  const { name, database } = begun.find(({ url }) => url === archive.url) ?? {};
  return { ...(name === undefined ? {} : { name }), ...(database === undefined ? {} : { database }), ...archive };
}

function failure(error: unknown, { kind, archives = [] }: Pick<BegunRun, 'kind' | 'archives'>): RunOutcome {
  const code = error instanceof HoldfastError ? error.code : undefined;
  // A plain dump has no parity, so its check says that it is damaged by failing; and a drill restores all or nothing.
  const isDamage = ['verify', 'drill'].includes(kind) && code === 'archive.damaged';
  return {
    state: code === 'operation.interrupted' ? 'interrupted' : 'failed',
    error: errorReport(error),
    archives: archives.map((archive) => {
      if (archive.state === 'pending') return { ...archive, state: 'failed' };
      return isDamage ? { ...archive, state: 'damaged' } : archive;
    }),
  };
}
