/** What cases of the storage contract are made of. */
import assert from 'node:assert/strict';
import { type ErrorCode, HoldfastError } from '../errors.ts';
import type { RandomAccess, Storage, StoredObject } from '../storage/storage.ts';

/**
 * What not every storage can do: read what is written before it appears; hold more than a thousand objects, which takes time and may
 * cost money.
 */
export type StorageNeed = 'check before publish' | 'many objects';

/** Puts objects without bytes on the storage that was made last, in a quicker way than by its writers. */
export type FillStorage = (names: readonly string[]) => Promise<void>;

/** One case of the contract. */
export interface StorageCase {
  readonly name: string;
  /** A storage without one of these leaves the case out, and says why. */
  readonly needs?: readonly StorageNeed[];
  /**
   * Rejects when the storage breaks the contract. `makeStorage` gives one that is empty; the case closes it. A case that needs many
   * objects takes `fill` where it is given.
   */
  run(makeStorage: () => Promise<Storage>, fill?: FillStorage): Promise<void>;
}

/** The name where one is enough. */
export const objectName = 'object.holdfast';

/** UTF-8. */
export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Writes a whole object. */
export async function put(storage: Storage, name: string, text: string, copies = 1): Promise<StoredObject> {
  return putBytes(storage, name, bytesOf(text), copies);
}

/** Writes a whole object; none of it stays when that fails. */
export async function putBytes(storage: Storage, name: string, bytes: Uint8Array, copies = 1): Promise<StoredObject> {
  const writer = await storage.writer(name, { copies });
  try {
    await writer.write(bytes);
    return await writer.commit();
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

/** Reads all bytes. */
export async function readAll(access: RandomAccess): Promise<Uint8Array> {
  const bytes = new Uint8Array(access.sizeBytes);
  assert.equal(await access.read(0, bytes), bytes.length);
  return bytes;
}

/** Reads a whole object as text. */
export async function get(storage: Storage, name: string): Promise<string> {
  const access = await storage.open(name);
  try {
    return new TextDecoder().decode(await readAll(access));
  } finally {
    await access.close();
  }
}

/** Objects as they are listed. */
export async function listAll(storage: Storage, prefix?: string): Promise<StoredObject[]> {
  const objects: StoredObject[] = [];
  for await (const object of storage.list(prefix)) objects.push(object);
  return objects;
}

/** Names, sorted. */
export async function listNames(storage: Storage, prefix?: string): Promise<string[]> {
  const objects = await listAll(storage, prefix);
  return objects.map((object) => object.name).sort();
}

/** Passes when the promise rejects with the code. Another error is the cause of the one that is thrown then. */
export async function assertCode(promise: Promise<unknown>, code: ErrorCode): Promise<void> {
  let cause: unknown;
  try {
    await promise;
  } catch (error) {
    if (error instanceof HoldfastError && error.code === code) return;
    cause = error;
  }
  const found = cause instanceof HoldfastError ? `${cause.code} (${cause.message})` : String(cause ?? 'no error');
  throw Object.assign(new assert.AssertionError({ message: `${code} was expected, not ${found}` }), { cause });
}

/** Passes when the storage holds nothing, and says so of this name too. */
export async function assertAbsent(storage: Storage, name: string): Promise<void> {
  assert.deepEqual(await listNames(storage), []);
  await assertCode(storage.open(name), 'storage.not_found');
  await assertCode(storage.stat(name), 'storage.not_found');
}

/** A case that closes its storage. */
export function storageCase(
  title: string,
  body: (storage: Storage, fill?: FillStorage) => Promise<void>,
  needs?: readonly StorageNeed[],
): StorageCase {
  const run = async (makeStorage: () => Promise<Storage>, fill?: FillStorage) => {
    const storage = await makeStorage();
    try {
      await body(storage, fill);
    } finally {
      await storage.close();
    }
  };
  return needs ? { name: title, needs, run } : { name: title, run };
}
