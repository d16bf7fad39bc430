import { resolve } from 'node:path';
import { HoldfastError } from '../errors.ts';
import type { History } from '../history/history.ts';
import type { RunArchive } from '../history/run-record.ts';
import type { OutputReport } from '../operation/options.ts';
import { type BackupJob, prepareJobs } from './backup-jobs.ts';
import type { MadeReport } from './backup-report.ts';
import type { BackupRequest } from './backup-request.ts';
import type { CommandContext } from './command-context.ts';
import { toHoldfastError } from './print-error.ts';
import type { GivenRun } from './progress-line.ts';
import { noteProblem, recordIn } from './record.ts';
import { withoutUndefined } from './without-undefined.ts';

/** Of two runs of one job at once the later is refused. */
export async function holdingJob<Result>(
  history: History | undefined,
  { job }: BackupRequest,
  context: CommandContext,
  work: () => Promise<Result>,
): Promise<Result> {
  if (job === undefined || history === undefined) return await work();
  const { holdLease } = await import('../operation/lease.ts');
  const lease = await orNoted(context, () => holdLease({ store: history, job, clock: context.clock }));
  if (lease === 'held') throw new HoldfastError('job.running', { context: { job } });
  // What is without an end now was cut off: nobody else has the job.
  if (lease !== undefined) await orNoted(context, () => history.buryRuns(job));
  try {
    return await work();
  } finally {
    await orNoted(context, async () => lease?.release());
  }
}

/** A history that fails stops no backup. */
async function orNoted<Value>(context: CommandContext, work: () => Promise<Value>): Promise<Value | undefined> {
  try {
    return await work();
  } catch (error) {
    noteProblem(error, context);
    return undefined;
  }
}

/** What was made, and the outputs that got nothing; one thing at least was made. */
export interface MadeArchives {
  readonly made: readonly { readonly report: MadeReport; readonly copies: number }[];
  readonly lost: readonly OutputReport[];
}

interface FailedJob {
  readonly group: BackupJob['group'];
  readonly error: unknown;
}

type Prepared = Awaited<ReturnType<typeof prepareJobs>>;

/** What the history has as one run: the archives of one name, or one plain dump. */
interface RecordedPart {
  readonly groups: readonly BackupJob['group'][];
  readonly database: string | undefined;
  jobsOf(prepared: Prepared): readonly BackupJob[];
}

function partsOf({ groups, plain, database }: BackupRequest): RecordedPart[] {
  const archives = { groups, database, jobsOf: (prepared: Prepared) => prepared.archives };
  const dumps = plain.map((job, index) => ({
    groups: [job],
    database: job.database,
    jobsOf: (prepared: Prepared) => prepared.plain.slice(index, index + 1),
  }));
  return groups.length > 0 ? [archives, ...dumps] : dumps;
}

/** Makes all archives and plain dumps of a request, each recorded under the name that retention knows it by. */
export async function makeRecorded(
  history: History | undefined,
  request: BackupRequest,
  context: CommandContext,
): Promise<MadeArchives> {
  const made: MadeArchives['made'][number][] = [];
  const lost: OutputReport[] = [];
  const errors: unknown[] = [];
  const parts = partsOf(request);
  // Keys are read once, before anything is written; without them each part is recorded as failed.
  let preparing: Promise<Prepared> | undefined;
  const prepare = () => {
    preparing ??= prepareJobs(request, context);
    return preparing;
  };
  for (const part of parts) {
    const failed: FailedJob[] = [];
    try {
      const work = async (run: GivenRun) => makeAll(part.jobsOf(await prepare()), failed, run, context);
      const result = await recordPart(history, { part, request, work }, context);
      made.push(...result.made);
      lost.push(...result.lost);
    } catch (error) {
      // Another part of this run may still succeed, unless it is the run that ended.
      if (parts.length === 1 || context.signal.aborted) throw error;
      errors.push(error);
      const each = failed.length > 0 ? failed : part.groups.map((group) => ({ group, error }));
      lost.push(...each.flatMap(failedOutputs));
    }
  }
  if (made.length === 0) throw errors[0];
  return { made, lost };
}

/** Records a run that failed before anything of it was begun: one for each part. */
export async function recordFailure(
  history: History | undefined,
  request: BackupRequest,
  error: unknown,
  context: CommandContext,
): Promise<void> {
  const work = async () => {
    throw error;
  };
  for (const part of partsOf(request)) {
    await recordPart(history, { part, request, work }, context).catch(() => undefined);
  }
}

async function recordPart(
  history: History | undefined,
  recorded: {
    readonly part: RecordedPart;
    readonly request: BackupRequest;
    readonly work: (run: GivenRun) => Promise<MadeArchives>;
  },
  context: CommandContext,
): Promise<MadeArchives> {
  const { part, request, work } = recorded;
  const { database } = part;
  const { job, scheduledMs, options } = request;
  const { backupOutcome } = await import('../operation/run-outcomes.ts');
  const archives = part.groups.flatMap(({ output }): RunArchive[] => {
    if (typeof output === 'string') return [{ url: resolve(output), state: 'pending' }];
    return output.map(({ storage, name, label }) => {
      return { url: storage.url(name), name, ...withoutUndefined({ storage: label }), state: 'pending' };
    });
  });
  return await recordIn(
    history,
    context,
    { kind: 'backup', archives, json: options.json, ...withoutUndefined({ job, scheduledMs, database }) },
    work,
    ({ made, lost }) =>
      backupOutcome(
        made.map(({ report }) => report),
        lost,
      ),
  );
}

/** Makes what it can, and gathers what failed. Throws the first error where all did. */
async function makeAll(
  jobs: readonly BackupJob[],
  failed: FailedJob[],
  run: GivenRun,
  context: CommandContext,
): Promise<MadeArchives> {
  const made: MadeArchives['made'][number][] = [];
  for (const job of jobs) {
    try {
      made.push({ report: await job.make(run), copies: job.copies });
    } catch (error) {
      // Another archive of this run may still succeed, unless it is the run that ended.
      if (jobs.length === 1 || context.signal.aborted || typeof job.group.output === 'string') throw error;
      failed.push({ group: job.group, error });
    }
  }
  if (made.length === 0) throw failed[0]?.error;
  return { made, lost: failed.flatMap(failedOutputs) };
}

/** The outputs of an archive that no storage took. */
function failedOutputs({ group: { output }, error }: FailedJob): OutputReport[] {
  if (typeof output === 'string') return [];
  const { code, message, hint } = toHoldfastError(error);
  return output.map(({ storage, name, label }) => ({
    ...withoutUndefined({ storage: label }),
    output: storage.url(name),
    error: { code, message, hint },
  }));
}
