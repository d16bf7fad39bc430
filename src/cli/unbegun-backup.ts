import type { LoadedConfig } from '../config/load-config.ts';
import { HoldfastError } from '../errors.ts';
import type { BackupCommandOptions } from './backup-request.ts';
import type { CommandContext } from './command-context.ts';
import { notify } from './notify-run.ts';
import { toHoldfastError } from './print-error.ts';
import { withRecord } from './record.ts';
import { withoutUndefined } from './without-undefined.ts';

/**
 * A backup that the configuration names and that could not even be begun, since a source or a storage refuses its settings: it is a run that failed, and
 * told as such. Where the configuration itself cannot be read nobody is known who could be told; what was mistyped on a command line its writer sees.
 */
export async function recordUnbegun(
  thrown: unknown,
  options: BackupCommandOptions,
  context: CommandContext,
): Promise<void> {
  const { url, files, command, media, output, dryRun, scheduledAt } = options;
  const isSaid = [url, files, command, media, output].some((given) => given !== undefined);
  const error = toHoldfastError(thrown);
  if (isSaid || dryRun === true || error.code === 'operation.interrupted') return;
  const found = await jobOf(options, context);
  if (found === undefined) return;
  const { loaded, job } = found;
  const record = {
    kind: 'backup',
    json: true,
    loaded,
    job,
    ...withoutUndefined({ scheduledMs: scheduledAt }),
  } as const;
  const fail = () => Promise.reject(error);
  await withRecord(context, record, fail, () => ({ state: 'failed', archives: [] })).catch((failure) => {
    if (failure !== error) throw failure;
  });
  const { failureNotification } = await import('../notify/run-notifications.ts');
  await notify(loaded, context, (given) => [failureNotification(`the job ${job}`, error, given)]);
}

/** Undefined where the configuration says of no such job. */
async function jobOf(
  options: BackupCommandOptions,
  context: CommandContext,
): Promise<{ readonly loaded: LoadedConfig; readonly job: string } | undefined> {
  const { loadConfig } = await import('../config/load-config.ts');
  const { mainJob } = await import('../config/job-names.ts');
  const { configuredJobs } = await import('../config/scheduled-jobs.ts');
  const { job = mainJob } = options;
  try {
    const loaded = await loadConfig('.', context.environment);
    const isKnown = configuredJobs(loaded.config).some(({ name }) => name === job);
    return isKnown && loaded.config.enabled !== false ? { loaded, job } : undefined;
  } catch (error) {
    // It is what the backup itself fails by, and tells.
    if (error instanceof HoldfastError) return undefined;
    throw error;
  }
}
