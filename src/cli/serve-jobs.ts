import { once } from 'node:events';
import { hostname } from 'node:os';
import { HoldfastError } from '../errors.ts';
import type { History } from '../history/history.ts';
import type { Log } from '../log/log.ts';
import type { ScheduledJob } from '../operation/scheduler.ts';
import type { ListenAddress } from '../web/listen-address.ts';
import type { MetricsServer } from '../web/metrics-server.ts';
import { collectGarbage } from './collect-garbage.ts';
import type { CommandContext } from './command-context.ts';
import { formatNumberOf } from './format-value.ts';
import { toHoldfastError } from './print-error.ts';
import { printJson } from './print-result.ts';
import { nothingScheduled, readSchedules } from './read-schedules.ts';
import { openConfiguredHistory } from './record.ts';
import { newRunId } from './run-job.ts';
import type { ListedSchedule } from './schedule-command.ts';
import { logEvent, type ServeEvent } from './serve-events.ts';
import { ServedQueues } from './served-queues.ts';
import { Telling } from './telling.ts';

/** What {@link serveJobs} runs, and how it tells of it. */
export interface ServedJobs {
  readonly listed: ListedSchedule;
  /** Where metrics are answered. */
  readonly address: ListenAddress | undefined;
  readonly concurrency: number;
  /** Events go to stdout as JSON too. */
  readonly json: boolean;
  readonly log: Log;
}

/** Runs the jobs in this process until it is stopped. */
export async function serveJobs(served: ServedJobs, context: CommandContext): Promise<void> {
  const { listed: first, address, concurrency, json, log } = served;
  const { clock, signal } = context;
  const { runScheduler } = await import('../operation/scheduler.ts');
  // Without it nobody would know what was missed, and two would run at once.
  const store = await openStore(first.historyPath, context);
  const telling = new Telling(context, log);
  const queues = await ServedQueues.open({ concurrency, log }, context);
  const runIds = new Map<string, string>();
  const prepare = (listed: ListedSchedule) => scheduledJobs(listed, { queues, telling, runIds });
  let jobs = await prepare(first);
  let server: MetricsServer | undefined;
  let stopListening: (() => void) | undefined;
  const onEvent = (event: ServeEvent) => {
    if (event.event === 'started') runIds.set(event.job, newRunId());
    if (event.event === 'overdue') telling.tellOverdue(event);
    if (json) printJson(context, event);
    logEvent(event, 'job' in event ? runIds.get(event.job) : undefined, log);
  };
  try {
    if (address !== undefined) {
      // What it loads is not kept in memory for nothing.
      const { serveMetrics } = await import('./serve-metrics.ts');
      server = await serveMetrics({ address, store, jobs: () => jobs, log }, context);
    }
    log.info(`${formatNumberOf(jobs.length, 'job')} scheduled`, { jobCount: jobs.length });
    collectGarbage();
    await runScheduler({
      jobs,
      store,
      signal,
      clock,
      seed: hostname(),
      onEvent,
      onReady: (replaceJobs) => {
        const replace = async (listed: ListedSchedule) => {
          jobs = await prepare(listed);
          replaceJobs(jobs);
        };
        const reload = async () => onEvent(await reloaded(first, context, replace));
        stopListening = context.onHangup?.(() => telling.keep(reload()));
      },
    });
    // Without a job there is nothing to wait for but the end.
    if (jobs.length === 0 && !signal.aborted) await once(signal, 'abort');
    await queues.settle();
    await telling.settle();
    log.info('stopped');
  } finally {
    stopListening?.();
    await server?.close();
    await queues.close();
    await store.close();
  }
}

async function openStore(path: string | undefined, context: CommandContext): Promise<History> {
  const { openHistory } = await import('../history/history.ts');
  if (path !== undefined) return await openHistory({ path });
  // Its URL is a secret, which no process tells another.
  const { loadConfig } = await import('../config/load-config.ts');
  return await openConfiguredHistory(await loadConfig('.', context.environment));
}

async function scheduledJobs(
  { jobs, prunes }: ListedSchedule,
  { queues, telling, runIds }: { queues: ServedQueues; telling: Telling; runIds: ReadonlyMap<string, string> },
): Promise<ScheduledJob[]> {
  const { readSchedule } = await import('../policy/schedule.ts');
  return jobs.map(({ job, times, jitterMs, queue }) => ({
    name: job,
    schedule: readSchedule(times),
    jitterMs,
    run: async (ending, { scheduledMs, missedMs }) => {
      if (missedMs !== undefined) telling.tellMissed({ job, missedMs });
      await queues.run(queue, { job, scheduledMs, prunes, runId: runIds.get(job) ?? newRunId() }, ending);
    },
  }));
}

/** Reads the configuration again. One that is not valid, or schedules nothing, changes nothing. */
async function reloaded(
  first: ListedSchedule,
  context: CommandContext,
  replace: (listed: ListedSchedule) => Promise<void>,
): Promise<ServeEvent> {
  const { clock } = context;
  try {
    const listed = await readSchedules(context);
    if (listed.jobs.length === 0) throw nothingScheduled();
    if (listed.historyPath !== first.historyPath || listed.queue !== first.queue) {
      throw new HoldfastError('config.invalid', {
        message: 'the history or the queue is elsewhere now, and who holds which job is written there',
        hint: 'restart `holdfast serve`',
      });
    }
    await replace(listed);
    return { event: 'reloaded', timeMs: clock.nowMs(), jobs: listed.jobs.map(({ job }) => job) };
  } catch (thrown) {
    const { code, message, hint } = toHoldfastError(thrown);
    return { event: 'reload-failed', timeMs: clock.nowMs(), error: { code, message, hint } };
  }
}
