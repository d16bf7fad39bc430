/** Plain dumps on storages: they are listed, copied as they are, and checked as far as that goes without a key. */
import { createHash } from 'node:crypto';
import { HoldfastError } from '../errors.ts';
import { codecOfHead } from '../plain/codec-names.ts';
import { isOpenPgp } from '../plain/openpgp-message.ts';
import { isPlainName } from '../plain/plain-name.ts';
import type { RandomAccess, Storage, StoredObject } from '../storage/storage.ts';
import { type WritableLocation, withSources } from './location.ts';
import type { ArchiveLocation, RunOptions } from './options.ts';
import { checkPlainBackup } from './plain-restore.ts';
import { type PlainLayers, readAll, readHead } from './plain-stream.ts';
import { failAfter, ProgressMeter } from './run.ts';

/** Plain dumps of a storage, by name. */
export async function listPlainDumps(storage: Storage): Promise<StoredObject[]> {
  const found: StoredObject[] = [];
  for await (const object of storage.list()) if (isPlainName(object.name)) found.push(object);
  return found.sort((left, right) => (left.name < right.name ? -1 : 1));
}

/** What a plain dump is, by its first bytes; how it is compressed stands inside of what is encrypted. */
export async function plainLayersOf(location: ArchiveLocation): Promise<PlainLayers & { readonly sizeBytes: number }> {
  return await withSources([location], async ([source]) => {
    if (source === undefined) throw new HoldfastError('storage.not_found');
    const head = await readHead(source);
    return { isEncrypted: isOpenPgp(head), compression: codecOfHead(head), sizeBytes: source.sizeBytes };
  });
}

/** What is to be done about a plain dump that is damaged. */
export const notMendable =
  'a plain dump cannot be mended: copy it from another storage with `holdfast pull`, or make a new backup';

/** SHA-256 of a file, hex. */
export async function digestOf(source: RandomAccess, signal: AbortSignal | undefined): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of readAll(source, signal)) hash.update(chunk);
  return hash.digest('hex');
}

/**
 * Copies a plain dump byte for byte, and reads it back before it appears. Gives the SHA-256 of the file, hex. Throws `archive.damaged` for
 * one that is empty, `archive.verify_failed`, and what the storages throw.
 */
export async function copyPlainDump(
  from: ArchiveLocation,
  to: WritableLocation,
  run: RunOptions,
): Promise<{ readonly sizeBytes: number; readonly sha256: string }> {
  const { signal } = run;
  return await withSources([from], async ([source]) => {
    if (source === undefined) throw new HoldfastError('storage.not_found');
    const { sizeBytes: totalBytes } = source;
    if (totalBytes === 0) throw new HoldfastError('archive.damaged', { message: 'the file is empty' });
    const meter = new ProgressMeter(run);
    const writer = await to.storage.writer(to.name, {
      copies: 1,
      expectedSizeBytes: totalBytes,
      ...(signal && { signal }),
    });
    try {
      const hash = createHash('sha256');
      const onChunk = (_: Uint8Array, doneBytes: number) => meter.report({ phase: 'write', doneBytes, totalBytes });
      for await (const chunk of readAll(source, signal, onChunk)) {
        hash.update(chunk);
        await writer.write(chunk);
      }
      const sha256 = hash.digest('hex');
      const { sizeBytes } = await writer.commit(async (stored) => {
        if ((await digestOf(stored, signal)) !== sha256) throw new HoldfastError('archive.verify_failed');
      });
      return { sizeBytes, sha256 };
    } catch (error) {
      return await failAfter(error, [() => writer.abort()]);
    }
  });
}

/**
 * Reads a plain dump to the end of its compression and to the mark at its end; of an encrypted one that it can be read and begins as it must. Throws
 * `archive.damaged`.
 */
export async function checkWithoutKey(location: WritableLocation, run: RunOptions): Promise<void> {
  const { isEncrypted, compression, sizeBytes } = await plainLayersOf(location);
  const damaged = (message: string) =>
    new HoldfastError('archive.damaged', {
      message: `${location.storage.url(location.name)}, a plain dump, ${message}`,
      hint: notMendable,
    });
  if (sizeBytes === 0) throw damaged('is empty');
  // A name that promises a layer which is not there.
  const [, codec = '', cipher = ''] = /(\.(?:gz|bz2|xz|zst))?(\.(?:gpg|pgp|asc))?$/i.exec(location.name) ?? [];
  if ((cipher !== '') !== isEncrypted)
    throw damaged(isEncrypted ? 'is encrypted, unlike its name' : 'does not begin as an encrypted file does');
  if (!isEncrypted && codec !== '' && compression === 'none') throw damaged('does not begin as a compressed file does');
  const isBare = !isEncrypted && compression === 'none';
  const { signal } = run;
  if (isEncrypted || (isBare && !/\.(?:sql|dump)$/i.test(location.name))) {
    // Without the key, or without anything in it that could be checked, that it can be read is all there is to know.
    await withSources([location], async ([source]) => {
      if (source !== undefined) for await (const _ of readAll(source, signal));
    });
    return;
  }
  try {
    await checkPlainBackup({ archive: location, ...run });
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== 'archive.damaged') throw error;
    throw damaged(`is not whole: ${error.message}`);
  }
}
