/** Months of many databases on mixed schedules in virtual time, with faults; what must hold is checked each day. */
import assert from 'node:assert/strict';
import { archiveName, defaultFilenameTemplate } from '../../src/config/archive-name.ts';
import { HoldfastError } from '../../src/errors.ts';
import type { BegunRun, EndedRun, RunArchive, RunRecord } from '../../src/history/run-record.ts';
import { pruneStorages } from '../../src/operation/prune.ts';
import { recordRun } from '../../src/operation/record-run.ts';
import { retentionFacts } from '../../src/operation/retention-facts.ts';
import { type JobStore, runScheduler, type ScheduledJob, type SchedulerEvent } from '../../src/operation/scheduler.ts';
import { archiveSeriesReader } from '../../src/policy/archive-series.ts';
import type { RetentionArchive, RetentionPolicy } from '../../src/policy/retention.ts';
import { readSchedule, type Schedule } from '../../src/policy/schedule.ts';
import { MemoryStorage } from '../../src/storage/memory/memory-storage.ts';
import { retentionOracle } from '../../src/testing/retention-oracle.ts';
import { SeededRandom } from '../../src/testing/seeded-random.ts';
import { VirtualTime } from '../../src/testing/virtual-time.ts';

const dayMs = 86_400_000;
const hourMs = 3_600_000;
const timezone = 'Europe/Berlin';
const policy: RetentionPolicy = {
  keepLast: 0,
  keepHourly: 0,
  keepDaily: 7,
  keepWeekly: 4,
  keepMonthly: 3,
  keepYearly: 0,
  keepWithinMs: 0,
};
const readName = archiveSeriesReader({ template: defaultFilenameTemplate, environment: 'test' });

/** The runs of a simulation, in memory: the newest first when asked. */
class RunBook {
  readonly #runs: RunRecord[] = [];
  /** Those of them that are told. */
  readonly #told = new Map<string, RunRecord>();

  async begin({ archives = [], ...run }: BegunRun): Promise<string> {
    const id = `${this.#runs.length}`;
    const begun: RunRecord = { ...run, id, state: 'running', phases: [], archives };
    this.#runs.push(begun);
    this.#told.set(id, begun);
    return id;
  }

  async end(id: string, run: EndedRun): Promise<void> {
    const begun = this.#runs[Number(id)];
    assert.ok(begun);
    this.#set({ ...begun, ...run });
  }

  /** How many there were. */
  get count(): number {
    return this.#runs.length;
  }

  /** Leaves out of the facts what tells nothing any more: old runs with no archive left. */
  forget(beforeMs: number, isLeft: (archive: RunArchive) => boolean): void {
    for (const [id, run] of this.#told) {
      if (run.startedMs < beforeMs && !run.archives.some(isLeft)) this.#told.delete(id);
    }
  }

  /** As the history tells those whose process is gone. */
  killRunning(): void {
    for (const run of this.#runs) if (run.state === 'running') this.#set({ ...run, state: 'died' });
  }

  #set(run: RunRecord): void {
    this.#runs[Number(run.id)] = run;
    this.#told.set(run.id, run);
  }

  newestFirst(): RunRecord[] {
    return [...this.#told.values()].reverse();
  }
}

interface Held {
  token: string;
  untilMs: number;
}

/** What processes share, in memory. */
export class MemoryJobStore implements JobStore {
  readonly #handled = new Map<string, number>();
  readonly #leases = new Map<string, Held>();
  #tokens = 0;

  async handledMs(job: string): Promise<number | undefined> {
    return this.#handled.get(job);
  }

  async setHandledMs(job: string, handledMs: number): Promise<void> {
    this.#handled.set(job, handledMs);
  }

  async takeLease(job: string, { nowMs, durationMs }: { nowMs: number; durationMs: number }) {
    const held = this.#leases.get(job);
    if (held !== undefined && held.untilMs > nowMs && held.untilMs <= nowMs + 2 * durationMs) return undefined;
    const token = `${++this.#tokens}`;
    this.#leases.set(job, { token, untilMs: nowMs + durationMs });
    return { job, token };
  }

