import { HoldfastError } from '../errors.ts';
import type { StorageWriter } from '../storage/storage.ts';
import type { WritableLocation } from './location.ts';

/**
 * Throws where what was committed is in place without some of its parts, or beside an older one that could not be removed: it can be had, and is not
 * all that it should be. The code is that of the first storage that failed.
 */
export function checkParts({ parts = [] }: StorageWriter, { storage, name }: WritableLocation): void {
  const failed = parts.filter(({ error }) => error !== undefined);
  const [first] = failed;
  if (first === undefined) return;
  const reasons = failed.map(
    ({ label, error }) => `${label}: ${error instanceof Error ? error.message : String(error)}`,
  );
  throw new HoldfastError(first.error instanceof HoldfastError ? first.error.code : 'storage.failed', {
    message: `${storage.url(name)} is written, but not on all of its storages: ${reasons.join('; ')}`,
    hint: 'when they answer again, `holdfast scrub` makes what is missing, and `holdfast prune` removes what is left of older ones',
    context: { storages: failed.map(({ label }) => label) },
    cause: first.error,
  });
}
