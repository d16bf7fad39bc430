import { hostname } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import type { Command } from 'commander';
import { type ErrorCode, errorTable, HoldfastError } from '../errors.ts';
import type { History } from '../history/history.ts';
import type { Log } from '../log/log.ts';
import type { SchedulerEvent } from '../operation/scheduler.ts';
import { systemRandom } from '../random.ts';
import type { ListenAddress } from '../web/listen-address.ts';
import type { MetricsServer } from '../web/metrics-server.ts';
import { collectGarbage } from './collect-garbage.ts';
import type { CommandContext, OutputOptions } from './command-context.ts';
import { formatMoment, formatNumberOf } from './format-value.ts';
import { addLogOptions, type LogOptions, logCommandLine, openCommandLog } from './log-options.ts';
import { historyMetrics } from './metrics-command.ts';
import { toHoldfastError } from './print-error.ts';
import { printJson } from './print-result.ts';
import { runIdVariable } from './record.ts';
import type { ListedSchedule } from './schedule-command.ts';

interface ServeOptions extends OutputOptions, LogOptions {
  /** `true` where the address is left out. */
  readonly metrics?: string | true;
}

const defaultMetricsAddress = '127.0.0.1:9464';

/** Adds `holdfast serve`. */
export function addServeCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('serve')
    .description('run the jobs of holdfast.config.ts by their schedules, until it is stopped')
    .option(
      '--metrics [address]',
      `answer /metrics, /healthz and /readyz over HTTP at HOST:PORT (${defaultMetricsAddress})`,
    );
  addLogOptions(command)
    .option('--json', 'print each event as JSON, one on a line')
    .action((options: ServeOptions) => serve(options, context));
}

async function serve(options: ServeOptions, context: CommandContext): Promise<void> {
  // It idles for months: 8 MiB less count for more than speed.
  setFlagsFromString('--optimize-for-size');
  const address = await metricsAddress(options.metrics);
  const listed = await readSchedules(context);
  if (listed.jobs.length === 0) {
    throw new HoldfastError('config.invalid', { message: 'no job is scheduled', hint: 'see `holdfast schedule list`' });
  }
  const log = await openCommandLog(options, listed.log, context);
  try {
    await serveJobs({ listed, address, json: options.json ?? false, log }, context);
  } catch (thrown) {
    // In a log of JSON each line is to be an object; all else is told as every command tells it.
    if ((options.logFormat ?? listed.log.format) !== 'json' || options.json) throw thrown;
    const { code, message, hint, exitCode } = toHoldfastError(thrown);
    log.error(message, { error: { code, message, hint } });
    context.exitCode = exitCode;
  }
}

async function metricsAddress(metrics: string | true | undefined): Promise<ListenAddress | undefined> {
  if (metrics === undefined) return undefined;
  const { parseListenAddress } = await import('../web/listen-address.ts');
  return parseListenAddress(metrics === true ? defaultMetricsAddress : metrics);
}

interface Serving {
  readonly listed: ListedSchedule;
  readonly address: ListenAddress | undefined;
  readonly json: boolean;
  readonly log: Log;
}

async function serveJobs({ listed, address, json, log }: Serving, context: CommandContext): Promise<void> {
  const { jobs, historyPath, prunes } = listed;
  const { readSchedule } = await import('../policy/schedule.ts');
  const { runScheduler } = await import('../operation/scheduler.ts');
  // Without it nobody would know what was missed, and two would run at once.
  const { openHistory } = await import('../history/history.ts');
  const store = await openHistory({ path: historyPath });
  const { clock, signal } = context;
  const scheduled = jobs.map((job) => ({ name: job.job, schedule: readSchedule(job.times), jitterMs: job.jitterMs }));
  const runIds = new Map<string, string>();
  let server: MetricsServer | undefined;
  try {
    if (address !== undefined) server = await serveMetrics({ address, store, jobs: scheduled, log }, context);
    log.info(`${formatNumberOf(jobs.length, 'job')} scheduled`, { jobCount: jobs.length });
    collectGarbage();
    await runScheduler({
      jobs: scheduled.map((job) => ({
        ...job,
        run: (ending) => {
          const own = { ...context, signal: ending };
          return runJob({ name: job.name, prunes, runId: runIds.get(job.name) ?? newRunId() }, own, log);
        },
      })),
      store,
      signal,
      clock,
      seed: hostname(),
      onEvent: (event) => {
        if (event.event === 'started') runIds.set(event.job, newRunId());
        if (json) printJson(context, event);
        logEvent(event, runIds.get(event.job), log);
      },
    });
    log.info('stopped');
  } finally {
    await server?.close();
    await store.close();
  }
}

