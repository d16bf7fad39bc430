import type { LoadedConfig } from '../config/load-config.ts';
import type { Diagnosis } from '../operation/doctor.ts';
import { Secret } from '../secret.ts';
import { formatNumberOf } from './format-value.ts';
import { openConfiguredHistory } from './record.ts';

/** Looks at what machines share, where they share something: the queue, and a history in PostgreSQL. */
export async function examineShared(loaded: LoadedConfig): Promise<Diagnosis[]> {
  const { config, file } = loaded;
  const { diagnose } = await import('../operation/doctor.ts');
  const { isSharedQueue, openSharedQueue } = await import('../config/queue-settings.ts');
  const { queueNames } = await import('../config/scheduled-jobs.ts');
  const checks: Diagnosis[] = [];
  if (config.history?.url !== undefined) {
    checks.push(
      await diagnose('history', 'history', async () => {
        const history = await openConfiguredHistory(loaded);
        await history.close();
        const found = 'PostgreSQL: its tables are there';
        const { missingVerification } = await import('../source/unverified-server.ts');
        const missing = missingVerification(new Secret(config.history?.url ?? ''));
        if (missing === undefined) return found;
        const message = `${found}; its certificate is not checked: who is in between could read along`;
        return { state: 'warning', message, hint: `add ${missing} to history.url` };
      }),
    );
  }
  if (!isSharedQueue(config)) return checks;
  checks.push(
    await diagnose('queue', queueNames(config).join(', ') || 'queue', async () => {
      const queue = await openSharedQueue(config, file);
      try {
        let scheduledCount = 0;
        for (const name of queueNames(config)) {
          scheduledCount += (await queue.jobs(name)).filter(({ state }) => state === 'scheduled').length;
        }
        if (scheduledCount > 0) return `${formatNumberOf(scheduledCount, 'job')} scheduled`;
        return {
          state: 'warning',
          message: 'no job is scheduled',
          hint: 'run `holdfast schedule register`, or `holdfast serve`',
        };
      } finally {
        await queue.close();
      }
    }),
  );
  return checks;
}