  async renewLease(
    { job, token }: { job: string; token: string },
    { nowMs, durationMs }: { nowMs: number; durationMs: number },
  ) {
    const held = this.#leases.get(job);
    if (held?.token !== token) return false;
    held.untilMs = nowMs + durationMs;
    return true;
  }

  async releaseLease({ job, token }: { job: string; token: string }): Promise<void> {
    if (this.#leases.get(job)?.token === token) this.#leases.delete(job);
  }
}

/** When nothing can have run: the process was dead, or the clock jumped over it. */
interface Gap {
  readonly fromMs: number;
  readonly toMs: number;
}

/** What a simulation came to. */
export interface SimulationResult {
  readonly runCount: number;
  readonly failedCount: number;
  readonly missedCount: number;
  readonly removedCount: number;
  readonly keptCount: number;
}

/** One simulated world. */
export class Simulation {
  readonly #time = new VirtualTime(Date.UTC(2026, 0, 1));
  readonly #random: SeededRandom;
  readonly #store: JobStore;
  readonly #book = new RunBook();
  readonly #storages = [
    { name: 'near', storage: new MemoryStorage() },
    { name: 'far', storage: new MemoryStorage() },
  ] as const;
  readonly #schedules = new Map<string, Schedule>();
  readonly #events: SchedulerEvent[] = [];
  readonly #gaps: Gap[] = [];
  readonly #started = new Map<string, Map<number, number>>();
  readonly #newestGood = new Map<string, string>();
  #isFarAway = false;
  #process = new AbortController();
  #failedCount = 0;
  #killedCount = 0;
  #removedCount = 0;
  #keptCount = 0;

  constructor({ seed, databases, store }: { seed: number; databases: number; store?: JobStore }) {
    this.#random = new SeededRandom(seed);
    this.#store = store ?? new MemoryJobStore();
    for (let index = 0; index < databases; index++) this.#schedules.set(`db-${index}`, this.#scheduleOf(index));
  }

