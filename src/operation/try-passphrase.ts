import { findHeader } from '../archive/heal/locate.ts';
import { unlock } from '../archive/unlock.ts';
import { HoldfastError, throwIfAborted } from '../errors.ts';
import type { Secret } from '../secret.ts';
import { withSources } from './location.ts';
import type { ArchiveLocation } from './options.ts';
import { isPlainDump } from './plain-restore.ts';
import { readPlain } from './plain-stream.ts';
import { withWorkers } from './run.ts';

/**
 * Whether a passphrase opens an archive or a plain dump, by its beginning; also where none is needed. Undefined where that cannot be told: whoever goes on
 * with it is told why.
 */
export async function opensWith(
  archive: ArchiveLocation,
  passphrase: Secret,
  signal?: AbortSignal,
): Promise<boolean | undefined> {
  const keys = { passphrases: [passphrase] };
  try {
    const isPlain = await isPlainDump(archive);
    await withSources([archive], async (sources) => {
      const [source] = sources;
      if (isPlain && source !== undefined) {
        const { bytes } = await readPlain(source, { keys, signal });
        for await (const _ of bytes) break;
        return;
      }
      await withWorkers({ threads: 0 }, async (workers) => {
        const { header, body } = await findHeader({ sources, workers, signal });
        await unlock(header, body, keys);
      });
    });
    return true;
  } catch (error) {
    throwIfAborted(signal);
    return error instanceof HoldfastError && error.code.startsWith('key.') ? false : undefined;
  }
}
