import type { ArchiveLocation } from '../operation/options.ts';
import { Secret } from '../secret.ts';
import type { CommandContext } from './command-context.ts';
import { toHoldfastError } from './print-error.ts';
import { printNote } from './print-result.ts';

/**
 * The `encryptionKey` of the configuration here, where it opens an archive that is given by its path. Such an archive may be anybody's: a
 * configuration that does not fit is told of, and keeps nobody from giving the key himself.
 */
export async function configuredKeyFor(archive: ArchiveLocation, context: CommandContext): Promise<Secret | undefined> {
  const { findConfigFile, loadConfig } = await import('../config/load-config.ts');
  try {
    if ((await findConfigFile('.')) === undefined) return undefined;
    const { config, file } = await loadConfig('.', context.environment);
    if (config.encryptionKey === undefined) return undefined;
    const key = new Secret(config.encryptionKey);
    const { opensWith } = await import('../operation/try-passphrase.ts');
    const opens = await opensWith(archive, key, context.signal);
    if (opens === true) return key;
    if (opens === false) printNote(context, `the encryptionKey of ${file} does not open it`);
  } catch (thrown) {
    const { code, message } = toHoldfastError(thrown);
    if (code === 'operation.interrupted') throw thrown;
    printNote(context, `the key of the configuration here is not known: ${message} [${code}]`);
  }
  return undefined;
}
