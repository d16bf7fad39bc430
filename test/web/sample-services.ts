/** Services that answer from made-up data, as many as wanted, and remember what was asked of them. */
import { systemClock } from '../../src/clock.ts';
import { HoldfastError } from '../../src/errors.ts';
import type { BlockStep } from '../../src/operation/options.ts';
import { BlockMaps } from '../../src/web/services/block-maps.ts';
import { restoreTargetName } from '../../src/web/services/restore-target.ts';
import type {
  ArchiveContents,
  ArchiveFacts,
  ArchivePlace,
  ArchiveQuery,
  BlockMapFacts,
  JobEvent,
  JobFacts,
  JobRequest,
  Page,
  UploadFacts,
  WebServices,
} from '../../src/web/services/web-services.ts';
import type { WebUser } from '../../src/web/web-environment.ts';
import {
  sampleArchive,
  sampleDays,
  sampleEntries,
  sampleJob,
  sampleRun,
  sampleRunDetails,
  sampleTrends,
} from './sample-data.ts';
import { settingsServices } from './sample-settings.ts';
import { dayMs, nowMs, type Spelling, sampleSources, sampleStorages } from './sample-sources.ts';

/** What a sample is like. */
export interface SampleOptions {
  readonly archiveCount?: number;
  readonly runCount?: number;
  readonly spell?: Spelling;
  /** Nothing was ever backed up. */
  readonly isNew?: boolean;
}

/** The services, and what was started with them. */
export interface SampleServices extends WebServices {
  readonly started: JobRequest[];
  /** Sends an event to whoever follows the job. */
  tell(event: JobEvent): void;
  /** Tells what a job found of blocks. */
  tellBlocks(jobId: string, place: ArchivePlace, step: BlockStep): void;
}

function paged<Item>(
  items: readonly Item[],
  { page = 1, pageSize = 50 }: { page?: number; pageSize?: number },
): Page<Item> {
  return { items: items.slice((page - 1) * pageSize, page * pageSize), page, pageSize, totalCount: items.length };
}

function sorted(archives: ArchiveFacts[], { sort = 'created', direction = 'down' }: ArchiveQuery): ArchiveFacts[] {
  const value = (archive: ArchiveFacts) =>
    sort === 'size' ? archive.sizeBytes : sort === 'name' ? archive.name : archive.createdMs;
  const turn = direction === 'down' ? -1 : 1;
  return archives.sort((left, right) => (value(left) < value(right) ? -turn : turn));
}

function matches(archive: ArchiveFacts, { text, series, storage, health, pinned, leaving }: ArchiveQuery): boolean {
  return (
    (text === undefined || archive.name.toLowerCase().includes(text.toLowerCase())) &&
    (series === undefined || archive.series === series) &&
    (storage === undefined || archive.replicas.some((replica) => replica.storage === storage)) &&
    (health === undefined || archive.health === health) &&
    (pinned !== true || archive.isPinned) &&
    (leaving !== true || archive.keptBy.length === 0)
  );
}

function sampleContents(spell: Spelling, page: number, text: string | undefined): ArchiveContents {
  const all = sampleEntries(spell);
  const entries = all.filter(({ path }) => text === undefined || path.includes(text));
  return {
    ...paged(entries, { page, pageSize: 50 }),
    contentsId: 'contents1',
    totalSizeBytes: all.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    totalRows: all.reduce((sum, { rows = 0 }) => sum + rows, 0),
    isSuspect: false,
    isCut: false,
    parts: [
      { kind: 'database', name: spell('shop'), entryCount: 10, sizeBytes: 1_924_000_000, rows: 10_577_123 },
      { kind: 'files', name: spell('uploads'), entryCount: 60, sizeBytes: 27_000_000, rows: 0 },
    ],
  };
}

function sampleMap(isDamaged: boolean): BlockMapFacts {
  const row = (parts: readonly (readonly [string, number])[]) => {
    const drawn = parts.map(([state, count]) => state.repeat(count)).join('');
    return drawn + '='.repeat(4096 - drawn.length);
  };
  const first = row(
    isDamaged
      ? [
          ['=', 1456],
          ['+', 272],
          ['=', 960],
          ['+', 9],
        ]
      : [],
  );
  const second = row(
    isDamaged
      ? [
          ['=', 3200],
          ['+', 64],
          ['#', 2],
          ['=', 300],
          ['~', 21],
        ]
      : [],
  );
  // One band and a half, so that parity shows.
  return {
    archiveId: '5d41402abc4b2a76b9719d911017c592',
    lookedMs: nowMs - 2 * dayMs,
    perCopy: 25_101,
    damaged: isDamaged ? 2410 : 0,
    solved: isDamaged ? 188 : 0,
    lost: isDamaged ? 9 : 0,
    copies: [first, second],
    dataBlocks: 239,
    parityBlocks: 16,
    isBeingRead: false,
  };
}

