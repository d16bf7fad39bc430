import { setFlagsFromString } from 'node:v8';
import type { Command } from 'commander';
import type { ListenAddress } from '../web/listen-address.ts';
import type { CommandContext, OutputOptions } from './command-context.ts';
import { addLogOptions, type LogOptions, openCommandLog } from './log-options.ts';
import { wholeNumber } from './number-options.ts';
import { toHoldfastError } from './print-error.ts';
import { printJson, printLines, printNote } from './print-result.ts';
import { nothingScheduled, readSchedules } from './read-schedules.ts';
import type { ListedSchedule } from './schedule-command.ts';
import { type ServedWeb, type ServeWebOptions, serveWeb, webAddress } from './serve-web.ts';

const defaultMetricsAddress = '127.0.0.1:9464';

interface ServeOptions extends OutputOptions, LogOptions {
  readonly concurrency?: number;
  /** `true` where the address is left out. */
  readonly metrics?: string | true;
  /** `true` where the address is left out. */
  readonly web?: string | true;
}

/** Adds `holdfast serve`. */
export function addServeCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('serve')
    .description('run the jobs of holdfast.config.ts by their schedules, or let workers run them, until it is stopped')
    .option(
      '--concurrency <n>',
      'jobs of each queue that run at once (2 unless given); workers have one of their own',
      wholeNumber(1, 64),
    )
    .option(
      '--metrics [address]',
      `answer /metrics, /healthz and /readyz over HTTP at HOST:PORT (${defaultMetricsAddress})`,
    )
    .option('--web [address]', 'serve the web admin at HOST:PORT (127.0.0.1:8420 unless the configuration says)');
  addLogOptions(command)
    .option('--json', 'print each event as JSON, one on a line')
    .action((options: ServeOptions) => serve(options, context));
}

/** What `--metrics` says. Throws `usage.invalid`. */
async function listenAddress(metrics: string | true): Promise<ListenAddress> {
  const { parseListenAddress } = await import('../web/listen-address.ts');
  return parseListenAddress(metrics === true ? defaultMetricsAddress : metrics);
}

async function serve(options: ServeOptions, context: CommandContext): Promise<void> {
  const { json = false, concurrency = 2 } = options;
  // It idles for months: 8 MiB less count for more than speed.
  setFlagsFromString('--optimize-for-size');
  const address = options.metrics === undefined ? undefined : await listenAddress(options.metrics);
  const listed = await readSchedules(context);
  const webAt = webAddress(options.web, listed.web);
  const isShared = listed.queue === 'bullmq';
  if (listed.jobs.length === 0 && !isShared && webAt === undefined) throw nothingScheduled();
  const log = await openCommandLog(options, listed.log, context);
  let web: ServedWeb | undefined;
  try {
    if (webAt !== undefined) web = await serveWeb(webOptions(webAt, listed, json, context), context);
    if (isShared) {
      const { keepRegistered } = await import('./keep-registered.ts');
      await keepRegistered(json, context);
    } else {
      const { serveJobs } = await import('./serve-jobs.ts');
      await serveJobs({ listed, address, concurrency, json, log }, context);
    }
  } catch (thrown) {
    // In a log of JSON each line is to be an object; all else is told as every command tells it.
    if ((options.logFormat ?? listed.log.format) !== 'json' || json) throw thrown;
    const { code, message, hint, exitCode } = toHoldfastError(thrown);
    log.error(message, { error: { code, message, hint } });
    context.exitCode = exitCode;
  } finally {
    await web?.close();
  }
}

/** The link for the first admin is told as it is: a log would take its token out. */
function webOptions(
  address: ServeWebOptions['address'],
  listed: ListedSchedule,
  json: boolean,
  context: CommandContext,
): ServeWebOptions {
  return {
    address,
    settings: listed.web ?? {},
    isScheduling: listed.jobs.length > 0,
    say: (text) => (json ? printJson(context, { event: 'web', message: text }) : printLines(context, [text])),
    note: (text) => printNote(context, text),
  };
}
