import { HoldfastError } from '../errors.ts';
import type { BackupCommandOptions } from './backup-request.ts';
import type { CommandContext } from './command-context.ts';
import { printable } from './format-value.ts';
import { printJson, printLines } from './print-result.ts';

/** Options that say nothing about the backup itself, which a worker makes as the configuration says. */
const allowed = new Set(['enqueue', 'job', 'json', 'hooks']);

/** Puts a job of the configuration into its queue, in place of running it here. */
export async function enqueueBackup(options: BackupCommandOptions, context: CommandContext): Promise<void> {
  const given = Object.entries(options).find(([name, value]) => value !== undefined && !allowed.has(name));
  if (given !== undefined || !options.hooks) {
    throw new HoldfastError('usage.invalid', {
      message: '--enqueue takes --job alone: a worker makes the backup as the configuration says',
      hint: 'leave out the other options, or --enqueue',
    });
  }
  const { loadConfig } = await import('../config/load-config.ts');
  const { openSharedQueue } = await import('../config/queue-settings.ts');
  const { configOfJob, configuredJobs } = await import('../config/scheduled-jobs.ts');
  const { mainJob } = await import('../config/job-names.ts');
  const { config, file } = await loadConfig('.', context.environment);
  const { job = mainJob } = options;
  configOfJob(config, job);
  const found = configuredJobs(config).find(({ name }) => name === job);
  const queue = await openSharedQueue(config, file);
  try {
    const toQueue = { queue: found?.queue ?? '', job, scheduledMs: context.clock.nowMs() };
    const id = await queue.add(toQueue);
    if (options.json) printJson(context, { id, ...toQueue });
    else printLines(context, [`${printable(job)}: in the queue ${toQueue.queue}, as ${printable(id)}`]);
  } finally {
    await queue.close();
  }
}
