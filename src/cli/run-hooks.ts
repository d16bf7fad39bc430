import type { HookSetting } from '../config/hook-settings.ts';
import type { LoadedConfig } from '../config/load-config.ts';
import type { Hook } from '../hook/hooks.ts';
import type { CommandContext } from './command-context.ts';
import { notify } from './notify-run.ts';
import { printNote } from './print-result.ts';

/** A run of which hooks of the configuration are told. */
export interface HookedCommand {
  readonly kind: 'backup' | 'restore';
  /** Undefined where the hooks are not to run. */
  readonly loaded: LoadedConfig | undefined;
  readonly subject: string;
}

/**
 * Runs a command between the hooks of the configuration, and gives its exit code: 3 where it went well and the hook after it did not. Throws
 * `hook.failed` where the one before did not, and what the command throws.
 */
export async function runHooked(
  { kind, loaded, subject }: HookedCommand,
  context: CommandContext,
  work: () => Promise<number>,
): Promise<number> {
  const hooks = loaded?.config.hooks;
  if (loaded === undefined || hooks === undefined) return await work();
  const isBackup = kind === 'backup';
  const { withHooks } = await import('../hook/hooks.ts');
  const { result, hookError } = await withHooks(
    {
      kind,
      subject,
      before: hookOf(isBackup ? hooks.beforeBackup : hooks.beforeRestore),
      after: hookOf(isBackup ? hooks.afterBackup : hooks.afterRestore),
      environment: loaded.config.environment ?? 'default',
      signal: context.signal,
    },
    work,
    (exitCode) => (exitCode === 0 ? 'success' : 'incomplete'),
  );
  if (hookError === undefined) return result;
  printNote(context, `${hookError.message} [${hookError.code}]`);
  const { failureNotification } = await import('../notify/run-notifications.ts');
  await notify(loaded, context, (given) => [
    failureNotification(`the hook after the ${kind} of ${subject}`, hookError, given),
  ]);
  return result === 0 ? 3 : result;
}

/** A hook of a configuration, as it is run. */
function hookOf(given: HookSetting): Hook | undefined {
  if (given === undefined || typeof given === 'function') return given;
  if (Array.isArray(given)) return { command: given };
  const { command, environment, timeoutMs } = given;
  return {
    command,
    ...(environment === undefined ? {} : { environment }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  };
}
