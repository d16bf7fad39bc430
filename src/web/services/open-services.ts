import { join } from 'node:path';
import { errorsOfRuns, findRun, pageOfRuns } from '../../history/run-queries.ts';
import type { RunRecord } from '../../history/run-record.ts';
import { Archives } from './archive-services.ts';
import { calendarDays, trendsOf } from './calendar-days.ts';
import { Downloads } from './downloads.ts';
import { JobCommands } from './job-command.ts';
import { Jobs } from './jobs.ts';
import { pageBounds } from './page-bounds.ts';
import { ServiceContext, type ServiceContextOptions } from './service-context.ts';
import { Settings, Storages } from './settings-services.ts';
import { sourceStates } from './source-states.ts';
import { defaultUploadLimits, type UploadLimits, Uploads } from './uploads.ts';
import type {
  CalendarDay,
  Overview,
  Page,
  RunDetails,
  RunQuery,
  RunServices,
  RunSummary,
  SourceFacts,
  SourceState,
  Trends,
  WebServices,
} from './web-services.ts';

/** What {@link openServices} takes. */
export interface OpenServicesOptions extends ServiceContextOptions {
  readonly uploads?: Partial<UploadLimits>;
}

/** Services that are open; close them. */
export interface OpenedServices extends WebServices {
  readonly uploads: Uploads;
  /** Asks what runs to end, and closes the storages. */
  close(): Promise<void>;
}

/** What was made of the history and the lists is good until one of them changes, or for so long. */
const madeLastsMs = 60_000;
const recentRuns = 8;
const allStates: readonly SourceState[] = ['well', 'late', 'failing', 'suspect', 'unproven'];

/** Runs, from the history. */
class Runs implements RunServices {
  readonly #context: ServiceContext;
  readonly #jobs: Jobs;

  constructor(context: ServiceContext, jobs: Jobs) {
    this.#context = context;
    this.#jobs = jobs;
  }

