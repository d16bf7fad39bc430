import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HoldfastError } from '../errors.ts';
import { openHistory } from '../history/history.ts';
import { readSchedule } from '../policy/schedule.ts';
import { VirtualTime } from '../testing/virtual-time.ts';
import { type DueRun, type JobStore, runScheduler, type ScheduledJob, type SchedulerEvent } from './scheduler.ts';

const hourMs = 3_600_000;
const startMs = Date.UTC(2026, 0, 1);
const daily = readSchedule({ dailyTime: '02:00', timezone: 'UTC' });
const hourly = readSchedule({ intervalHours: 1 });

interface World {
  readonly time: VirtualTime;
  readonly store: JobStore;
  readonly events: SchedulerEvent[];
  /** Starts a scheduler; the result ends it. */
  start(...jobs: readonly ScheduledJob[]): () => Promise<void>;
}

async function newWorld(given?: JobStore): Promise<World> {
  const time = new VirtualTime(startMs);
  const store = given ?? (await openHistory({ path: ':memory:' }));
  const events: SchedulerEvent[] = [];
  const start = (...jobs: readonly ScheduledJob[]) => {
    const ending = new AbortController();
    const { clock, wait } = time;
    const onEvent = (event: SchedulerEvent) => void events.push(event);
    const running = runScheduler({ jobs, store, signal: ending.signal, clock, wait, onEvent });
    return async () => {
      ending.abort();
      await running;
    };
  };
  return { time, store, events, start };
}

/** What happened, with the hours since the start. */
function told(events: readonly SchedulerEvent[]): string[] {
  return events.map(({ event, job, timeMs, missed }) => {
    return `${(timeMs - startMs) / hourMs} ${job} ${event}${missed ? ' missed' : ''}`;
  });
}

test('jobs run at their times, and a failure changes nothing for the next', async () => {
  const { time, events, start } = await newWorld();
  let runs = 0;
  const failing = async () => {
    runs += 1;
    if (runs === 1) throw new HoldfastError('storage.full');
  };
  const end = start({ name: 'a', schedule: daily, run: failing }, { name: 'b', schedule: hourly, run: async () => {} });
  await time.advance(26.5 * hourMs);
  await end();
  assert.deepEqual(told(events.filter(({ job }) => job === 'a')), [
    '2 a started',
    '2 a failed',
    '26 a started',
    '26 a ended',
  ]);
  assert.equal(events.find(({ event }) => event === 'failed')?.error?.code, 'storage.full');
  assert.equal(events.filter(({ job, event }) => job === 'b' && event === 'ended').length, 26);
});

test('what was missed while nothing ran is caught up with once', async () => {
  const { time, events, start } = await newWorld();
  const job = { name: 'a', schedule: daily, run: async () => {} };
  const end = start(job);
  await time.advance(3 * hourMs);
  await end();
  await time.advance(96 * hourMs);
  events.length = 0;
  const endAgain = start(job);
  await time.advance(30 * hourMs);
  await endAgain();
  assert.deepEqual(told(events), ['99 a started missed', '99 a ended', '122 a started', '122 a ended']);
});

test('runs that were missed are told with the first of them, also where the last is begun in time', async () => {
  const { time, events, start } = await newWorld();
  const dues: DueRun[] = [];
  const job = {
    name: 'a',
    schedule: hourly,
    run: async (_: AbortSignal, due: DueRun) => {
      dues.push(due);
    },
  };
  const end = start(job);
  await time.advance(1.5 * hourMs);
  await end();
  // Off over the runs of 2, 3 and 4 o'clock, and back a minute after 5.
  await time.advance(3.5 * hourMs + 60_000);
  const endAgain = start(job);
  await time.advance(1.5 * hourMs);
  await endAgain();
  assert.deepEqual(
    dues.map(({ scheduledMs, missedMs }) => [scheduledMs - startMs, missedMs === undefined ? 0 : missedMs - startMs]),
    [
      [hourMs, 0],
      [5 * hourMs, 2 * hourMs],
      [6 * hourMs, 0],
    ],
  );
  assert.deepEqual(
    events.filter(({ missed }) => missed).map(({ missedMs = 0 }) => missedMs - startMs),
    [2 * hourMs],
  );
});

test('a run that another one keeps from beginning for an hour is overdue, and told once', async () => {
  const { time, events, start } = await newWorld();
  let isLong = true;
  const run = async () => {
    while (isLong) await time.wait(hourMs);
  };
  const end = start({ name: 'a', schedule: hourly, run });
  await time.advance(4.5 * hourMs);
  isLong = false;
  await time.advance(hourMs);
  await end();
  const found = told(events);
  assert.deepEqual(
    found.filter((line) => line.includes('overdue')).map((line) => Math.floor(Number.parseFloat(line))),
    [3],
  );
  assert.deepEqual(found.slice(0, 1), ['1 a started']);
});

