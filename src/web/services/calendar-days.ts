import { configuredJobs } from '../../config/scheduled-jobs.ts';
import type { RunBrief } from '../../history/run-queries.ts';
import { localTime } from '../../policy/local-time.ts';
import { readSchedule } from '../../policy/schedule.ts';
import type { ArchiveSnapshot } from './archive-list.ts';
import type { ServiceContext } from './service-context.ts';
import type { CalendarDay, Trends } from './web-services.ts';

const dayMs = 86_400_000;
const hourMs = dayMs / 24;
const quarterMs = hourMs / 4;
const mostDays = 371;
/** Points of one line of a chart. */
const mostPoints = 400;

type JobResult = CalendarDay['jobs'][number]['result'];

/** From the best to the worst. */
const results: readonly JobResult[] = ['good', 'incomplete', 'suspect', 'missed', 'failed'];
const resultOf: Readonly<Record<string, JobResult>> = {
  succeeded: 'good',
  incomplete: 'incomplete',
  suspect: 'suspect',
  failed: 'failed',
  interrupted: 'failed',
  died: 'failed',
};

function boundedDays(days: number | undefined, fallback: number): number {
  return Math.max(1, Math.min(mostDays, Math.trunc(days ?? fallback)));
}

type DayOf = (timeMs: number) => number;

/** Days as the schedule's time zone has them. */
function dayReader({ timezone }: ServiceContext): DayOf {
  const zone = localTime(timezone);
  // Clocks are set at a quarter of an hour: so many offsets are looked up, however many runs there are.
  return (timeMs) => Math.floor((timeMs + zone.offsetMs(Math.floor(timeMs / quarterMs) * quarterMs)) / dayMs);
}

function dayText(day: number): string {
  return new Date(day * dayMs).toISOString().slice(0, 10);
}

/** When a day begins: within half a day and more of the same day of UTC, whatever the zone. */
function startOfDay(day: number, dayOf: DayOf): number {
  let low = (day * dayMs) / quarterMs - 64;
  let high = low + 128;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (dayOf(middle * quarterMs) < day) low = middle + 1;
    else high = middle;
  }
  return low * quarterMs;
}

/** What the runs of a day come to. */
type RunsOfDay = Pick<CalendarDay, 'jobs' | 'result' | 'goodCount' | 'failedCount'>;

/** What was made of days already: but for the last ones they stay as they are. */
interface KnownDays {
  readonly starts: Map<number, number>;
  /** By day, with what it was made of. */
  readonly days: Map<number, { readonly madeOf: string; readonly facts: RunsOfDay }>;
  due: { readonly madeOf: string; readonly days: ReadonlyMap<number, ReadonlySet<string>> } | undefined;
}

const knownDays = new WeakMap<ServiceContext, KnownDays>();

/** The last days of each job. The digest has to be up to date. */
export function calendarDays(context: ServiceContext, snapshot: ArchiveSnapshot, given?: number): CalendarDay[] {
  const known = knownDays.get(context) ?? { starts: new Map(), days: new Map(), due: undefined };
  knownDays.set(context, known);
  const { digest, clock } = context;
  const nowMs = clock.nowMs();
  const dayOf = dayReader(context);
  const count = boundedDays(given, 365);
  const first = dayOf(nowMs) - count + 1;
  const startOf = (day: number) => {
    const start = known.starts.get(day) ?? startOfDay(day, dayOf);
    known.starts.set(day, start);
    return start;
  };
  const due = dueDays(context, known, { dayOf, fromMs: startOf(first) - dayMs, nowMs });
  const kept = keptByDay(snapshot, dayOf);
  return Array.from({ length: count }, (_, index) => {
    const day = first + index;
    const [from, to] = [digest.placeOf(startOf(day)), digest.placeOf(startOf(day + 1))];
    const jobs = due.get(day) ?? new Set();
    const madeOf = `${digest.order} ${from} ${to} ${[...jobs].join()}`;
    let facts = known.days.get(day);
    if (facts?.madeOf !== madeOf) {
      const runs = digest.runs.slice(from, to);
      const isOver = runs.every(({ state }) => state !== 'running');
      facts = { madeOf: isOver ? madeOf : '', facts: describeRuns(runs.filter(isBackup), jobs) };
      known.days.set(day, facts);
    }
    return { day: dayText(day), ...facts.facts, ...(kept.get(day) ?? nothingKept) };
  });
}

const nothingKept: Pick<CalendarDay, 'kept' | 'archiveCount'> = { kept: [], archiveCount: 0 };

function isBackup({ kind, state, job }: RunBrief): boolean {
  return kind === 'backup' && state !== 'running' && job !== undefined;
}

function recentRuns({ digest }: ServiceContext, fromMs: number): RunBrief[] {
  return digest.runs.slice(digest.placeOf(fromMs)).filter(isBackup);
}

