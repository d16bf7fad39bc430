import { type Command, Option } from 'commander';
import { HoldfastError } from '../errors.ts';
import { type NotificationEvent, notificationEvents } from '../notify/notification.ts';
import type { CommandContext, OutputOptions } from './command-context.ts';
import { formatMoment, paint, printable } from './format-value.ts';
import { gather } from './key-options.ts';
import { notificationContext, notify } from './notify-run.ts';
import { wholeNumber } from './number-options.ts';
import { formatTable, printJson, printLines, printNote } from './print-result.ts';
import { openConfiguredHistory } from './record.ts';

interface NotifyTestOptions extends OutputOptions {
  readonly type?: readonly string[];
  readonly event: NotificationEvent;
}

/** Adds `holdfast notify`. */
export function addNotifyCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('notify')
    .description('try the notifications of the configuration, and see who was told');
  command
    .command('test')
    .description('send a test by each way of telling that the configuration names, whatever it is told of')
    .option('--type <type>', 'only by those of this type, such as email (repeatable)', gather)
    .addOption(
      new Option('--event <event>', 'what it is to look like (failure unless given)')
        .choices(notificationEvents)
        .default('failure'),
    )
    .option('--json', 'print the result as JSON')
    .action(async (options: NotifyTestOptions) => {
      context.exitCode = await test(options, context);
    });
  command
    .command('list')
    .description('list who was told of what, and who could not be, the newest first')
    .option('--limit <n>', 'the newest so many (50 unless given)', wholeNumber(1, 1_000_000))
    .option('--json', 'print the result as JSON')
    .action(async (options: OutputOptions & { readonly limit?: number }) => {
      await list(options, context);
    });
  // For `serve`, which keeps no configuration in memory.
  command
    .command('missed', { hidden: true })
    .description('tell of a run of a job that did not take place when it was due')
    .requiredOption('--job <name>', 'the job')
    .requiredOption(
      '--due <ms>',
      'when it was due, in milliseconds since 1970',
      wholeNumber(0, Number.MAX_SAFE_INTEGER),
    )
    .option('--overdue', 'it has not begun yet')
    .option('--json', 'print the result as JSON')
    .action(async (options: MissedOptions) => {
      await tellMissed(options, context);
    });
  // For `worker`, likewise.
  command
    .command('given-up', { hidden: true })
    .description('record and tell of a job that is not tried again, since the workers that had it died')
    .requiredOption('--job <name>', 'the job')
    .requiredOption(
      '--due <ms>',
      'when it was due, in milliseconds since 1970',
      wholeNumber(0, Number.MAX_SAFE_INTEGER),
    )
    .option('--json', 'print the result as JSON')
    .action(async ({ job, due, json }: OutputOptions & { readonly job: string; readonly due: number }) => {
      const { recordGivenUp } = await import('./record-given-up.ts');
      const deliveries = await recordGivenUp({ job, scheduledMs: due }, context);
      if (json) printJson(context, { deliveries });
    });
  addKilledCommand(command, context);
}

/** What a job's process could not tell itself. */
function addKilledCommand(command: Command, context: CommandContext): void {
  command
    .command('killed', { hidden: true })
    .description('record and tell of a job whose process was killed')
    .requiredOption('--job <name>', 'the job')
    .requiredOption(
      '--due <ms>',
      'when it was due, in milliseconds since 1970',
      wholeNumber(0, Number.MAX_SAFE_INTEGER),
    )
    .requiredOption('--by <signal>', 'what ended it')
    .option('--json', 'print the result as JSON')
    .action(async ({ job, due, by, json }: OutputOptions & { job: string; due: number; by: string }) => {
      const { recordKilled } = await import('./record-given-up.ts');
      const deliveries = await recordKilled({ job, scheduledMs: due }, by, context);
      if (json) printJson(context, { deliveries });
    });
}

interface MissedOptions extends OutputOptions {
  readonly job: string;
  readonly due: number;
  readonly overdue?: boolean;
}

async function tellMissed({ job, due, overdue, json }: MissedOptions, context: CommandContext): Promise<void> {
  const { loadConfig } = await import('../config/load-config.ts');
  const { missedNotification } = await import('../notify/run-notifications.ts');
  const loaded = await loadConfig('.', context.environment);
  const reason = overdue
    ? 'It has not begun yet: another run of it is still at work.'
    : 'It did not run when it was due, and is made up for now.';
  const deliveries = await notify(loaded, context, (given) => [missedNotification({ job, dueMs: due, reason }, given)]);
  if (json) printJson(context, { deliveries });
}

async function list(
  { limit = 50, json }: OutputOptions & { readonly limit?: number },
  context: CommandContext,
): Promise<void> {
  const { loadConfig } = await import('../config/load-config.ts');
  const history = await openConfiguredHistory(await loadConfig('.', context.environment));
  try {
    const deliveries = await history.deliveries({ limit });
    if (json) return printJson(context, deliveries);
    if (deliveries.length === 0) return printNote(context, 'nobody was told of anything yet');
    const rows = deliveries.map(({ atMs, event, type, place, sent, error }) => [
      formatMoment(atMs),
      event,
      type,
      printable(place),
      sent ? paint(context, context.stdout, 'green', 'sent') : paint(context, context.stdout, 'red', 'failed'),
      error === undefined ? '' : printable(`${error.message} [${error.code}]`),
    ]);
    printLines(context, formatTable(context, ['when', 'event', 'type', 'to', 'result', 'why'], rows));
  } finally {
    await history.close();
  }
}

async function test({ type, event, json }: NotifyTestOptions, context: CommandContext): Promise<number> {
  const { loadConfig } = await import('../config/load-config.ts');
  const { openSubscriptions } = await import('../config/notification-settings.ts');
  const { testNotification } = await import('../notify/run-notifications.ts');
  const { sendAll } = await import('../notify/send-all.ts');
  const loaded = await loadConfig('.', context.environment);
  const chosen = (await openSubscriptions(loaded.config, loaded.file)).filter(
    ({ notifier }) => type === undefined || type.includes(notifier.type),
  );
  if (chosen.length === 0) {
    throw new HoldfastError('config.invalid', {
      message: `${loaded.file} names no notifications${type === undefined ? '' : ' of this type'}`,
      hint: "add some: notifications: [{ type: 'email', … }]; see docs/guides/notifications.md",
    });
  }
  const subscriptions = chosen.map(({ notifier }) => ({ notifier, events: [event] }));
  const deliveries = await sendAll(testNotification(event, notificationContext(loaded, context)), subscriptions);
  if (json) printJson(context, { deliveries });
  else {
    const rows = deliveries.map(({ type: kind, place, sent, error }) => [
      kind,
      printable(place),
      sent ? paint(context, context.stdout, 'green', 'sent') : paint(context, context.stdout, 'red', 'failed'),
      error === undefined ? '' : printable(`${error.message} [${error.code}]`),
    ]);
    printLines(context, formatTable(context, ['type', 'to', 'result', 'why'], rows));
  }
  return deliveries.every(({ sent }) => sent) ? 0 : 1;
}
