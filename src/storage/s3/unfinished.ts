/** What dead runs left in a bucket: uploads that were never completed, and objects that were never checked. */
import type { MultipartUpload } from '@aws-sdk/client-s3';
import { type Clock, systemClock } from '../../clock.ts';
import { HoldfastError } from '../../errors.ts';
import { isPlainName } from '../../plain/plain-name.ts';
import { isShardName } from '../spread/shard-name.ts';
import { abortUpload } from './multipart-upload.ts';
import type { S3Connection } from './s3-connection.ts';
import { removeKey, removeMarked } from './unchecked-mark.ts';
import { isMakerRunning, isUnfinishedName, markedDigest, unfinishedFolder } from './unfinished-key.ts';

/** What is being checked, copied or made from what is read back may take long, and shows no sign of life meanwhile. */
const staleAfterMs = 7 * 24 * 60 * 60 * 1000;

/** Where is looked. */
export interface UnfinishedPlace {
  readonly connection: S3Connection;
  readonly prefix: string;
  readonly clock?: Clock;
}

/**
 * Removes what is left of runs that are dead: of this machine at once, of others after seven days, an upload when it has got no part for so long.
 * Uploads are taken for backups' by their names: below the prefix, of an archive, a shard or a plain dump, or never listed. What may not be removed stays.
 */
export async function removeUnfinished(place: UnfinishedPlace): Promise<void> {
  await unlessDenied(() => removeUploads(place));
  await unlessDenied(() => removeStaged(place));
}

async function unlessDenied(step: () => Promise<void>): Promise<void> {
  try {
    await step();
  } catch (error) {
    // A key without this right can still make backups; the guide tells what it misses. Some servers do not know the request.
    const answer = error instanceof HoldfastError ? error.context['answer'] : undefined;
    const isDenied = error instanceof HoldfastError && error.code === 'storage.unauthorized';
    if (!isDenied && answer !== 'NotImplemented' && answer !== 'MethodNotAllowed') throw error;
  }
}

async function removeUploads(place: UnfinishedPlace): Promise<void> {
  const { connection, prefix } = place;
  for await (const { Key, UploadId, Initiated } of uploads(place)) {
    if (Key === undefined || UploadId === undefined) continue;
    const name = Key.slice(prefix.length);
    if (!isUnfinishedName(name) && !isBackupName(name)) continue;
    const isRunning = isMakerRunning(name);
    const isDead = isRunning === undefined ? await isStale(place, { Key, UploadId, Initiated }) : !isRunning;
    if (isDead) await abortUpload(connection, Key, UploadId);
  }
}

/** Whether a name is one that backups are written to: an archive's, that of a shard of one, or that of a plain dump. */
function isBackupName(name: string): boolean {
  return name.endsWith('.holdfast') || isShardName(name) || isPlainName(name);
}

async function* uploads({ connection, prefix }: UnfinishedPlace): AsyncGenerator<MultipartUpload> {
  let marker: { KeyMarker?: string; UploadIdMarker?: string } = {};
  for (;;) {
    const page = await connection.call({
      operation: 'ListMultipartUploads',
      run: (s3, options) => s3.listMultipartUploads({ Bucket: connection.bucket, Prefix: prefix, ...marker }, options),
    });
    yield* page.Uploads ?? [];
    if (page.IsTruncated !== true || page.NextKeyMarker === undefined) return;
    marker = { KeyMarker: page.NextKeyMarker };
    if (page.NextUploadIdMarker !== undefined) marker.UploadIdMarker = page.NextUploadIdMarker;
  }
}

/** Whether an upload was begun, and got its last part, more than {@link staleAfterMs} ago. */
async function isStale(
  { connection, clock = systemClock }: UnfinishedPlace,
  { Key, UploadId, Initiated }: { Key: string; UploadId: string; Initiated: Date | undefined },
): Promise<boolean> {
  const isOld = (time: Date | undefined) => time !== undefined && clock.nowMs() - time.getTime() > staleAfterMs;
  if (!isOld(Initiated)) return false;
  let marker: { PartNumberMarker?: string } = {};
  for (;;) {
    const page = await connection.call({
      operation: 'ListParts',
      key: Key,
      run: (s3, options) => s3.listParts({ Bucket: connection.bucket, Key, UploadId, ...marker }, options),
    });
    const parts = page.Parts ?? [];
    if (parts.some((part) => !isOld(part.LastModified))) return false;
    if (page.IsTruncated !== true || page.NextPartNumberMarker === undefined) return true;
    marker = { PartNumberMarker: page.NextPartNumberMarker };
  }
}

async function removeStaged({ connection, prefix, clock = systemClock }: UnfinishedPlace): Promise<void> {
  const page = await connection.call({
    operation: 'ListObjectsV2',
    run: (s3, options) =>
      s3.listObjectsV2({ Bucket: connection.bucket, Prefix: `${prefix}${unfinishedFolder}/` }, options),
  });
  // More than a page of them is left to the next run.
  for (const { Key, LastModified } of page.Contents ?? []) {
    if (Key === undefined || LastModified === undefined) continue;
    const name = Key.slice(prefix.length);
    const isRunning = isMakerRunning(name);
    const isOld = clock.nowMs() - LastModified.getTime() > staleAfterMs;
    if (isRunning === undefined ? !isOld : isRunning) continue;
    if (markedDigest(name) === undefined) await removeKey(connection, Key);
    else await removeMarked(connection, Key);
  }
}