class SampleJobs {
  readonly started: JobRequest[] = [];
  readonly #jobs = new Map<string, JobFacts>();
  readonly #followers = new Set<(event: JobEvent) => void>();
  readonly #spell: Spelling;

  constructor(spell: Spelling, jobs: readonly JobFacts[]) {
    this.#spell = spell;
    for (const job of jobs) this.#jobs.set(job.id, job);
  }

  async start(user: WebUser, request: JobRequest): Promise<JobFacts> {
    this.started.push(request);
    const spell = this.#spell;
    if (request.kind === 'restore' && request.dryRun !== true && request.confirm !== restoreTargetName(request)) {
      throw new HoldfastError('usage.invalid', {
        message: 'the name that was typed is not that of the target',
        hint: 'type it as it stands there',
      });
    }
    const isRestore = request.kind === 'restore';
    const job: JobFacts = {
      id: `job${this.#jobs.size + 1}`,
      kind: request.kind,
      subject: 'name' in request ? request.name : 'job' in request && request.job !== undefined ? request.job : '',
      startedBy: user.name,
      startedMs: nowMs,
      state: isRestore ? 'succeeded' : 'running',
      log: [],
      ...('storage' in request && { place: { storage: request.storage, name: request.name } }),
      ...(isRestore && {
        endedMs: nowMs + 9000,
        result: { dryRun: request.dryRun === true },
        actions: [
          {
            target: 'postgres://backup@db-1.internal/shop_copy',
            kind: 'postgres',
            action: 'create',
            entryCount: 10,
            sizeBytes: 1_924_000_000,
          },
          {
            target: spell('/srv/restore/uploads'),
            kind: 'files',
            action: 'replace',
            entryCount: 60,
            sizeBytes: 27_000_000,
            undo: spell('/srv/restore/.uploads.undo'),
          },
        ],
      }),
    };
    this.#jobs.set(job.id, job);
    return job;
  }

