import { setFlagsFromString } from 'node:v8';
import type { Command } from 'commander';
import type { CommandContext, OutputOptions } from './command-context.ts';
import { addLogOptions, type LogOptions, openCommandLog } from './log-options.ts';
import { wholeNumber } from './number-options.ts';
import { toHoldfastError } from './print-error.ts';
import { nothingScheduled, readSchedules } from './read-schedules.ts';
import { defaultMetricsAddress, metricsAddress } from './serve-metrics.ts';

interface ServeOptions extends OutputOptions, LogOptions {
  readonly concurrency?: number;
  /** `true` where the address is left out. */
  readonly metrics?: string | true;
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
    );
  addLogOptions(command)
    .option('--json', 'print each event as JSON, one on a line')
    .action((options: ServeOptions) => serve(options, context));
}

async function serve(options: ServeOptions, context: CommandContext): Promise<void> {
  const { json = false, concurrency = 2 } = options;
  // It idles for months: 8 MiB less count for more than speed.
  setFlagsFromString('--optimize-for-size');
  const address = await metricsAddress(options.metrics);
  const listed = await readSchedules(context);
  if (listed.queue === 'bullmq') {
    const { keepRegistered } = await import('./keep-registered.ts');
    return await keepRegistered(json, context);
  }
  if (listed.jobs.length === 0) throw nothingScheduled();
  const log = await openCommandLog(options, listed.log, context);
  const { serveJobs } = await import('./serve-jobs.ts');
  try {
    await serveJobs({ listed, address, concurrency, json, log }, context);
  } catch (thrown) {
    // In a log of JSON each line is to be an object; all else is told as every command tells it.
    if ((options.logFormat ?? listed.log.format) !== 'json' || json) throw thrown;
    const { code, message, hint, exitCode } = toHoldfastError(thrown);
    log.error(message, { error: { code, message, hint } });
    context.exitCode = exitCode;
  }
}