  /** Lets days pass, each with the faults that fall on it. */
  async run(days: number): Promise<SimulationResult> {
    const startMs = this.#time.clock.nowMs();
    this.#startProcess();
    for (let day = 0; day < days; day++) await this.#passDay(day);
    // Nothing is left under way, or due.
    await this.#time.advance(2 * hourMs);
    this.#checkRuns(startMs, this.#time.clock.nowMs() - 1.5 * hourMs);
    const missedCount = this.#events.filter(({ missed }) => missed).length;
    const counts = { failedCount: this.#failedCount, removedCount: this.#removedCount, keptCount: this.#keptCount };
    return { runCount: this.#book.count, missedCount, ...counts };
  }

  #scheduleOf(index: number): Schedule {
    const zones = ['UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe'];
    const two = (value: number) => String(value).padStart(2, '0');
    if (index % 25 === 7) return readSchedule({ intervalHours: 1 });
    if (index % 8 === 3) return readSchedule({ intervalHours: 6 });
    if (index % 25 === 9) return readSchedule({ cron: `${index} 4 * * 0`, timezone });
    const dailyTime = `${two(index % 5)}:${two((index * 7) % 60)}`;
    return readSchedule({ dailyTime, timezone: zones[index % zones.length] ?? timezone });
  }

  /** A process of its own: once killed nothing in it goes on. */
  #startProcess(): void {
    const process = new AbortController();
    this.#process = process;
    const never = new Promise<never>(() => undefined);
    const wait = async (durationMs: number, signal?: AbortSignal): Promise<void> => {
      await this.#time.wait(durationMs, signal);
      if (process.signal.aborted) await never;
    };
    const jobs = [...this.#schedules].map(
      ([name, schedule]): ScheduledJob => ({ name, schedule, run: () => this.#backUp(name, wait) }),
    );
    const onEvent = (event: SchedulerEvent) => this.#hear(event);
    const { clock } = this.#time;
    // It never ends by itself; what it throws would be seen as an unhandled rejection.
    void runScheduler({ jobs, store: this.#store, signal: new AbortController().signal, clock, wait, onEvent });
  }

  #hear(event: SchedulerEvent): void {
    assert.notEqual(event.event, 'problem');
    this.#events.push(event);
    if (event.event !== 'started' || event.scheduledMs === undefined) return;
    const started = this.#started.get(event.job) ?? new Map<number, number>();
    this.#started.set(event.job, started);
    started.set(event.scheduledMs, (started.get(event.scheduledMs) ?? 0) + 1);
  }

  async #backUp(database: string, wait: (durationMs: number) => Promise<void>): Promise<void> {
    const { clock } = this.#time;
    const createdMs = clock.nowMs();
    const name = archiveName(defaultFilenameTemplate, { names: [database], createdMs, environment: 'test' });
    const luck = this.#random.integer(200);
    const archives = this.#storages.map(({ name: storage, storage: opened }): RunArchive => {
      return { storage, name, url: `${storage}/${opened.url(name)}`, state: 'pending' };
    });
    await recordRun(
      { history: this.#book, kind: 'backup', job: database, database, archives, clock },
      async () => {
        await wait(1000 * (1 + this.#random.integer(600)));
        if (luck < 3) {
          this.#failedCount++;
          throw new HoldfastError('source.unreadable');
        }
        const isSuspect = luck === 3;
        const written: RunArchive[] = [];
        for (const [index, { name: label, storage }] of this.#storages.entries()) {
          const place = archives[index] as RunArchive;
          if (label === 'far' && this.#isFarAway) {
            written.push({ ...place, state: 'failed' });
            continue;
          }
          const writer = await storage.writer(name, { copies: 1 });
          await writer.write(new Uint8Array(1 + this.#random.integer(20)));
          await writer.commit();
          written.push({ ...place, state: isSuspect ? 'suspect' : 'proven' });
          if (!isSuspect) this.#newestGood.set(`${label} ${database}`, name);
        }
        return { isSuspect, written };
      },
      ({ isSuspect, written }) => ({ state: isSuspect ? 'suspect' : 'succeeded', archives: written }),
    );
  }

  async #passDay(day: number): Promise<void> {
    const { clock } = this.#time;
    this.#isFarAway = day % 60 === 20 || day % 60 === 21;
    if (day % 30 === 11) await this.#dieFor(90 * 60_000 + this.#random.integer(30) * hourMs);
    if (day % 45 === 17) {
      const fromMs = clock.nowMs();
      clock.setNowMs(fromMs + 3 * hourMs);
      this.#gaps.push({ fromMs, toMs: clock.nowMs() });
    }
    if (day % 45 === 33) clock.setNowMs(clock.nowMs() - 40 * 60_000);
    await this.#time.advance(dayMs);
    await this.#prune();
  }

  async #dieFor(durationMs: number): Promise<void> {
    const fromMs = this.#time.clock.nowMs();
    // In the midst of runs, at times.
    this.#process.abort();
    this.#killedCount++;
    await this.#time.advance(durationMs);
    this.#book.killRunning();
    this.#gaps.push({ fromMs: fromMs - hourMs, toMs: this.#time.clock.nowMs() });
    this.#startProcess();
  }

  async #prune(): Promise<void> {
    const { clock } = this.#time;
    const facts = retentionFacts(this.#book.newestFirst());
    const here: RetentionArchive[] = [];
    const storages = this.#storages.map(({ name, storage }) => ({ name, storage: labelled(name, storage) }));
    for (const { name: label, storage } of storages) {
      for await (const { name, sizeBytes } of storage.list()) {
        const series = readName?.(name);
        assert.ok(series);
        const url = storage.url(name);
        const known = { isProven: facts.isProven(url), isDoubtful: facts.isDoubtful(url) };
        here.push({ storage: label, name, sizeBytes, ...series, ...known });
      }
    }
    const hold = (database: string, storage: string) => facts.hold(database, storage);
    const expected = this.#expected(here, hold);
    const { archives } = await pruneStorages({ storages, policy, timezone, environment: 'test', facts, clock });
    this.#removedCount += archives.filter(({ removed }) => removed).length;
    const left = new Set<string>();
    for (const { name: label, storage } of storages) {
      for await (const { name } of storage.list()) left.add(`${label} ${name}`);
    }
    assert.deepEqual([...left].sort(), expected);
    this.#keptCount = left.size;
    this.#book.forget(clock.nowMs() - 10 * dayMs, ({ storage, name }) => left.has(`${storage} ${name}`));
    for (const [key, name] of this.#newestGood) {
      const [label] = key.split(' ');
      assert.ok(left.has(`${label} ${name}`), `the newest good archive of ${key} is there`);
    }
  }

  /** Without a size cap each database on each storage is judged alone. */
  #expected(
    here: readonly RetentionArchive[],
    hold: (database: string, storage: string) => string | undefined,
  ): string[] {
    const context = { nowMs: this.#time.clock.nowMs(), timezone, hold };
    const groups = Map.groupBy(here, ({ storage, database }) => `${storage} ${database}`);
    const kept = [...groups.values()].flatMap((archives) => [...retentionOracle(archives, policy, context)]);
    return kept.map(({ storage, name }) => `${storage} ${name}`).sort();
  }

  /** Whether a run that caught up with this one told that it was missed. */
  #isToldMissed(job: string, timeMs: number): boolean {
    return this.#events.some(
      ({ job: name, missedMs, scheduledMs }) =>
        name === job &&
        missedMs !== undefined &&
        missedMs <= timeMs &&
        scheduledMs !== undefined &&
        scheduledMs >= timeMs,
    );
  }

  /** Every time of every schedule ran once; one in a gap, once with those after it; one that died with its process, again. */
  #checkRuns(startMs: number, endMs: number): void {
    for (const [job, schedule] of this.#schedules) {
      const started = this.#started.get(job) ?? new Map<number, number>();
      for (let next = schedule.nextMs(startMs); next !== undefined && next <= endMs; ) {
        const count = started.get(next) ?? 0;
        const after = schedule.nextMs(next);
        const gap = this.#gaps.find(({ fromMs, toMs }) => (next ?? 0) >= fromMs && (next ?? 0) <= toMs);
        const where = `${job} at ${new Date(next).toISOString()}: ${count} runs`;
        if (gap === undefined) assert.equal(count, 1, where);
        else if (count === 0) {
          assert.ok((after ?? 0) <= gap.toMs, `${where}, and none caught up`);
          assert.ok(this.#isToldMissed(job, next), `${where}, and nobody was told`);
        } else assert.ok(count <= 2, where);
        started.delete(next);
        next = after;
      }
      for (const scheduledMs of started.keys())
        assert.ok(scheduledMs > endMs, `${job}: a run at no time of its schedule`);
    }
    const failed = this.#events.filter(({ event }) => event === 'failed').length;
    assert.equal(failed, this.#failedCount, 'each failure is told, and nothing else');
    const runs = this.#book.newestFirst();
    assert.ok(this.#killedCount === 0 || this.#events.some(({ missed }) => missed), 'what was missed is told');
    assert.equal(runs.filter(({ state }) => state === 'running').length, 0, 'nothing is left under way');
  }
}

/** Two storages in memory have the same names for what they hold; a place has to be told by its storage too. */
function labelled(label: string, storage: MemoryStorage): MemoryStorage {
  return new Proxy(storage, {
    get: (target, property) => {
      if (property === 'url') return (name: string) => `${label}/${target.url(name)}`;
      const value = Reflect.get(target, property, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