async function serveMetrics(
  served: {
    readonly address: ListenAddress;
    readonly store: History;
    readonly jobs: Parameters<typeof historyMetrics>[1];
    readonly log: Log;
  },
  context: CommandContext,
): Promise<MetricsServer> {
  const { address, store, jobs, log } = served;
  const { startMetricsServer } = await import('../web/metrics-server.ts');
  const { formatListenAddress } = await import('../web/listen-address.ts');
  const { metricsContentType } = await import('../operation/metrics.ts');
  const server = await startMetricsServer({
    address,
    contentType: metricsContentType,
    metrics: () => historyMetrics(store, jobs, context),
    checkReady: async () => {
      await store.handledMs('');
    },
    onError: (thrown) => {
      const { code, message, hint } = toHoldfastError(thrown);
      log.error(message, { error: { code, message, hint } });
    },
    clock: context.clock,
  });
  // What that loads is loaded now, and not in the middle of a scrape.
  await historyMetrics(store, jobs, context);
  log.info(`metrics at http://${formatListenAddress(server.address)}/metrics`, { ...server.address });
  return server;
}

/** As the history names runs; the last digits count the runs of one command. */
function newRunId(): string {
  return `${Buffer.from(systemRandom.bytes(10)).toString('hex')}0000`;
}

/**
 * The jobs that run by themselves. The configuration is read in a process of its own: what that takes (a compiler for TypeScript, the
 * schema, whatever the file imports) is some 40 MiB, which this one would keep for months.
 */
async function readSchedules(context: CommandContext): Promise<ListedSchedule> {
  const { exitCode, output } = await context.runCommand(['schedule', 'list', '--json'], context.signal);
  if (exitCode !== 0) throw errorIn(output) ?? endedWith('schedule', exitCode);
  const listed: ListedSchedule = JSON.parse(output);
  return { ...listed, jobs: listed.jobs.filter(({ enabled }) => enabled) };
}

function endedWith(command: string, exitCode: number): HoldfastError {
  return new HoldfastError('operation.failed', { message: `holdfast ${command} ended with ${exitCode}` });
}

/** A backup as the command line makes it; then what the retention does not keep is removed. */
async function runJob(
  { name, prunes, runId }: { readonly name: string; readonly prunes: boolean; readonly runId: string },
  context: CommandContext,
  log: Log,
): Promise<void> {
  const exitCode = await runCommand(['backup', '--job', name, '--json'], { job: name, runId }, context, log);
  if (exitCode !== 0) {
    const message = 'the backup is suspect, or something was left out: see `holdfast runs`';
    log.warn(message, { job: name, runId, exitCode });
  }
  // What must not be removed after such a run, the history tells.
  if (prunes) await runCommand(['prune', '--yes', '--json'], { job: name, runId: newRunId() }, context, log);
}

/** Gives the exit code of a command that did its work, in whole or in part; throws the error of one that failed. */
async function runCommand(
  words: readonly string[],
  fields: { readonly job: string; readonly runId: string },
  context: CommandContext,
  log: Log,
): Promise<number> {
  const [command = ''] = words;
  log.debug(`holdfast ${command} begins`, { ...fields, command });
  const { exitCode, output } = await context.runCommand(words, context.signal, {
    environment: { [runIdVariable]: fields.runId },
    onErrorLine: (line) => logCommandLine(line, log, { ...fields, command }),
  });
  log.debug(`holdfast ${command} ended`, { ...fields, command, exitCode });
  if (exitCode === 0 || exitCode === 3) return exitCode;
  throw errorIn(output) ?? endedWith(command, exitCode);
}

/** The error that a command printed as JSON. */
function errorIn(output: string): HoldfastError | undefined {
  let parsed: { readonly error?: { readonly code: ErrorCode; readonly message: string; readonly hint: string } };
  try {
    parsed = JSON.parse(output);
  } catch {
    // It ended without a word: its exit code is all there is to tell.
    return undefined;
  }
  const error = parsed?.error;
  return error !== undefined && error.code in errorTable ? new HoldfastError(error.code, error) : undefined;
}

const texts = {
  started: 'started',
  ended: 'done',
  failed: 'failed',
  held: 'another process is at it',
  problem: 'the history cannot be used',
} as const satisfies Record<SchedulerEvent['event'], string>;

function logEvent({ timeMs: _, ...event }: SchedulerEvent, runId: string | undefined, log: Log): void {
  const { event: kind, missed, scheduledMs, error } = event;
  const late = missed && scheduledMs !== undefined ? `, missed at ${formatMoment(scheduledMs)}` : '';
  const why = error === undefined ? '' : `: ${error.message}`;
  // Who waits for another process has no run.
  const fields = kind === 'held' || runId === undefined ? event : { ...event, runId };
  const write = kind === 'failed' ? log.error : kind === 'problem' ? log.warn : log.info;
  write(`${texts[kind]}${late}${why}`, fields);
}
