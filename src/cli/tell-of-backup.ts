import { dirname } from 'node:path';
import { freeSpace } from '../disk/free-space.ts';
import type { Notification } from '../notify/notification.ts';
import type { BackupFacts, NotificationContext } from '../notify/run-notifications.ts';
import type { DeliveryReport } from '../notify/send-all.ts';
import type { BackupOutput, BackupReport, OutputReport } from '../operation/options.ts';
import { describeFall } from '../policy/plausibility.ts';
import type { BackupRequest } from './backup-request.ts';
import type { CommandContext } from './command-context.ts';
import { formatDuration, formatSize } from './format-value.ts';
import { notify } from './notify-run.ts';

/** What of a report a notification tells. */
type ToldReport = Pick<BackupReport, 'output' | 'sizeBytes' | 'durationMs' | 'comparison' | 'problems'>;

/** The databases and folders of a backup, for people. */
export function namesOf({ sources, plain }: BackupRequest): string {
  const names = [...sources, ...plain.map(({ request }) => request)].map((request) =>
    'path' in request ? (request.name ?? request.path) : (request.name ?? 'a database'),
  );
  return names.join(', ');
}

/** Tells of a backup that was written, and of storages that it nearly filled. */
export async function tellOfBackup(
  request: BackupRequest,
  reports: readonly ToldReport[],
  outputs: readonly OutputReport[],
  catalogueHeads: NonNullable<BackupFacts['catalogueHeads']>,
  context: CommandContext,
): Promise<DeliveryReport[]> {
  return await notify(request.loaded, context, async (given) => {
    const { backupNotification } = await import('../notify/run-notifications.ts');
    const sizeBytes = reports.reduce((sum, report) => sum + report.sizeBytes, 0);
    const notification = backupNotification(
      {
        what: namesOf(request),
        catalogueHeads,
        output: reports.map(({ output }) => output).join(', '),
        size: formatSize(sizeBytes),
        duration: formatDuration(reports.reduce((sum, { durationMs }) => sum + durationMs, 0)),
        falls: reports.flatMap(({ comparison }) => comparison.falls.map(describeFall)),
        problems: reports.flatMap(({ problems }) => problems.map(({ path, message }) => `${path}: ${message}`)),
        lostOutputs: outputs.flatMap(({ storage, output, error }) =>
          error === undefined ? [] : [`${storage ?? output}: ${error.message}`],
        ),
      },
      given,
    );
    return [notification, ...(await nearlyFull(request, sizeBytes, given))];
  });
}

/** Of storages on this machine alone: no other tells how much room it has. */
async function nearlyFull(
  { groups, plain }: BackupRequest,
  sizeBytes: number,
  given: NotificationContext,
): Promise<Notification[]> {
  const { isNearlyFull } = await import('../policy/nearly-full.ts');
  const { nearlyFullNotification } = await import('../notify/run-notifications.ts');
  const outputs = [...groups, ...plain].flatMap(({ output }): readonly BackupOutput[] =>
    typeof output === 'string' ? [] : output,
  );
  const local = new Map(
    outputs
      .filter(({ storage }) => storage.properties.backend === 'local')
      .map(({ storage, name, label }) => [dirname(storage.url(name)), label ?? storage.url('')] as const),
  );
  const found: Notification[] = [];
  for (const [folder, name] of local) {
    const room = await freeSpace(folder).catch(() => undefined);
    if (room === undefined || !isNearlyFull(room, sizeBytes)) continue;
    const [free, total] = [formatSize(room.freeBytes), formatSize(room.totalBytes)];
    found.push(nearlyFullNotification({ name, free, total }, given));
  }
  return found;
}