  async list(query: RunQuery = {}): Promise<Page<RunSummary>> {
    const { page: _page, pageSize: _pageSize, ...filter } = query;
    const { page, pageSize, offset } = pageBounds(query);
    const found = await pageOfRuns(this.#context.history.database, { ...filter, offset, limit: pageSize });
    return { items: found.items.map(summaryOf), page, pageSize, totalCount: found.totalCount };
  }

  async get(id: string): Promise<RunDetails | undefined> {
    const run = await findRun(this.#context.history.database, id);
    if (run === undefined) return undefined;
    const job = this.#jobs.ofRun(id);
    const duration = durationOf(run);
    const kept = await this.#context.history.runLog(id);
    return {
      ...run,
      ...(duration === undefined ? {} : { durationMs: duration }),
      // Until it has ended only the job knows.
      log: kept.length > 0 ? kept : (job?.log ?? []),
      ...(job && { jobId: job.id }),
    };
  }
}

function durationOf({ startedMs, endedMs }: RunRecord): number | undefined {
  return endedMs === undefined ? undefined : Math.max(0, endedMs - startedMs);
}

function summaryOf(run: RunRecord): RunSummary {
  const { id, kind, job, state, startedMs, endedMs, sizeBytes, error } = run;
  const subject = run.database ?? run.archives[0]?.name ?? run.archives[0]?.url;
  const durationMs = durationOf(run);
  return {
    id,
    kind,
    state,
    startedMs,
    ...(job === undefined ? {} : { job }),
    ...(subject === undefined ? {} : { subject }),
    ...(endedMs === undefined ? {} : { endedMs }),
    ...(durationMs === undefined ? {} : { durationMs }),
    ...(sizeBytes === undefined ? {} : { sizeBytes }),
    ...(error === undefined ? {} : { error }),
  };
}

/** Opens all that the pages and the API show and do. */
export async function openServices(options: OpenServicesOptions): Promise<OpenedServices> {
  const context = new ServiceContext(options);
  const folder = options.uploads?.folder ?? join(context.folder, '.holdfast', 'uploads');
  const uploads = new Uploads(context, { ...defaultUploadLimits, ...options.uploads, folder });
  await uploads.open();
  const archives = new Archives(context, uploads);
  const storages = new Storages(context, archives);
  const jobs = new Jobs(context, new JobCommands(context, uploads), {
    onBlocks: (job, step) => archives.seeBlocks(job, step),
    onEnded: (job, command) => {
      archives.invalidate(command.changesArchives);
      archives.endBlocks(job);
    },
  });
  const made = new MadeFacts(context, archives);
  const runs = new Runs(context, jobs);
  // What takes a second where the history is long is not left for the first who asks.
  context.digest.refresh().catch((error: unknown) => options.log(`the history cannot be read: ${String(error)}`));
  return {
    nowMs: () => context.clock.nowMs(),
    overview: () => overviewOf({ context, archives, storages, jobs, runs, made }),
    calendar: async ({ days } = {}) =>
      await made.get(`calendar ${days}`, (snapshot) => calendarDays(context, snapshot, days)),
    trends: async ({ days } = {}) => await made.get(`trends ${days}`, (snapshot) => trendsOf(context, snapshot, days)),
    catalogueHeads: () => context.history.catalogue.heads(),
    archives,
    runs,
    storages,
    settings: new Settings(context),
    jobs,
    uploads,
    downloads: new Downloads(context),
    close: async () => {
      await jobs.close();
      await context.close();
    },
  };
}

type Snapshot = Awaited<ReturnType<Archives['snapshot']>>;
type Made = readonly CalendarDay[] | Trends | readonly SourceFacts[];

/** What takes a while to make of a long history, kept until the history, the lists or the minute change. */
class MadeFacts {
  readonly #context: ServiceContext;
  readonly #archives: Archives;
  readonly #made = new Map<string, { readonly snapshot: Snapshot; readonly key: string; readonly value: Made }>();

  constructor(context: ServiceContext, archives: Archives) {
    this.#context = context;
    this.#archives = archives;
  }

  async get<Value extends Made>(name: string, make: (snapshot: Snapshot) => Value): Promise<Value> {
    const snapshot = await this.#archives.snapshot();
    const { digest, clock } = this.#context;
    const key = `${digest.version}/${Math.floor(clock.nowMs() / madeLastsMs)}`;
    const known = this.#made.get(name);
    if (known?.key === key && known.snapshot === snapshot) return known.value as Value;
    const value = make(snapshot);
    if (this.#made.size > 50) this.#made.clear();
    this.#made.set(name, { snapshot, key, value });
    return value;
  }
}

/** Says of sources whose last run failed why it did. */
async function withErrors(context: ServiceContext, sources: readonly SourceFacts[]): Promise<readonly SourceFacts[]> {
  const failing = sources.flatMap(({ state, runId }) => (state === 'failing' && runId !== undefined ? [runId] : []));
  const errors = await errorsOfRuns(context.history.database, [...new Set(failing)]);
  return sources.map((source) => {
    const error = source.state === 'failing' ? errors.get(source.runId ?? '') : undefined;
    return error === undefined ? source : { ...source, error };
  });
}

async function overviewOf(given: {
  readonly context: ServiceContext;
  readonly archives: Archives;
  readonly storages: Storages;
  readonly jobs: Jobs;
  readonly runs: Runs;
  readonly made: MadeFacts;
}): Promise<Overview> {
  const { context, archives, storages, jobs, runs, made } = given;
  const sources = await withErrors(context, await made.get('sources', (snapshot) => sourceStates(context, snapshot)));
  const snapshot = await archives.snapshot();
  const { config } = context.loaded;
  const counts = Object.fromEntries(
    allStates.map((state) => [state, sources.filter((source) => source.state === state).length]),
  );
  const listed = await storages.list();
  const hasKey =
    config.encryption === 'none' ||
    config.encryptionKey !== undefined ||
    Boolean(context.environment['HOLDFAST_PASSPHRASE']) ||
    (config.recipients ?? []).length > 0;
  return {
    sources,
    counts: counts as Overview['counts'],
    storages: listed,
    archiveCount: snapshot.archives.length,
    totalSizeBytes: listed.reduce((sum, { totalSizeBytes }) => sum + totalSizeBytes, 0),
    recentRuns: (await runs.list({ pageSize: recentRuns })).items,
    activeJobs: jobs.list().filter(({ state }) => state === 'running'),
    firstSteps: {
      hasSources: sources.some(({ enabled }) => enabled),
      hasKey,
      hasBackup: sources.some(({ lastGoodMs }) => lastGoodMs !== undefined),
    },
    isScheduling: context.isScheduling,
  };
}
