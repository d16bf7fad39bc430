/**
 * Marks of objects that stand under their name and are not checked yet. A marked object is not listed: should its check fail and the network be gone, so that it
 * cannot be removed, nobody takes it for a backup. A later run removes both.
 */
import { HoldfastError } from '../../errors.ts';
import { type ObjectCreation, putWhole, removeOwn } from './object-creation.ts';
import type { S3Connection } from './s3-connection.ts';
import { bodyOf } from './s3-connection.ts';
import { digestOfName, markedDigest, unfinishedFolder } from './unfinished-key.ts';

/** Where marks are: a bucket, and what stands before its names. */
interface MarkPlace {
  readonly connection: S3Connection;
  readonly prefix: string;
}

/** Marks the object that is about to be made. `key` is one of `uncheckedMarkName`. */
export async function markUnchecked(target: ObjectCreation, key: string): Promise<void> {
  const { objectLock: _, isPublic: _public, headers: _headers, ...settings } = target.settings;
  const body = Buffer.from(JSON.stringify({ key: target.key, writerId: target.writerId }));
  await putWhole({ ...target, settings, key, createOnly: false }, body);
}

/** Removes a key; one that is not there is no error. */
export async function removeKey(connection: S3Connection, key: string): Promise<void> {
  await connection.call({
    operation: 'DeleteObject',
    key,
    run: async (s3, options) => {
      await s3.deleteObject({ Bucket: connection.bucket, Key: key }, options);
    },
  });
}

/** The keys of all marks, by the digest of the name that they are on. */
export async function findMarks({ connection, prefix }: MarkPlace): Promise<ReadonlyMap<string, readonly string[]>> {
  const found = new Map<string, string[]>();
  let token: string | undefined;
  do {
    const from = token === undefined ? {} : { ContinuationToken: token };
    const page = await connection.call({
      operation: 'ListObjectsV2',
      run: (s3, options) =>
        s3.listObjectsV2({ Bucket: connection.bucket, Prefix: `${prefix}${unfinishedFolder}/`, ...from }, options),
    });
    for (const { Key } of page.Contents ?? []) {
      const digest = Key === undefined ? undefined : markedDigest(Key.slice(prefix.length));
      if (Key === undefined || digest === undefined) continue;
      const keys = found.get(digest);
      if (keys === undefined) found.set(digest, [Key]);
      else keys.push(Key);
    }
    token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
  } while (token !== undefined);
  return found;
}

/** Removes what an older run left on a name: a checked object stands there now. */
export async function removeMarksOf(place: MarkPlace, name: string): Promise<void> {
  for (const key of (await findMarks(place)).get(digestOfName(name)) ?? []) await removeKey(place.connection, key);
}

/** Removes a mark of a dead run, and before it the object that it is on, where that run made it. */
export async function removeMarked(connection: S3Connection, markKey: string): Promise<void> {
  const mark = await readMark(connection, markKey);
  if (mark !== undefined) await removeOwn({ connection, ...mark });
  await removeKey(connection, markKey);
}

/** Undefined where it is no mark, or was removed by another run. */
async function readMark(
  connection: S3Connection,
  key: string,
): Promise<{ readonly key: string; readonly writerId: string } | undefined> {
  try {
    const text = await connection.call({
      operation: 'GetObject',
      key,
      run: async (s3, options) => {
        const answer = await s3.getObject({ Bucket: connection.bucket, Key: key }, options);
        const chunks: Uint8Array[] = [];
        for await (const chunk of bodyOf(answer)) chunks.push(chunk);
        return Buffer.concat(chunks).toString('utf8');
      },
    });
    const mark: unknown = JSON.parse(text);
    if (typeof mark !== 'object' || mark === null || !('key' in mark) || !('writerId' in mark)) return undefined;
    if (typeof mark.key !== 'string' || typeof mark.writerId !== 'string') return undefined;
    return { key: mark.key, writerId: mark.writerId };
  } catch (error) {
    const isGone = error instanceof HoldfastError && error.code === 'storage.not_found';
    if (isGone || error instanceof SyntaxError) return undefined;
    throw error;
  }
}