test('other jobs take the place of those that there are, while a run goes on', async () => {
  const { time, events } = await newWorld();
  const store = await openHistory({ path: ':memory:' });
  const ending = new AbortController();
  const { clock, wait } = time;
  let replace: ((jobs: readonly ScheduledJob[]) => Promise<void>) | undefined;
  const long = async () => time.wait(1.5 * hourMs);
  const short = async () => {};
  const running = runScheduler({
    jobs: [
      { name: 'stays', schedule: daily, run: long },
      { name: 'goes', schedule: hourly, run: short },
    ],
    store,
    signal: ending.signal,
    clock,
    wait,
    onEvent: (event) => void events.push(event),
    onReady: (given) => {
      replace = given;
    },
  });
  await time.advance(2.25 * hourMs);
  await replace?.([
    { name: 'stays', schedule: hourly, run: short },
    { name: 'comes', schedule: hourly, run: short },
  ]);
  await time.advance(2.5 * hourMs);
  ending.abort();
  await running;
  assert.deepEqual(told(events), [
    '1 goes started',
    '1 goes ended',
    '2 stays started',
    '2 goes started',
    '2 goes ended',
    '3 comes started',
    '3 comes ended',
    '3.5 stays ended',
    '3.5 stays started missed',
    '3.5 stays ended',
    '4 stays started',
    '4 stays ended',
    '4 comes started',
    '4 comes ended',
  ]);
});

test('a job whose schedule is changed has missed nothing of the new one', async () => {
  const { time, events, store } = await newWorld();
  const ending = new AbortController();
  let replace: ((jobs: readonly ScheduledJob[]) => Promise<void>) | undefined;
  const running = runScheduler({
    jobs: [{ name: 'a', schedule: daily, run: async () => {} }],
    store,
    signal: ending.signal,
    clock: time.clock,
    wait: time.wait,
    onEvent: (event) => void events.push(event),
    onReady: (given) => {
      replace = given;
    },
  });
  await time.advance(5.5 * hourMs);
  await replace?.([{ name: 'a', schedule: hourly, run: async () => {} }]);
  await time.advance(hourMs);
  ending.abort();
  await running;
  assert.deepEqual(told(events), ['2 a started', '2 a ended', '6 a started', '6 a ended']);
});

test('a job that is new has missed nothing', async () => {
  const { time, events, start } = await newWorld();
  const end = start({ name: 'a', schedule: daily, run: async () => {} });
  await time.advance(hourMs);
  await end();
  assert.deepEqual(events, []);
});

test('a job that takes longer than its interval does not overlap itself, and goes on at once', async () => {
  const { time, events, start } = await newWorld();
  let running = 0;
  const run = async () => {
    assert.equal(++running, 1);
    await time.wait(2.5 * hourMs);
    running -= 1;
  };
  const end = start({ name: 'a', schedule: hourly, run });
  await time.advance(7 * hourMs);
  assert.deepEqual(
    told(events).filter((line) => line.includes('started')),
    ['1 a started', '3.5 a started missed', '6 a started missed'],
  );
  const ended = end();
  await time.advance(3 * hourMs);
  await ended;
});

test('two processes that share the store run each time once between them', async () => {
  const { time, events, start } = await newWorld();
  const job = { name: 'a', schedule: hourly, run: () => time.wait(10 * 60_000) };
  const ends = [start(job), start(job), start(job)];
  await time.advance(24.5 * hourMs);
  for (const end of ends) await end();
  const started = events.filter(({ event }) => event === 'started').map(({ scheduledMs }) => scheduledMs);
  assert.deepEqual(
    started,
    Array.from({ length: 24 }, (_, index) => startMs + (index + 1) * hourMs),
  );
  assert.ok(events.some(({ event }) => event === 'held'));
});

test('a run that dies with its process is run again', async () => {
  const { time, store, events, start } = await newWorld();
  const end = start({ name: 'a', schedule: daily, run: async () => {} });
  await time.advance(hourMs);
  await end();
  await time.advance(2 * hourMs);
  // A process that was killed in mid-run leaves its lease, and nothing else.
  const lease = await store.takeLease('schedule of a', { nowMs: time.clock.nowMs(), durationMs: 5 * 60_000 });
  assert.ok(lease);
  const endAgain = start({ name: 'a', schedule: daily, run: async () => {} });
  await time.advance(hourMs);
  await endAgain();
  assert.deepEqual(
    told(events).filter((line) => !line.includes('held')),
    [`${3 + 5 / 60} a started missed`, `${3 + 5 / 60} a ended`],
  );
});

test('a run that another process is at is tried again', async () => {
  const { time, store, events, start } = await newWorld();
  let tries = 0;
  const run = async () => {
    tries += 1;
    if (tries < 3) throw new HoldfastError('job.running');
  };
  const end = start({ name: 'a', schedule: daily, run });
  await time.advance(3 * hourMs);
  await end();
  assert.deepEqual(
    events.map(({ event }) => event),
    ['started', 'held', 'started', 'held', 'started', 'ended'],
  );
  assert.equal(await store.handledMs('a'), startMs + 2 * hourMs);
});

