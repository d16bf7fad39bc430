/** Making an object, where the answer may be lost. */
import { HoldfastError } from '../../errors.ts';
import { headIfThere, type ObjectHead, readHead } from './object-head.ts';
import { objectInput, type S3ObjectSettings, writerIdName } from './object-settings.ts';
import type { S3Connection } from './s3-connection.ts';

/** An object that is to be made. */
export interface ObjectCreation {
  readonly connection: S3Connection;
  readonly key: string;
  readonly settings: S3ObjectSettings;
  /** Tells what this writer made from what others did. */
  readonly writerId: string;
  /** Fails with `storage.conflict` where an object stands there already, on servers that know the condition. */
  readonly createOnly: boolean;
  readonly signal: AbortSignal | undefined;
}

/** An object by who made it. */
export type MadeObject = Pick<ObjectCreation, 'connection' | 'key' | 'writerId'>;

/** The header that refuses to replace an object. */
export type CreationCondition = { readonly IfNoneMatch?: '*' };

/**
 * Runs the request that makes the object appear. When it fails it may have been done all the same, with the answer lost: then a second
 * try fails because of the first one. So the object itself is asked who made it.
 */
export async function publish(
  creation: ObjectCreation,
  request: (condition: CreationCondition) => Promise<void>,
): Promise<void> {
  const { settings, createOnly } = creation;
  const isConditional = createOnly && settings.createOnly;
  try {
    await request(isConditional ? { IfNoneMatch: '*' } : {});
  } catch (error) {
    if (await isLeftBehind(creation, error)) return;
    const answer = error instanceof HoldfastError ? error.context['answer'] : undefined;
    if (!isConditional || answer !== 'NotImplemented') throw error;
    await publish({ ...creation, createOnly: false }, request);
  }
}

/** Whether the object stands there although the request failed. */
async function isLeftBehind(creation: ObjectCreation, error: unknown): Promise<boolean> {
  if (!(error instanceof HoldfastError) || error.code === 'storage.unauthorized') return false;
  try {
    return (await ownHead(creation)) !== undefined && error.code !== 'operation.interrupted';
  } catch {
    // The first error says more.
    return false;
  }
}

/** The object as it stands, where this writer made it. */
export async function ownHead(creation: MadeObject): Promise<ObjectHead | undefined> {
  const { connection, key, writerId } = creation;
  const head = await headIfThere(readHead(connection, key));
  return head?.metadata[writerIdName] === writerId ? head : undefined;
}

/**
 * Runs a request that makes an object. A bucket that takes no ACLs, as Amazon's are since 2023, leaves it to its policy who may read a public
 * object: that is learned once for each bucket.
 */
export async function withObjectInput<Result>(
  { connection, settings, writerId }: ObjectCreation,
  request: (input: ReturnType<typeof objectInput>) => Promise<Result>,
): Promise<Result> {
  const asksForAcl = settings.isPublic === true && !connection.refusesAcls;
  try {
    return await request(objectInput({ ...settings, isPublic: asksForAcl }, writerId));
  } catch (error) {
    const answer = error instanceof HoldfastError ? error.context['answer'] : undefined;
    if (!asksForAcl || answer !== 'AccessControlListNotSupported') throw error;
    connection.refusesAcls = true;
    return await request(objectInput({ ...settings, isPublic: false }, writerId));
  }
}

/** Makes a whole object by one request. */
export async function putWhole(creation: ObjectCreation, body: Uint8Array): Promise<void> {
  const { connection, key, settings, signal } = creation;
  connection.willSend(body);
  await publish(creation, (condition) =>
    withObjectInput(creation, (input) =>
      connection.call({
        operation: 'PutObject',
        key,
        sizeBytes: body.length,
        signal,
        run: async (s3, options) => {
          const place = { Bucket: connection.bucket, Key: key };
          const checksum = settings.checksums ? ({ ChecksumAlgorithm: 'CRC32' } as const) : {};
          await s3.putObject({ ...input, ...place, ...condition, ...checksum, Body: body }, options);
        },
      }),
    ),
  );
}

/** Removes the object where this writer made it, whatever has become of the request that did. In a versioned bucket the one before comes back. */
export async function removeOwn(creation: MadeObject): Promise<void> {
  const { connection, key } = creation;
  const head = await ownHead(creation);
  if (head === undefined) return;
  const version = head.versionId === undefined ? {} : { VersionId: head.versionId };
  await connection.call({
    operation: 'DeleteObject',
    key,
    run: async (s3, options) => {
      await s3.deleteObject({ Bucket: connection.bucket, Key: key, ...version }, options);
    },
  });
}
