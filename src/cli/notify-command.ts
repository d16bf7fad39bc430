import { type Command, Option } from 'commander';
import { HoldfastError } from '../errors.ts';
import { type NotificationEvent, notificationEvents } from '../notify/notification.ts';
import type { CommandContext, OutputOptions } from './command-context.ts';
import { paint, printable } from './format-value.ts';
import { gather } from './key-options.ts';
import { notificationContext } from './notify-run.ts';
import { formatTable, printJson, printLines } from './print-result.ts';

interface NotifyTestOptions extends OutputOptions {
  readonly type?: readonly string[];
  readonly event: NotificationEvent;
}

/** Adds `holdfast notify`. */
export function addNotifyCommand(program: Command, context: CommandContext): void {
  const command = program.command('notify').description('try the notifications of the configuration');
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