test('an end in mid-run is waited for, and the run is due again', async () => {
  const { time, store, start } = await newWorld();
  let wasAborted = false;
  const run = async (signal: AbortSignal) => {
    try {
      await time.wait(hourMs, signal);
    } catch (error) {
      wasAborted = true;
      throw error;
    }
  };
  const end = start({ name: 'a', schedule: daily, run });
  await time.advance(2.5 * hourMs);
  await end();
  assert.ok(wasAborted);
  assert.equal(await store.handledMs('a'), startMs);
});

test('a clock that is set back by minutes repeats nothing; one that was years ahead stops nothing', async () => {
  const { time, events, start } = await newWorld();
  const end = start({ name: 'a', schedule: daily, run: async () => {} });
  await time.advance(2 * hourMs + 1000);
  time.clock.setNowMs(time.clock.nowMs() - 10 * 60_000);
  await time.advance(hourMs);
  assert.equal(events.filter(({ event }) => event === 'ended').length, 1);
  time.clock.setNowMs(Date.UTC(2031, 0, 1, 3));
  await time.advance(hourMs);
  time.clock.setNowMs(Date.UTC(2026, 0, 5, 1));
  await time.advance(2 * hourMs);
  await end();
  const days = events
    .filter(({ event }) => event === 'ended')
    .map(({ scheduledMs = 0 }) => new Date(scheduledMs).toISOString());
  assert.deepEqual(
    days.map((text) => text.slice(0, 10)),
    ['2026-01-01', '2031-01-01', '2026-01-05'],
  );
});

test('a clock that is set back by a year while a job runs does not stop the job', async () => {
  const { time, store, events, start } = await newWorld();
  time.clock.setNowMs(Date.UTC(2027, 0, 1));
  const run = async (_: AbortSignal, { scheduledMs }: DueRun) => {
    if (scheduledMs < Date.UTC(2027, 0, 1)) return;
    time.clock.setNowMs(startMs + 12 * hourMs);
    // The scheduler looks at the clock every minute.
    await time.wait(2 * 60_000);
  };
  const end = start({ name: 'a', schedule: daily, run });
  await time.advance(2 * hourMs);
  await time.advance(27 * hourMs);
  await end();
  assert.deepEqual(
    events.filter(({ event }) => event === 'ended').map(({ scheduledMs = 0 }) => new Date(scheduledMs).toISOString()),
    ['2027-01-01T02:00:00.000Z', '2026-01-02T02:00:00.000Z'],
  );
  assert.equal(await store.handledMs('a'), Date.UTC(2026, 0, 2, 2));
});

test('a clock that is set back by hours skips no run that comes as late as the last one seemed to', async () => {
  const { time, store, events, start } = await newWorld();
  const end = start({ name: 'a', schedule: daily, run: async () => {} });
  await time.advance(2 * hourMs + 1000);
  time.clock.setNowMs(startMs - hourMs);
  await time.advance(3.5 * hourMs);
  await end();
  const ended = events.filter(({ event }) => event === 'ended').map(({ scheduledMs = 0 }) => scheduledMs - startMs);
  assert.deepEqual(ended, [2 * hourMs, 2 * hourMs]);
  assert.equal(await store.handledMs('a'), startMs + 2 * hourMs);
});

test('jitter delays each run by up to its most, and is not taken for a miss', async () => {
  const { time, events, start } = await newWorld();
  const end = start({ name: 'a', schedule: daily, jitterMs: hourMs, run: async () => {} });
  await time.advance(24 * 5 * hourMs);
  await end();
  const starts = events.filter(({ event }) => event === 'started');
  assert.equal(starts.length, 5);
  const delays = starts.map(({ timeMs, scheduledMs = 0 }) => timeMs - scheduledMs);
  assert.ok(delays.every((delay) => delay >= 0 && delay < hourMs) && new Set(delays).size === 5, `${delays}`);
  assert.ok(starts.every(({ missed }) => missed === false));
});

test('a store that fails stops no run, and is told', async () => {
  const refuse = () => Promise.reject(new HoldfastError('history.unavailable'));
  const store = {
    handledMs: refuse,
    setHandledMs: refuse,
    takeLease: refuse,
    renewLease: refuse,
    releaseLease: refuse,
  };
  const { time, events, start } = await newWorld(store);
  const end = start({ name: 'a', schedule: daily, run: async () => {} });
  await time.advance(50 * hourMs);
  await end();
  assert.deepEqual(
    told(events).filter((line) => !line.includes('problem')),
    ['2 a started', '2 a ended', '26 a started', '26 a ended', '50 a started', '50 a ended'],
  );
  assert.ok(events.some(({ error }) => error?.code === 'history.unavailable'));
});
