import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { link, open, readFile, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { makeStateFolder } from '../disk/state-folder.ts';
import { isSystemError } from '../disk/system-error.ts';
import { HoldfastError } from '../errors.ts';
import { systemRandom } from '../random.ts';
import { storageErrorFrom, syncFolder } from '../storage/durable-file.ts';

/**
 * The key that this machine signs its records with: a file of its own and not a part of the history, so that who has stolen the history can forge
 * nothing. It is made where it is missing, for its owner only. Throws `catalogue.invalid` for a file that is no such key, and `storage.*`.
 */
export async function signingKey(path: string): Promise<KeyObject> {
  return (await existingKey(path)) ?? (await makeKey(path));
}

/** The key where it is there already. Throws as {@link signingKey} does. */
export async function existingKey(path: string): Promise<KeyObject | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (isSystemError(error) && error.code === 'ENOENT') return undefined;
    throw storageErrorFrom(error, path);
  }
  try {
    const key = createPrivateKey(text);
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch {
    // What it is instead may be a secret: nothing of it is shown.
  }
  throw new HoldfastError('catalogue.invalid', {
    message: `${path} is no private key of Ed25519`,
    hint: 'move it away: a new one is made, and begins a chain of its own',
    context: { path },
  });
}

async function makeKey(path: string): Promise<KeyObject> {
  const { privateKey } = generateKeyPairSync('ed25519');
  const suffix = Buffer.from(systemRandom.bytes(6)).toString('hex');
  const aside = `${path}.${suffix}`;
  try {
    await makeStateFolder(dirname(path));
    try {
      await using file = await open(aside, 'wx', 0o600);
      await file.writeFile(privateKey.export({ format: 'pem', type: 'pkcs8' }));
      await file.sync();
      // A link replaces nothing: of two processes that make a key at once, one gets its own, and both use that.
      await link(aside, path);
    } finally {
      await rm(aside, { force: true });
    }
  } catch (error) {
    if (isSystemError(error) && error.code === 'EEXIST') return await signingKey(path);
    throw storageErrorFrom(error, path);
  }
  await syncFolder(dirname(path));
  return privateKey;
}
