import { drillJob, scrubJob } from '../config/job-names.ts';
import type { LoadedConfig } from '../config/load-config.ts';
import { HoldfastError } from '../errors.ts';
import type { History } from '../history/history.ts';
import type { BegunRun, RunRecord, RunState } from '../history/run-record.ts';
import type { DeliveryReport } from '../notify/send-all.ts';
import type { CommandContext } from './command-context.ts';
import { notify } from './notify-run.ts';
import { findHistory, noteProblem, recordIn } from './record.ts';
import { withoutUndefined } from './without-undefined.ts';

const code = 'queue.job_given_up';

const doneStates: ReadonlySet<RunState> = new Set(['succeeded', 'incomplete', 'suspect']);

/** A job of one moment. */
interface GivenUpJob {
  readonly job: string;
  readonly scheduledMs: number;
}

/**
 * Records a job that is not tried again as a run that failed, and tells of it, as of any other failure; of one that was recorded so already, nothing. The
 * runs that died are in the history themselves: what they were to back up is known from them.
 */
export async function recordGivenUp(given: GivenUpJob, context: CommandContext): Promise<DeliveryReport[]> {
  const { loadConfig } = await import('../config/load-config.ts');
  const loaded = await loadConfig('.', context.environment);
  const error = new HoldfastError(code, {
    message: `the job ${given.job} was given up: the workers that had it died, one after the other`,
    context: { ...given },
  });
  if (!(await recordFailures(given, error, loaded, context))) return [];
  const { failureNotification } = await import('../notify/run-notifications.ts');
  return await notify(loaded, context, (about) => [failureNotification(`the job ${given.job}`, error, about)]);
}

/**
 * Tells of a job whose process was killed. Where it had not come to write itself into the history it is recorded as a run that failed; else it is there,
 * and known to have died.
 */
export async function recordKilled(given: GivenUpJob, by: string, context: CommandContext): Promise<DeliveryReport[]> {
  const { loadConfig } = await import('../config/load-config.ts');
  const loaded = await loadConfig('.', context.environment);
  const error = new HoldfastError('tool.failed', {
    message: `the process of the job ${given.job} was ended by ${by}`,
    hint: 'see whether the system ended it, as it does when memory runs out; it is run again when it is due next',
    context: { ...given },
  });
  // Drills and scrubs write no moment of the schedule into the history: whether one is there cannot be told.
  const isBackup = given.job !== drillJob && given.job !== scrubJob;
  const history = isBackup ? await findHistory(loaded, context) : undefined;
  try {
    if (history !== undefined && (await earlierRuns(given, history, context)).length === 0) {
      await recordFailure({ kind: 'backup', ...given }, error, history, context);
    }
  } finally {
    await history?.close();
  }
  const { failureNotification } = await import('../notify/run-notifications.ts');
  return await notify(loaded, context, (about) => [failureNotification(`the job ${given.job}`, error, about)]);
}

async function recordFailure(
  begun: Pick<BegunRun, 'kind' | 'job' | 'scheduledMs' | 'database'>,
  error: HoldfastError,
  history: History,
  context: CommandContext,
): Promise<void> {
  const work = () => Promise.reject(error);
  const outcome = () => ({ state: 'failed', archives: [] }) as const;
  await recordIn(history, context, { ...begun, json: true }, work, outcome).catch((thrown) => {
    if (thrown !== error) throw thrown;
  });
}

/** One run for each of what it was to back up. False where that was done. */
async function recordFailures(
  given: GivenUpJob,
  error: HoldfastError,
  loaded: LoadedConfig,
  context: CommandContext,
): Promise<boolean> {
  const history = await findHistory(loaded, context);
  if (history === undefined) return true;
  try {
    const earlier = await earlierRuns(given, history, context);
    if (earlier.some((run) => run.error?.code === code)) return false;
    const kind = given.job === drillJob ? 'drill' : 'backup';
    const of = (runs: readonly RunRecord[]) =>
      new Set(runs.map(({ database }) => database).filter((name) => name !== undefined));
    const known = of(earlier);
    // A run outlives its worker, and may have come to its end.
    const done = of(earlier.filter(({ state }) => doneStates.has(state)));
    const left = [...known].filter((database) => !done.has(database));
    if (known.size > 0 && left.length === 0) return false;
    for (const database of known.size === 0 ? [undefined] : left) {
      await recordFailure({ kind, ...given, ...withoutUndefined({ database }) }, error, history, context);
    }
    return true;
  } finally {
    await history.close();
  }
}

async function earlierRuns(
  { job, scheduledMs }: GivenUpJob,
  history: History,
  context: CommandContext,
): Promise<readonly RunRecord[]> {
  try {
    return await history.runs({ job, scheduledMs });
  } catch (thrown) {
    noteProblem(thrown, context);
    return [];
  }
}
