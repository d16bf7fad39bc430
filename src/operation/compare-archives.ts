import type { EntryInput } from '../archive/entry/open-entry.ts';
import type { JsonValue } from '../archive/json.ts';
import { HoldfastError } from '../errors.ts';
import { defaultAllowedFall, describeFall, findFalls, isComparable, type PartCounts } from '../policy/plausibility.ts';
import { FilesSource } from '../source/files/files-source.ts';
import type { Storage } from '../storage/storage.ts';
import type { BackupOptions, Comparison } from './options.ts';
import { type FoundPrevious, findPrevious, noteKind, suspectPath } from './previous-archive.ts';

interface Output {
  readonly storage: Storage;
  readonly name: string;
}

/** Looks for the archive before while the new one is written. Only databases are compared. */
export async function findPreviousFor(options: BackupOptions): Promise<FoundPrevious> {
  if (options.sources.every((source) => source instanceof FilesSource)) return {};
  return await findPrevious(options);
}

/** Compares what was read with the archive before. */
export function compare(found: FoundPrevious, parts: readonly PartCounts[], options: BackupOptions): Comparison {
  const { archive, reason } = found;
  if (archive === undefined) return { ...(reason === undefined ? {} : { reason }), falls: [] };
  const { label: previous, archiveId: previousId } = archive;
  if (!isComparable(archive.parts, parts)) return { falls: [] };
  return { previous, previousId, falls: findFalls(archive.parts, parts, options.allowedFall ?? defaultAllowedFall) };
}

/** Another archive does not make way for a suspect one. Throws `source.shrunken`. */
export async function refuseToReplace({ previous, falls }: Comparison, outputs: readonly Output[]): Promise<void> {
  const [first] = falls;
  if (first === undefined) return;
  const there = await Promise.all(outputs.map((output) => isThere(output, outputs.length > 1)));
  const output = outputs[there.indexOf(true)];
  if (output === undefined) return;
  const more = falls.length > 1 ? `, and ${falls.length - 1} more` : '';
  throw new HoldfastError('source.shrunken', {
    message: `${output.storage.url(output.name)} is not replaced: ${describeFall(first)}${more}`,
    context: { previous, falls },
  });
}

/** Of several storages one that does not answer takes no part in the run: it has nothing to lose. */
async function isThere({ storage, name }: Output, isOneOfSeveral: boolean): Promise<boolean> {
  try {
    await storage.stat(name);
    return true;
  } catch (error) {
    if (isOneOfSeveral || (error instanceof HoldfastError && error.code === 'storage.not_found')) return false;
    throw error;
  }
}

/** The entry that marks an archive as suspect, so that the next run does not take it for the measure. */
export function suspectNote({ previousId, falls }: Comparison): EntryInput {
  const metadata: Record<string, JsonValue> = {
    falls: falls.map(({ path, measure, before, now }) => ({ path, measure, before, now })),
  };
  if (previousId !== undefined) metadata['previous'] = previousId;
  return { path: suspectPath, kind: noteKind, metadata };
}