/** Days on which a job should have run, from its first run on: of the time before nobody knows how it was scheduled. */
function dueDays(
  context: ServiceContext,
  known: KnownDays,
  { dayOf, fromMs, nowMs }: { readonly dayOf: DayOf; readonly fromMs: number; readonly nowMs: number },
): ReadonlyMap<number, ReadonlySet<string>> {
  const { digest, loaded } = context;
  const from = digest.placeOf(fromMs);
  const firstOf = (job: string) => {
    for (let index = from; index < digest.runs.length; index++) {
      const run = digest.runs[index];
      if (run?.job === job && isBackup(run)) return run.startedMs;
    }
    return undefined;
  };
  const jobs = configuredJobs(loaded.config)
    .filter(({ enabled }) => enabled)
    .map((job) => ({ ...job, firstMs: firstOf(job.name) }));
  // What was due is due; only with each hour there is more.
  const hours = Math.floor(nowMs / hourMs);
  const madeOf = `${hours} ${fromMs} ${jobs.map(({ name, firstMs }) => `${name}@${firstMs}`).join()}`;
  if (known.due?.madeOf === madeOf) return known.due.days;
  const days = new Map<number, Set<string>>();
  for (const { name, times, firstMs } of jobs) {
    if (firstMs === undefined) continue;
    const schedule = readSchedule(times);
    let next = schedule.nextMs(Math.max(firstMs, fromMs));
    while (next !== undefined && next < (hours - 1) * hourMs) {
      const day = dayOf(next);
      days.set(day, (days.get(day) ?? new Set()).add(name));
      // One a day is enough to know that the day had one.
      next = schedule.nextMs(next + dayMs / 2);
    }
  }
  known.due = { madeOf, days };
  return days;
}

function describeRuns(runs: readonly RunBrief[], due: ReadonlySet<string>): RunsOfDay {
  const byJob = Map.groupBy(runs, ({ job }) => job ?? '');
  const names = [...new Set([...byJob.keys(), ...due])].sort();
  const jobs = names.map((job) => {
    const found = (byJob.get(job) ?? []).map(({ state }) => resultOf[state] ?? 'failed');
    // Of several the best counts: what failed and was done again is done.
    return { job, result: results.find((result) => found.includes(result)) ?? 'missed' };
  });
  const worst = results.findLast((result) => jobs.some((job) => job.result === result));
  const goodCount = runs.filter(({ state }) => state === 'succeeded' || state === 'incomplete').length;
  return { jobs, result: worst ?? 'none', goodCount, failedCount: runs.length - goodCount };
}

type Kept = ReadonlyMap<number, Pick<CalendarDay, 'kept' | 'archiveCount'>>;

const knownKept = new WeakMap<ArchiveSnapshot, Kept>();

/** What is kept of each day; a list stays as it is until another is made. */
function keptByDay(snapshot: ArchiveSnapshot, dayOf: DayOf): Kept {
  const known = knownKept.get(snapshot);
  if (known !== undefined) return known;
  const byDay = Map.groupBy(snapshot.archives, ({ createdMs }) => dayOf(createdMs));
  const made = new Map(
    [...byDay].map(([day, archives]) => {
      const rules = new Set(archives.flatMap(({ keptBy }) => keptBy.map(ruleOf)));
      return [day, { kept: [...rules], archiveCount: archives.length }];
    }),
  );
  knownKept.set(snapshot, made);
  return made;
}

function ruleOf(reason: string): CalendarDay['kept'][number] {
  const rule = /^(daily|weekly|monthly|yearly)\b/.exec(reason)?.[1];
  return (rule as CalendarDay['kept'][number] | undefined) ?? 'other';
}

/** Sizes and durations over time. The digest has to be up to date. */
export function trendsOf(context: ServiceContext, snapshot: ArchiveSnapshot, given?: number): Trends {
  const days = boundedDays(given, 90);
  const fromMs = context.clock.nowMs() - days * dayMs;
  const good = recentRuns(context, fromMs).filter(
    ({ state, sizeBytes, endedMs }) => state === 'succeeded' && sizeBytes !== undefined && endedMs !== undefined,
  );
  const jobs = [
    ...Map.groupBy(good, ({ job, database }) => (database === undefined ? `${job}` : `${job} (${database})`)),
  ];
  return {
    jobs: jobs.map(([job, runs]) => ({
      job,
      points: thinned(runs).map(({ startedMs, endedMs = startedMs, sizeBytes = 0 }) => {
        return { timeMs: startedMs, sizeBytes, durationMs: Math.max(0, endedMs - startedMs) };
      }),
    })),
    storages: storageTotals(context, snapshot, { days }),
  };
}

/** So many at most, the last one always. */
function thinned<Item>(items: readonly Item[]): readonly Item[] {
  if (items.length <= mostPoints) return items;
  const step = items.length / mostPoints;
  return Array.from({ length: mostPoints }, (_, index) => items[Math.ceil((index + 1) * step) - 1] as Item);
}

function storageTotals(
  context: ServiceContext,
  snapshot: ArchiveSnapshot,
  { days }: { readonly days: number },
): Trends['storages'] {
  const dayOf = dayReader(context);
  const today = dayOf(context.clock.nowMs());
  const first = today - days + 1;
  return context.storages
    .filter(({ configured }) => configured.enabled)
    .map(({ configured: { name } }) => {
      const added = new Map<number, number>();
      for (const { createdMs, replicas } of snapshot.archives) {
        const replica = replicas.find(({ storage }) => storage === name);
        if (replica === undefined) continue;
        const day = Math.max(first - 1, dayOf(createdMs));
        added.set(day, (added.get(day) ?? 0) + replica.sizeBytes);
      }
      let totalSizeBytes = added.get(first - 1) ?? 0;
      const points = Array.from({ length: days }, (_, index) => {
        totalSizeBytes += added.get(first + index) ?? 0;
        return { day: dayText(first + index), totalSizeBytes };
      });
      return { storage: name, points };
    });
}
