import { basename } from 'node:path';
import { mainJob } from '../../config/job-names.ts';
import { redactText } from '../../config/redact.ts';
import { type ConfiguredJob, configuredJobs } from '../../config/scheduled-jobs.ts';
import type { RunBrief } from '../../history/run-queries.ts';
import { readSchedule, type Schedule } from '../../policy/schedule.ts';
import type { ArchiveSnapshot } from './archive-list.ts';
import type { ServiceContext } from './service-context.ts';
import { stateTexts } from './state-texts.ts';
import type { ArchiveFacts, SourceFacts, SourceState, StateReason } from './web-services.ts';

const hourMs = 3_600_000;
/** Without a schedule a backup is old after so long. */
const unscheduledMs = 36 * hourMs;
/** A run may take so long, or three times what the last one took, until it is missed. */
const leastGraceMs = hourMs;
/** A proof is old after so long. */
const proofLastsMs = 35 * 24 * hourMs;
const sparkCount = 30;

/** Something of the configuration that is backed up, and what its archives are named for. */
interface ConfiguredSource extends Pick<SourceFacts, 'id' | 'kind' | 'name' | 'place' | 'job' | 'enabled'> {
  readonly series: string;
}

/** The sources of the configuration. */
export function configuredSourcesOf(context: ServiceContext): ConfiguredSource[] {
  const { config } = context.loaded;
  const { databases = [], commands = [], files = [] } = config;
  const mainSeries = context.seriesOf(mainJob);
  const isEnabled = ({ enabled }: { readonly enabled?: boolean | undefined }) => enabled !== false;
  return [
    ...databases.map((database): ConfiguredSource => {
      const { alias, url, scheduleOverride } = database;
      const job = scheduleOverride === undefined ? mainJob : `${mainJob}:${alias}`;
      const series = context.isPlain(database) ? context.seriesOf(job, alias) : context.seriesOf(job);
      const place = redactText(url);
      return {
        id: `database:${alias}`,
        kind: 'database',
        name: alias,
        place,
        job,
        enabled: isEnabled(database),
        series,
      };
    }),
    ...commands.map((command): ConfiguredSource => {
      const { alias } = command;
      const place = command.command[0] ?? '';
      return {
        id: `command:${alias}`,
        kind: 'command',
        name: alias,
        place,
        job: mainJob,
        enabled: isEnabled(command),
        series: mainSeries,
      };
    }),
    ...files.map((given): ConfiguredSource => {
      const { path, name = basename(path) } = typeof given === 'string' ? { path: given } : given;
      return { id: `files:${name}`, kind: 'files', name, place: path, job: mainJob, enabled: true, series: mainSeries };
    }),
  ];
}

/** Runs of one series, as far as they tell of its state. */
class SeriesRuns {
  readonly last: RunBrief | undefined;
  readonly lastGood: RunBrief | undefined;
  /** The newest good ones, the oldest first. */
  readonly good: readonly RunBrief[];

  /** They come the oldest first; only the newest are looked at. */
  constructor(runs: readonly RunBrief[]) {
    const good: RunBrief[] = [];
    for (let index = runs.length - 1; index >= 0 && good.length < sparkCount; index--) {
      const run = runs[index] as RunBrief;
      if (run.state === 'running') continue;
      this.last ??= run;
      if (run.state === 'succeeded' || run.state === 'incomplete') good.push(run);
    }
    this.lastGood = good[0];
    this.good = good.reverse();
  }
}

/** What the archives of a series tell together. */
interface SeriesArchives {
  /** The newest first. */
  readonly archives: readonly ArchiveFacts[];
  readonly lastProofMs: number;
  readonly lastDrillMs: number;
}

/** Lists are made anew where anything of them changes: until then what they tell stays. */
const bySeries = new WeakMap<ArchiveSnapshot, ReadonlyMap<string, SeriesArchives>>();

function seriesOf(snapshot: ArchiveSnapshot): ReadonlyMap<string, SeriesArchives> {
  const known = bySeries.get(snapshot);
  if (known !== undefined) return known;
  const latest = (moments: readonly (number | undefined)[]) =>
    moments.reduce<number>((last, moment = 0) => Math.max(last, moment), 0);
  const made = new Map(
    [...Map.groupBy(snapshot.archives, ({ series }) => series ?? '')].map(([series, archives]) => [
      series,
      {
        archives,
        lastProofMs: latest(archives.map(({ lastProofMs }) => lastProofMs)),
        lastDrillMs: latest(archives.map(({ lastDrillMs }) => lastDrillMs)),
      },
    ]),
  );
  bySeries.set(snapshot, made);
  return made;
}

const noArchives: SeriesArchives = { archives: [], lastProofMs: 0, lastDrillMs: 0 };

