import type { WritableLocation } from './location.ts';
import { failAfter } from './run.ts';

/**
 * The object that marks an archive as pinned lies beside it: where the history is lost, or another machine prunes, the archive is kept all
 * the same.
 */
export const pinSuffix = '.pin';

/**
 * Keeps retention from removing an archive, on its storage. May be repeated. Throws `storage.not_found` where there is none of that name,
 * and what the storage throws.
 *
 * @example
 * await pinArchive({ storage, name: 'shop_20261121T090507Z_production.holdfast' });
 */
export async function pinArchive({ storage, name }: WritableLocation): Promise<void> {
  await storage.stat(name);
  const writer = await storage.writer(`${name}${pinSuffix}`, { copies: 1 });
  try {
    await writer.write(new TextEncoder().encode('Retention does not remove the archive beside this file.\n'));
    await writer.commit();
  } catch (error) {
    await failAfter(error, [() => writer.abort()]);
  }
}

/** Lets retention remove an archive again. May be repeated. */
export async function unpinArchive({ storage, name }: WritableLocation): Promise<void> {
  await storage.delete(`${name}${pinSuffix}`);
}
