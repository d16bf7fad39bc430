import type { LoadedConfig } from '../config/load-config.ts';
import type { Notification } from '../notify/notification.ts';
import type { NotificationContext } from '../notify/run-notifications.ts';
import type { DeliveryReport } from '../notify/send-all.ts';
import type { CommandContext } from './command-context.ts';
import { toHoldfastError } from './print-error.ts';
import { printNote } from './print-result.ts';
import { findHistory, noteProblem } from './record.ts';
import { withoutUndefined } from './without-undefined.ts';

/** What each notification of a run of this configuration says. */
export function notificationContext({ config }: LoadedConfig, context: CommandContext): NotificationContext {
  return {
    environment: config.environment ?? 'default',
    link: config.notificationLink,
    clock: context.clock,
  };
}

/**
 * Tells those whom the configuration names, and says on stderr who could not be told. It never throws: what was done is done. Without a
 * configuration nobody is told.
 */
export async function notify(
  loaded: LoadedConfig | undefined,
  context: CommandContext,
  make: (given: NotificationContext) => readonly Notification[] | Promise<readonly Notification[]>,
): Promise<DeliveryReport[]> {
  if (loaded === undefined || (loaded.config.notifications ?? []).length === 0) return [];
  const deliveries: DeliveryReport[] = [];
  try {
    const { openSubscriptions } = await import('../config/notification-settings.ts');
    const { sendAll } = await import('../notify/send-all.ts');
    const subscriptions = await openSubscriptions(loaded.config, loaded.file);
    for (const notification of await make(notificationContext(loaded, context))) {
      deliveries.push(...(await sendAll(notification, subscriptions)));
    }
  } catch (error) {
    const { code, message } = toHoldfastError(error);
    printNote(context, `nobody was told: ${message} [${code}]`);
  }
  await recordDeliveries(loaded, deliveries, context);
  for (const { type, place, error } of deliveries) {
    if (error !== undefined) printNote(context, `not told by ${type} (${place}): ${error.message} [${error.code}]`);
  }
  return deliveries;
}

/** Writes into the history who was told, with the run that it is about. A history that cannot be used is noted. */
async function recordDeliveries(
  loaded: LoadedConfig,
  deliveries: readonly DeliveryReport[],
  context: CommandContext,
): Promise<void> {
  if (deliveries.length === 0) return;
  const history = await findHistory(loaded, context);
  if (history === undefined) return;
  const { clock, recordedRun: runId } = context;
  try {
    const told = deliveries.map((delivery) => ({ ...delivery, atMs: clock.nowMs(), ...withoutUndefined({ runId }) }));
    await history.addDeliveries(told);
  } catch (error) {
    noteProblem(error, context);
  } finally {
    await history.close();
  }
}

/** Tells of a run that failed, unless someone ended it or another run of the job is under way, and throws its error on. */
export async function notifyingFailure<Result>(
  loaded: LoadedConfig | undefined,
  what: string,
  context: CommandContext,
  work: () => Promise<Result>,
): Promise<Result> {
  try {
    return await work();
  } catch (thrown) {
    const error = toHoldfastError(thrown);
    // Of a job that runs already its own run tells.
    if (error.code !== 'operation.interrupted' && error.code !== 'job.running') {
      const { failureNotification } = await import('../notify/run-notifications.ts');
      await notify(loaded, context, (given) => [failureNotification(what, error, given)]);
    }
    throw thrown;
  }
}
