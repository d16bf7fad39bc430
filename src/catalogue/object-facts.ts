import { createHash } from 'node:crypto';
import { encodeHeader, type Header } from '../archive/header.ts';
import { findWholeHeader } from '../archive/heal/locate.ts';
import type { RandomAccess } from '../archive/random-access.ts';
import { HoldfastError } from '../errors.ts';
import { isPlainName } from '../plain/plain-name.ts';
import { chooseSet, objectOf, type ShardSet } from '../storage/spread/shard-sets.ts';
import type { Storage } from '../storage/storage.ts';
import type { RecordedObject, RecordedShard } from './catalogue-record.ts';

/** As much of the beginning of an object tells which one it is. */
export const beginningSizeBytes = 64 * 1024;

/** Whether objects of this name are in the catalogue: archives and plain dumps. */
export function isRecordedName(name: string): boolean {
  return name.endsWith('.holdfast') || isPlainName(name);
}

/** What tells an archive from all others, and from itself with other keys. */
function headerFacts(header: Header): Pick<RecordedObject, 'archiveId' | 'digest'> {
  // Without a key: the code at its end says no more than what it is of.
  const digest = createHash('sha256').update(encodeHeader(header, undefined)).digest('hex');
  return { archiveId: Buffer.from(header.archiveId).toString('hex'), digest };
}

/** An archive by its header, anything else by its first bytes. `undefined` for an archive whose header cannot be read. */
export async function factsOf(
  name: string,
  source: RandomAccess,
): Promise<Pick<RecordedObject, 'archiveId' | 'digest'> | undefined> {
  if (name.endsWith('.holdfast')) {
    const found = await findWholeHeader([source], undefined);
    return found === undefined || found === 'several' ? undefined : headerFacts(found.header);
  }
  const bytes = Buffer.alloc(Math.min(beginningSizeBytes, source.sizeBytes));
  let filled = 0;
  while (filled < bytes.length) {
    const count = await source.read(filled, bytes.subarray(filled));
    if (count === 0) break;
    filled += count;
  }
  return { digest: createHash('sha256').update(bytes.subarray(0, filled)).digest('hex') };
}

/** What an archive takes that is laid over several storages, with its shards; undefined for any other object. */
async function spreadFacts(
  storage: Storage,
  name: string,
): Promise<Pick<RecordedObject, 'sizeBytes' | 'shards'> | undefined> {
  const listing = name.endsWith('.holdfast') ? await storage.spread?.shardSets(`${name}.`) : undefined;
  const set = listing && chooseSet(listing.sets.filter((one) => one.name === name));
  if (set === undefined) return undefined;
  return { sizeBytes: objectOf(set).sizeBytes, shards: shardsOf(set) };
}

/** The shards of an archive, as records have them. */
export function shardsOf({ shards }: ShardSet): RecordedShard[] {
  return shards
    .toSorted((left, right) => left.index - right.index)
    .map(({ member, object }) => ({ name: object.name, place: member.label, sizeBytes: object.sizeBytes }));
}

/** An object as it is on a storage now; `undefined` where it is not there, or cannot be told. */
export async function storedFacts(storage: Storage, name: string): Promise<RecordedObject | undefined> {
  try {
    const opened = await storage.open(name);
    try {
      const facts = await factsOf(name, opened);
      const size = (await spreadFacts(storage, name)) ?? { sizeBytes: opened.sizeBytes };
      return facts && { name, ...size, ...facts };
    } finally {
      await opened.close();
    }
  } catch (error) {
    const isAbout = error instanceof HoldfastError && /^archive\.|^storage\.(not_found|failed)$/.test(error.code);
    if (isAbout) return undefined;
    throw error;
  }
}
