import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { partialPath } from '../disk/partial-path.ts';
import type { History } from '../history/history.ts';
import { onPath, removeStalePartials } from '../storage/durable-file.ts';
import type { CommandContext, OutputOptions } from './command-context.ts';
import { printJson } from './print-result.ts';
import { openConfiguredHistory } from './record.ts';

interface MetricsOptions extends OutputOptions {
  readonly output?: string;
}

/** Adds `holdfast metrics`. */
export function addMetricsCommand(program: Command, context: CommandContext): void {
  program
    .command('metrics')
    .description('print what the history comes to, in the text format of Prometheus')
    .option('--output <path>', "write it to this file instead, at once: for node_exporter's textfile collector")
    .option('--json', 'print the result as JSON')
    .action((options: MetricsOptions) => printMetrics(options, context));
}

async function printMetrics({ output, json }: MetricsOptions, context: CommandContext): Promise<void> {
  const text = await configuredMetrics(context);
  if (output !== undefined) await replaceFile(resolve(output), text);
  if (json) printJson(context, output === undefined ? { text } : { output });
  else if (output === undefined) context.stdout.write(text);
}

async function configuredMetrics(context: CommandContext): Promise<string> {
  const { loadConfig } = await import('../config/load-config.ts');
  const { scheduledJobs } = await import('../config/scheduled-jobs.ts');
  const { readSchedule } = await import('../policy/schedule.ts');
  const loaded = await loadConfig('.', context.environment);
  const jobs = scheduledJobs(loaded.config)
    .filter(({ enabled }) => enabled)
    .map(({ name, times }) => ({ name, schedule: readSchedule(times) }));
  const history = await openConfiguredHistory(loaded);
  try {
    return await historyMetrics(history, jobs, context);
  } finally {
    await history.close();
  }
}

/** The metrics of an open history and of jobs. */
export async function historyMetrics(
  history: Pick<History, 'facts'>,
  jobs: Parameters<typeof import('../operation/metrics.ts').metricsText>[0]['jobs'],
  { clock }: Pick<CommandContext, 'clock'>,
): Promise<string> {
  const { metricsText } = await import('../operation/metrics.ts');
  const { version } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'));
  return await metricsText({ facts: await history.facts(), jobs, nowMs: clock.nowMs(), version });
}

/** Whoever reads the file at any moment finds the old text or the new one. Anyone may read it: a collector runs as another user. */
async function replaceFile(path: string, text: string): Promise<void> {
  await removeStalePartials(resolve(path, '..'));
  const partial = partialPath(path);
  await onPath(path, async () => {
    try {
      await writeFile(partial, text, { mode: 0o644, flush: true });
      await rename(partial, path);
    } catch (error) {
      await rm(partial, { force: true });
      throw error;
    }
  });
}
