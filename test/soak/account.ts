/** What has to hold after a soak: every due run accounted for, everybody told, nothing grown. */
import type { RunRecord } from '../../src/history/run-record.ts';

const minuteMs = 60_000;

/** What `serve` uses at one moment. */
export interface Sample {
  readonly atMs: number;
  readonly residentBytes: number;
  readonly descriptorCount: number;
}

/** What a soak saw. */
export interface SoakFacts {
  /** The first and the last minute in which a backup was due. */
  readonly firstMs: number;
  readonly lastMs: number;
  /** All runs of the history. */
  readonly runs: readonly RunRecord[];
  /** Moments of `failed` among the events of `serve`. */
  readonly failedAtMs: readonly number[];
  /** What the webhook got. */
  readonly messages: readonly { readonly event: string; readonly id: string }[];
  readonly samples: readonly Sample[];
  /** Names of the archives on each storage. */
  readonly archives: Readonly<Record<string, readonly string[]>>;
}

/** Says what does not hold, a line each. */
export function soakProblems(facts: SoakFacts): string[] {
  return [...unaccounted(facts), ...untold(facts), ...unknownArchives(facts), ...growth(facts.samples)];
}

function clock(ms: number): string {
  return new Date(ms).toISOString().slice(11, 19);
}

/** Each due minute had one run that came to an end, or one of before was still at work. */
function unaccounted({ runs, firstMs, lastMs }: SoakFacts): string[] {
  const backups = runs.filter(({ kind }) => kind === 'backup');
  const problems = runs
    .filter(({ state }) => state === 'running')
    .map(({ kind, startedMs }) => `the ${kind} of ${clock(startedMs)} has no end`);
  for (let dueMs = firstMs; dueMs <= lastMs; dueMs += minuteMs) {
    const own = backups.filter(({ scheduledMs, state }) => scheduledMs === dueMs && state !== 'died');
    const isBusy = backups.some(({ startedMs, endedMs = startedMs, state }) => {
      // When a process died is not recorded: its run is made up for.
      const untilMs = state === 'died' ? endedMs + minuteMs : endedMs;
      return startedMs <= dueMs + 1_000 && dueMs <= untilMs;
    });
    if (own.length > 1) problems.push(`the backup of ${clock(dueMs)} ran ${own.length} times`);
    if (own.length === 0 && !isBusy) problems.push(`the backup of ${clock(dueMs)} did not run`);
  }
  return problems;
}

/** Who reads messages knows of each run that went wrong; of one whose process was killed, `serve` tells. */
function untold({ runs, messages, failedAtMs }: SoakFacts): string[] {
  const bad = runs.filter(({ kind, state }) => kind === 'backup' && ['failed', 'incomplete'].includes(state));
  const problems = bad
    .filter(({ notifications = [] }) => !notifications.some(({ sent, event }) => sent && event === 'failure'))
    .map(({ startedMs, state }) => `nobody was told that the backup of ${clock(startedMs)} is ${state}`);
  const failures = messages.filter(({ event }) => event === 'failure').length;
  if (failures < bad.length) problems.push(`${bad.length} runs went wrong, and ${failures} messages came`);
  const died = runs.filter(({ kind, state }) => kind === 'backup' && state === 'died');
  for (const { startedMs } of died) {
    if (!failedAtMs.some((atMs) => atMs >= startedMs && atMs < startedMs + 3 * minuteMs)) {
      problems.push(`serve did not tell of the backup of ${clock(startedMs)} that was killed`);
    }
  }
  return problems;
}

function unknownArchives({ runs, archives }: SoakFacts): string[] {
  const known = new Set(
    runs.flatMap(({ archives: written }) =>
      written.filter(({ state }) => state !== 'failed').map(({ storage, name }) => `${storage}: ${name}`),
    ),
  );
  return Object.entries(archives).flatMap(([storage, names]) =>
    names
      .map((name) => `${storage}: ${name}`)
      .filter((place) => !known.has(place))
      .map((place) => `no run wrote ${place}`),
  );
}

/** A fifth of the time is for warming up. */
const warmUpPart = 0.2;
/** More than this, from the first half of what follows to the second, is a leak: of memory relative, or at least so much; of descriptors absolute. */
const grownPart = 0.08;
const grownBytes = 6 * 2 ** 20;
const grownDescriptors = 3;

function growth(samples: readonly Sample[]): string[] {
  const warm = samples.slice(Math.floor(samples.length * warmUpPart));
  if (warm.length < 4) return [];
  const half = Math.floor(warm.length / 2);
  const [early, late] = [warm.slice(0, half), warm.slice(half)];
  const memory = [early, late].map((part) => median(part.map(({ residentBytes }) => residentBytes)));
  const [before = 0, after = 0] = memory;
  const descriptors = [early, late].map((part) => median(part.map(({ descriptorCount }) => descriptorCount)));
  const [open = 0, openAfter = 0] = descriptors;
  const problems: string[] = [];
  const mebibytes = (bytes: number) => (bytes / 2 ** 20).toFixed(1);
  if (after - before > Math.max(grownBytes, before * grownPart)) {
    problems.push(`serve grew from ${mebibytes(before)} to ${mebibytes(after)} MiB`);
  }
  if (openAfter - open > grownDescriptors) problems.push(`serve had ${open} descriptors, then ${openAfter}`);
  return problems;
}

/** The middle one. */
export function median(values: readonly number[]): number {
  return [...values].sort((left, right) => left - right)[Math.floor(values.length / 2)] ?? 0;
}
