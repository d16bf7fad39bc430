import { configuredJobs } from '../../config/scheduled-jobs.ts';
import type { RunBrief } from '../../history/run-queries.ts';
import { localTime, systemTimezone } from '../../policy/local-time.ts';
import { readSchedule } from '../../policy/schedule.ts';
import type { ArchiveSnapshot } from './archive-list.ts';
import type { ServiceContext } from './service-context.ts';
import type { CalendarDay, Trends } from './web-services.ts';

const dayMs = 86_400_000;
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

/** Days as the schedule's time zone has them. */
function dayReader(context: ServiceContext): (timeMs: number) => number {
  const zone = localTime(context.loaded.config.schedule?.timezone ?? systemTimezone());
  // Clocks are set at a quarter of an hour: so many offsets are looked up, however many runs there are.
  const quarterMs = dayMs / 96;
  return (timeMs) => Math.floor((timeMs + zone.offsetMs(Math.floor(timeMs / quarterMs) * quarterMs)) / dayMs);
}

function dayText(day: number): string {
  return new Date(day * dayMs).toISOString().slice(0, 10);
}

/** The last days of each job. The digest has to be up to date. */
export function calendarDays(context: ServiceContext, snapshot: ArchiveSnapshot, given?: number): CalendarDay[] {
  const nowMs = context.clock.nowMs();
  const dayOf = dayReader(context);
  const count = boundedDays(given, 365);
  const today = dayOf(nowMs);
  const first = today - count + 1;
  const runs = recentRuns(context.digest.runs, nowMs - (count + 1) * dayMs).filter(({ job }) => job !== undefined);
  const byDay = Map.groupBy(runs, ({ startedMs }) => dayOf(startedMs));
  const due = dueDays(context, runs, { dayOf, fromMs: nowMs - (count + 1) * dayMs, nowMs });
  const kept = Map.groupBy(snapshot.archives, ({ createdMs }) => dayOf(createdMs));
  return Array.from({ length: count }, (_, index) => {
    const day = first + index;
    return describeDay(day, byDay.get(day) ?? [], due.get(day) ?? new Set(), kept.get(day) ?? []);
  });
}

function recentRuns(runs: readonly RunBrief[], fromMs: number): RunBrief[] {
  const start = runs.findIndex(({ startedMs }) => startedMs >= fromMs);
  return start < 0 ? [] : runs.slice(start).filter(({ kind, state }) => kind === 'backup' && state !== 'running');
}

/** Days on which a job should have run, from its first run on: of the time before nobody knows how it was scheduled. */
function dueDays(
  context: ServiceContext,
  runs: readonly RunBrief[],
  {
    dayOf,
    fromMs,
    nowMs,
  }: { readonly dayOf: (timeMs: number) => number; readonly fromMs: number; readonly nowMs: number },
): Map<number, Set<string>> {
  const due = new Map<number, Set<string>>();
  for (const { name, enabled, times } of configuredJobs(context.loaded.config)) {
    const firstMs = runs.find(({ job }) => job === name)?.startedMs;
    if (!enabled || firstMs === undefined) continue;
    const schedule = readSchedule(times);
    let next = schedule.nextMs(Math.max(firstMs, fromMs));
    while (next !== undefined && next < nowMs - dayMs / 24) {
      const day = dayOf(next);
      const jobs = due.get(day) ?? new Set();
      due.set(day, jobs.add(name));
      // One a day is enough to know that the day had one.
      next = schedule.nextMs(Math.max(next, next + dayMs / 2));
    }
  }
  return due;
}

function describeDay(
  day: number,
  runs: readonly RunBrief[],
  due: ReadonlySet<string>,
  archives: ArchiveSnapshot['archives'],
): CalendarDay {
  const byJob = Map.groupBy(runs, ({ job }) => job ?? '');
  const names = [...new Set([...byJob.keys(), ...due])].sort();
  const jobs = names.map((job) => {
    const found = (byJob.get(job) ?? []).map(({ state }) => resultOf[state] ?? 'failed');
    // Of several the best counts: what failed and was done again is done.
    return { job, result: results.find((result) => found.includes(result)) ?? 'missed' };
  });
  const worst = results.findLast((result) => jobs.some((job) => job.result === result));
  const rules = new Set(archives.flatMap(({ keptBy }) => keptBy.map(ruleOf)));
  const isGood = ({ state }: RunBrief) => state === 'succeeded' || state === 'incomplete';
  return {
    day: dayText(day),
    jobs,
    result: worst ?? 'none',
    goodCount: runs.filter(isGood).length,
    failedCount: runs.filter((run) => !isGood(run)).length,
    kept: [...rules],
    archiveCount: archives.length,
  };
}

function ruleOf(reason: string): CalendarDay['kept'][number] {
  const rule = /^(daily|weekly|monthly|yearly)\b/.exec(reason)?.[1];
  return (rule as CalendarDay['kept'][number] | undefined) ?? 'other';
}

/** Sizes and durations over time. The digest has to be up to date. */
export function trendsOf(context: ServiceContext, snapshot: ArchiveSnapshot, given?: number): Trends {
  const days = boundedDays(given, 90);
  const fromMs = context.clock.nowMs() - days * dayMs;
  const good = recentRuns(context.digest.runs, fromMs).filter(
    ({ state, job, sizeBytes, endedMs }) =>
      state === 'succeeded' && job !== undefined && sizeBytes !== undefined && endedMs !== undefined,
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