  list(): readonly JobFacts[] {
    return [...this.#jobs.values()].reverse();
  }

  get(id: string): JobFacts | undefined {
    return this.#jobs.get(id);
  }

  async cancel(_: WebUser, id: string): Promise<void> {
    const job = this.#jobs.get(id);
    if (job !== undefined) this.tell({ type: 'ended', job: { ...job, state: 'interrupted', endedMs: nowMs } });
  }

  tell(event: JobEvent): void {
    this.#jobs.set(event.job.id, event.job);
    for (const follower of this.#followers) follower(event);
  }

  async *events(id: string, signal: AbortSignal): AsyncIterable<JobEvent> {
    const waiting: JobEvent[] = [];
    let wake = () => {};
    const follower = (event: JobEvent) => {
      if (event.job.id !== id) return;
      waiting.push(event);
      wake();
    };
    this.#followers.add(follower);
    signal.addEventListener('abort', () => wake());
    try {
      const job = this.#jobs.get(id);
      if (job !== undefined) yield { type: 'facts', job };
      while (!signal.aborted) {
        const event = waiting.shift();
        if (event === undefined) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
          continue;
        }
        yield event;
        if (event.type === 'ended') return;
      }
    } finally {
      this.#followers.delete(follower);
    }
  }

  async ended(id: string, signal = new AbortController().signal): Promise<JobFacts> {
    const known = this.#jobs.get(id);
    if (known !== undefined && known.state !== 'running') return known;
    for await (const { type, job } of this.events(id, signal)) if (type === 'ended') return job;
    throw new HoldfastError('storage.not_found');
  }
}

function archiveServices(archives: readonly ArchiveFacts[], spell: Spelling, maps: BlockMaps): WebServices['archives'] {
  return {
    list: async (query = {}) =>
      paged(
        sorted(
          archives.filter((archive) => matches(archive, query)),
          query,
        ),
        query,
      ),
    series: async () => ['shop', 'billing', 'analytics', 'crm', 'redis'].map(spell).slice(0, archives.length),
    get: async (name) => {
      const found = archives.find((archive) => archive.name === name);
      if (found === undefined)
        throw new HoldfastError('storage.not_found', { message: `${name}: there is no such archive` });
      return found;
    },
    header: async () => ({
      archiveId: '5d41402abc4b2a76b9719d911017c592',
      formatVersion: 1,
      createdMs: nowMs - dayMs,
      encryption: 'aes-256-gcm',
      compression: 'zstd',
      copies: 2,
      dataBlocks: 239,
      parityBlocks: 16,
      sizeBytes: 4_627_000_000,
      slots: [
        { id: 'a1', type: 'passphrase', label: spell('daily use'), createdMs: nowMs - 200 * dayMs },
        { id: 'b2', type: 'age', label: spell('paper in the safe'), createdMs: nowMs - 200 * dayMs },
      ],
    }),
    open: async (_, __, { passphrase }) => {
      if (passphrase !== undefined && passphrase.reveal() !== 'five words that I chose')
        throw new HoldfastError('key.wrong');
      return sampleContents(spell, 1, undefined);
    },
    contents: (_, id, { text, page = 1 } = {}) => (id === 'contents1' ? sampleContents(spell, page, text) : undefined),
    blockMaps: async (name) => {
      const { replicas = [] } = archives.find((archive) => archive.name === name) ?? {};
      return new Map(
        replicas.flatMap(({ storage }) => {
          const read = maps.get({ storage, name });
          if (read === undefined && archives[9]?.name === name) return [];
          return [[storage, read ?? sampleMap(archives[7]?.name === name && storage === spell('local'))]];
        }),
      );
    },
    blockEvents: (name, signal) => maps.follow(name, signal),
    setPinned: async () => {},
    refresh: async () => {},
    listing: async () => ({
      listedMs: nowMs - 90_000,
      failed:
        archives.length === 0
          ? []
          : [
              {
                storage: spell('vault'),
                error: {
                  code: 'storage.unavailable',
                  message: spell('vault.internal: the connection timed out.'),
                  hint: 'check the network to it',
                },
              },
            ],
    }),
  };
}

async function unused(): Promise<never> {
  throw new HoldfastError('operation.failed', { message: 'the sample does not do this' });
}

function sampleUploads(spell: Spelling): UploadFacts[] {
  return [
    {
      id: 'u1',
      name: spell('shop-from-laptop.holdfast'),
      sizeBytes: 4_627_000_000,
      receivedBytes: 4_627_000_000,
      isComplete: true,
      startedBy: 'anna',
      expiresMs: nowMs + dayMs,
    },
  ];
}

/** Made-up services. */
export function sampleServices(options: SampleOptions = {}): SampleServices {
  const { isNew = false, spell = (name) => name } = options;
  const { archiveCount = isNew ? 0 : 400, runCount = isNew ? 0 : 900 } = options;
  const archives = Array.from({ length: archiveCount }, (_, index) => sampleArchive(index, spell));
  const runs = Array.from({ length: runCount }, (_, index) => sampleRun(index, spell));
  const sources = isNew ? [] : sampleSources(spell);
  const jobs = new SampleJobs(spell, isNew ? [] : [sampleJob(spell)]);
  const storages = sampleStorages(spell, archiveCount);
  const maps = new BlockMaps(systemClock);
  const uploads = sampleUploads(spell);
  return {
    started: jobs.started,
    tell: (event) => jobs.tell(event),
    tellBlocks: (jobId, place, step) => maps.see(jobId, place, step),
    nowMs: () => nowMs,
    overview: async () => ({
      sources,
      counts: {
        well: 0,
        late: 0,
        failing: 0,
        suspect: 0,
        unproven: 0,
        ...Object.fromEntries(
          [...Map.groupBy(sources, ({ state }) => state)].map(([state, list]) => [state, list.length]),
        ),
      },
      storages: isNew ? [] : storages,
      archiveCount,
      totalSizeBytes: isNew ? 0 : 3.1 * 2 ** 40,
      recentRuns: runs.slice(0, 8),
      activeJobs: jobs.list().filter(({ state }) => state === 'running'),
      firstSteps: { hasSources: isNew, hasKey: false, hasBackup: !isNew },
      isScheduling: true,
    }),
    calendar: async ({ days = 371 } = {}) => (isNew ? [] : sampleDays(days)),
    trends: async () => sampleTrends(spell),
    catalogueHeads: async () => [],
    archives: archiveServices(archives, spell, maps),
    runs: {
      list: async (query = {}) =>
        paged(
          runs.filter(({ kind, state }) => (query.kind ?? kind) === kind && (query.state ?? state) === state),
          query,
        ),
      get: async (id) => (runs.some((run) => run.id === id) ? sampleRunDetails(id, spell) : undefined),
    },
    storages: {
      list: async () => (isNew ? [] : storages),
      check: async () => ({ backend: 'local', place: '', warnings: [], passed: true, steps: [], leftovers: [] }),
    },
    settings: settingsServices(spell),
    jobs,
    uploads: {
      create: unused,
      append: unused,
      remove: unused,
      list: () => uploads,
      get: (_, id) => uploads.find((upload) => upload.id === id),
    },
    downloads: { stored: unused, fresh: unused },
  };
}
