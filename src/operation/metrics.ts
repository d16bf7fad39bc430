import type { RunFacts } from '../history/run-facts.ts';
import type { Schedule } from '../policy/schedule.ts';

/** What {@link metricsText} tells of. */
export interface MetricsInput {
  readonly facts: RunFacts;
  /** Those that run by themselves. */
  readonly jobs: readonly { readonly name: string; readonly schedule: Schedule }[];
  readonly nowMs: number;
  readonly version: string;
}

/** The text format of Prometheus, version 0.0.4. */
export const metricsContentType = 'text/plain; version=0.0.4; charset=utf-8';

interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number | undefined;
}

interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge';
  readonly labelNames: readonly string[];
  readonly samples: readonly Sample[];
}

function family(type: Family['type'], name: string, help: string, samples: readonly Sample[]): Family {
  const labelNames = Object.keys(samples[0]?.labels ?? {});
  return { type, name: `holdfast_${name}`, help, labelNames, samples };
}

const seconds = (timeMs: number | undefined) => (timeMs === undefined ? undefined : timeMs / 1000);

function runFamilies({ counts, lastRuns }: RunFacts): Family[] {
  const heals = Map.groupBy(counts, ({ kind }) => kind);
  const ended = counts.filter(({ state }) => state !== 'running');
  const running = counts.filter(({ state }) => state === 'running');
  const last = (value: (run: RunFacts['lastRuns'][number]) => number | undefined) =>
    lastRuns.map((run) => ({ labels: { kind: run.kind, database: run.database ?? '' }, value: value(run) }));
  return [
    family(
      'counter',
      'runs_total',
      'Runs in the history, by how they ended.',
      ended.map(({ kind, database = '', state, count }) => ({ labels: { kind, database, state }, value: count })),
    ),
    family(
      'gauge',
      'runs_running',
      'Runs under way.',
      running.map(({ kind, database = '', count }) => ({ labels: { kind, database }, value: count })),
    ),
    family(
      'counter',
      'healed_blocks_total',
      'Blocks of archives that were damaged and are whole again, by the kind of run that healed them.',
      [...heals].map(([kind, group]) => ({
        labels: { kind },
        value: group.reduce((sum, { healedBlocks }) => sum + healedBlocks, 0),
      })),
    ),
    family(
      'gauge',
      'last_run_timestamp_seconds',
      'When the last run that is over ended; began, where it died.',
      last(({ startedMs, endedMs = startedMs }) => seconds(endedMs)),
    ),
    family(
      'gauge',
      'last_run_duration_seconds',
      'How long the last run that is over took.',
      last(({ startedMs, endedMs }) => (endedMs === undefined ? undefined : Math.max(0, endedMs - startedMs) / 1000)),
    ),
    family(
      'gauge',
      'last_run_state',
      'How the last run that is over ended, as a label; always 1.',
      lastRuns.map(({ kind, database = '', state }) => ({ labels: { kind, database, state }, value: 1 })),
    ),
  ];
}

function archiveFamilies({ places, storages }: RunFacts): Family[] {
  const of = (value: (place: RunFacts['places'][number]) => number | undefined) =>
    places.map((place) => ({
      labels: { database: place.database, storage: place.storage ?? '' },
      value: value(place),
    }));
  const stored = (value: 'sizeBytes' | 'archiveCount') =>
    storages.map((one) => ({ labels: { storage: one.storage ?? '', state: one.state }, value: one[value] }));
  return [
    family(
      'gauge',
      'last_success_timestamp_seconds',
      'When the newest archive was made that is there and not suspect.',
      of(({ lastSuccessMs }) => seconds(lastSuccessMs)),
    ),
    family(
      'gauge',
      'last_success_size_bytes',
      'Size of that archive.',
      of(({ lastSizeBytes }) => lastSizeBytes),
    ),
    family(
      'gauge',
      'last_proof_timestamp_seconds',
      'When all contents of an archive were last read back and found right.',
      of(({ lastProofMs }) => seconds(lastProofMs)),
    ),
    family('gauge', 'storage_size_bytes', 'Size of the archives that the history knows there.', stored('sizeBytes')),
    family(
      'gauge',
      'storage_archives',
      'Archives that the history knows there, by what the last run found of them.',
      stored('archiveCount'),
    ),
  ];
}

function families({ facts, jobs, nowMs, version }: MetricsInput): Family[] {
  return [
    family('gauge', 'build_info', 'The version, as a label; always 1.', [{ labels: { version }, value: 1 }]),
    ...runFamilies(facts),
    ...archiveFamilies(facts),
    family(
      'gauge',
      'next_run_timestamp_seconds',
      'When a job of the schedule runs next.',
      jobs.map(({ name, schedule }) => ({ labels: { job_name: name }, value: seconds(schedule.nextMs(nowMs)) })),
    ),
  ];
}

/**
 * What the history and the schedule come to, in the text format of Prometheus. All of it is read from the history, so that it is true after
 * a restart, and of runs that another process made. Labels are names of databases, storages and jobs, never URLs.
 *
 * Source: https://prometheus.io/docs/instrumenting/exposition_formats/ and https://prometheus.io/docs/practices/naming/
 */
export async function metricsText(input: MetricsInput): Promise<string> {
  const { Counter, Gauge, Registry } = await import('prom-client');
  const registry = new Registry();
  for (const { name, help, type, labelNames, samples } of families(input)) {
    // One without labels would stand there with the value 0.
    if (samples.every(({ value }) => value === undefined)) continue;
    const options = { name, help, labelNames, registers: [registry] };
    const metric = type === 'counter' ? new Counter(options) : new Gauge(options);
    for (const { labels, value } of samples) if (value !== undefined) metric.inc(labels, value);
  }
  return await registry.metrics();
}
