import { createHash } from 'node:crypto';
import { encodeHeader, type Header } from '../archive/header.ts';
import { findWholeHeader } from '../archive/heal/locate.ts';
import type { RandomAccess } from '../archive/random-access.ts';
import { HoldfastError } from '../errors.ts';
import { isPlainName } from '../plain/plain-name.ts';
import type { Storage } from '../storage/storage.ts';
import type { RecordedObject } from './catalogue-record.ts';

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

/** An object as it is on a storage now; `undefined` where it is not there, or cannot be told. */
export async function storedFacts(storage: Storage, name: string): Promise<RecordedObject | undefined> {
  try {
    const opened = await storage.open(name);
    try {
      const facts = await factsOf(name, opened);
      return facts && { name, sizeBytes: opened.sizeBytes, ...facts };
    } finally {
      await opened.close();
    }
  } catch (error) {
    const isAbout = error instanceof HoldfastError && /^archive\.|^storage\.(not_found|failed)$/.test(error.code);
    if (isAbout) return undefined;
    throw error;
  }
}