/** How each source stands. The digest has to be up to date. */
export function sourceStates(context: ServiceContext, snapshot: ArchiveSnapshot): SourceFacts[] {
  const jobs = new Map(configuredJobs(context.loaded.config).map((job) => [job.name, job]));
  const archives = seriesOf(snapshot);
  return configuredSourcesOf(context).map((source) => {
    const { job, series } = source;
    // Where names tell nothing the runs have no series either.
    const named = context.digest.backupsOf(job, series);
    const runs = named.length > 0 ? named : context.digest.backupsOf(job);
    const own = archives.get(series) ?? noArchives;
    return factsOf(source, { context, job: jobs.get(job), runs: new SeriesRuns(runs), ...own });
  });
}

interface Known extends SeriesArchives {
  readonly context: ServiceContext;
  readonly job: ConfiguredJob | undefined;
  readonly runs: SeriesRuns;
}

function factsOf(source: ConfiguredSource, known: Known): SourceFacts {
  const { context, job, runs, archives, lastProofMs, lastDrillMs } = known;
  const nowMs = context.clock.nowMs();
  const schedule = job?.enabled === true ? readSchedule(job.times) : undefined;
  const { last, lastGood, good } = runs;
  const newest = archives.find(({ health }) => health !== 'suspect') ?? archives[0];
  const [state, reason] = judge(source, { ...known, schedule, nowMs });
  const [reasonText, remedyText] = stateTexts[reason];
  const nextRunMs = source.enabled ? schedule?.nextMs(nowMs) : undefined;
  const isOfLast = reason.startsWith('last_run');
  const { series: _, ...facts } = source;
  return {
    ...facts,
    state,
    reason,
    reasonText,
    remedyText,
    ...(isOfLast && last !== undefined ? { runId: last.id } : {}),
    ...(lastGood === undefined
      ? {}
      : { lastGoodMs: lastGood.endedMs ?? lastGood.startedMs, lastGoodRunId: lastGood.id }),
    ...(lastProofMs > 0 ? { lastProofMs } : {}),
    ...(lastDrillMs > 0 ? { lastDrillMs } : {}),
    ...(nextRunMs === undefined ? {} : { nextRunMs }),
    ...(schedule === undefined ? {} : { schedule: schedule.text }),
    ...(lastGood?.sizeBytes === undefined ? {} : { sizeBytes: lastGood.sizeBytes }),
    ...(lastGood?.endedMs === undefined ? {} : { lastDurationMs: Math.max(0, lastGood.endedMs - lastGood.startedMs) }),
    ...(newest?.replicas[0] === undefined
      ? {}
      : { lastArchive: { storage: newest.replicas[0].storage, name: newest.name } }),
    recentSizesBytes: good.flatMap(({ sizeBytes }) => (sizeBytes === undefined ? [] : [sizeBytes])),
  };
}

const badStates: Readonly<Record<string, StateReason>> = {
  failed: 'last_run_failed',
  died: 'last_run_died',
  interrupted: 'last_run_interrupted',
};

function judge(
  { enabled }: ConfiguredSource,
  given: Known & { readonly schedule: Schedule | undefined; readonly nowMs: number },
): readonly [SourceState, StateReason] {
  const { runs, archives, schedule, lastProofMs, nowMs, job } = given;
  const { last, lastGood } = runs;
  if (!enabled) return ['unproven', 'disabled'];
  const bad = badStates[last?.state ?? ''];
  if (bad !== undefined) return ['failing', bad];
  if (last?.state === 'suspect') return ['suspect', 'last_run_suspect'];
  if (archives[0]?.health === 'damaged') return ['suspect', 'last_archive_damaged'];
  if (lastGood === undefined) return ['late', 'never_backed_up'];
  if (schedule === undefined) {
    if (nowMs - lastGood.startedMs > unscheduledMs) return ['late', 'not_scheduled'];
  } else if (isOverdue(schedule, lastGood, { nowMs, jitterMs: job?.jitterMs ?? 0 })) return ['late', 'overdue'];
  if (lastProofMs === 0) return ['unproven', 'never_proven'];
  if (nowMs - lastProofMs > proofLastsMs) return ['unproven', 'proof_is_old'];
  return ['well', 'backed_up'];
}

function isOverdue(
  schedule: Schedule,
  { startedMs, endedMs = startedMs }: RunBrief,
  { nowMs, jitterMs }: { readonly nowMs: number; readonly jitterMs: number },
): boolean {
  const dueMs = schedule.nextMs(startedMs);
  return dueMs !== undefined && nowMs > dueMs + jitterMs + Math.max(leastGraceMs, 3 * (endedMs - startedMs));
}
