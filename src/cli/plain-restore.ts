import { HoldfastError } from '../errors.ts';
import type { ArchiveLocation } from '../operation/options.ts';
import type { PlainRestoreReport } from '../operation/plain-restore.ts';
import type { RestoreMode } from '../source/database-options.ts';
import type { CommandContext } from './command-context.ts';
import { type OpenKeyOptions, plainOpenKeys } from './key-options.ts';
import type { GivenRun } from './progress-line.ts';
import { withoutUndefined } from './without-undefined.ts';

/** What the command line says about the restore of a plain dump. */
export interface PlainRestoreCommand extends OpenKeyOptions {
  readonly to?: readonly string[];
  readonly mode?: RestoreMode;
  readonly connections?: number;
  readonly lockTimeout?: number;
  readonly overwrite?: boolean;
  readonly undo: boolean;
}

/** Options of archives, which have entries, models and parity: to pass over one would restore more than was asked for. */
const ofArchives = [
  'only',
  'filesTo',
  'mediaTo',
  'from',
  'fromStorage',
  'partial',
  'archiveId',
  'commandTo',
  'identityFile',
  'mask',
  'row',
  'withOwned',
  'onConflict',
  'flush',
  'createSchema',
  'rename',
  'naturalKey',
] as const;

/** The only target of a plain dump: a URL, before which a name may stand. Throws `usage.invalid`. */
function targetOf({ to = [] }: PlainRestoreCommand): string {
  const [only, ...others] = to;
  if (only !== undefined && others.length === 0) return /^[^=:/]+=(.+)$/s.exec(only)?.[1] ?? only;
  throw new HoldfastError('usage.invalid', {
    message: 'a plain dump does not tell where it came from, and goes to one database',
    hint: 'give one --to with the URL of the database',
  });
}

/** How a plain dump is restored, or would be. Throws `usage.invalid` for options that are of archives. */
export async function plainRestore(
  location: ArchiveLocation,
  options: PlainRestoreCommand,
  context: CommandContext,
): Promise<(dryRun: boolean, run: GivenRun) => Promise<PlainRestoreReport>> {
  const given = ofArchives.find((name) => name in options);
  if (given !== undefined) {
    const flag = `--${given.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    throw new HoldfastError('usage.invalid', { message: `${flag} is for archives, and this is a plain dump` });
  }
  const to = targetOf(options);
  const { restorePlainBackup } = await import('../operation/plain-restore.ts');
  const keys = await plainOpenKeys(location, options, context);
  const { mode, connections, lockTimeout, overwrite, undo } = options;
  return (dryRun, run) =>
    restorePlainBackup({
      archive: location,
      to,
      keys,
      keepUndo: undo,
      dryRun,
      ...withoutUndefined({ mode, connections, overwrite }),
      ...withoutUndefined({ timeoutMs: lockTimeout === undefined ? undefined : lockTimeout * 1000 }),
      ...run,
    });
}
