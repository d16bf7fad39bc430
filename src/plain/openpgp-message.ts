import type { MaybeStream, Message, PrivateKey, PublicKey, SessionKey } from 'openpgp';
import { systemWait } from '../clock.ts';
import { HoldfastError, throwIfAborted } from '../errors.ts';
import type { Random } from '../random.ts';
import type { Secret } from '../secret.ts';

/** Whom a message is encrypted to. */
export interface OpenPgpSealKeys {
  readonly passphrases?: readonly Secret[];
  /** Files of public keys, as `gpg --export` writes them, with or without `--armor`. */
  readonly openpgpKeys?: readonly Uint8Array[];
}

/** What opens a message: a passphrase of its own, or a secret key, whose own passphrase is looked for among these. */
export interface OpenPgpOpenKeys {
  readonly passphrases?: readonly Secret[];
  /** Files of secret keys, as `gpg --export-secret-keys` writes them. */
  readonly openpgpKeys?: readonly Uint8Array[];
}

/** A message on its way out, and what reads it back: the one who seals for public keys alone could not. */
export interface SealedMessage {
  readonly bytes: AsyncIterable<Uint8Array>;
  readonly sessionKey: SessionKey;
}

const armorHead = '-----BEGIN PGP ';
const sessionKeySizeBytes = 32;

async function load(): Promise<typeof import('openpgp')> {
  return await import('openpgp');
}

/** Whether a file begins as an encrypted OpenPGP message does (RFC 9580, 4.2, 5.1 and 5.3), in ASCII armor or not. */
export function isOpenPgp(head: Uint8Array): boolean {
  if (Buffer.from(head.subarray(0, armorHead.length)).toString('latin1') === armorHead) return true;
  const [first = 0] = head;
  const isNew = (first & 0xc0) === 0xc0;
  if ((first & 0x80) === 0) return false;
  const tag = isNew ? first & 0x3f : (first >> 2) & 0x0f;
  const lengthBytes = isNew ? ((head[1] ?? 0) < 192 ? 1 : 2) : 1 << (first & 0x03);
  const version = head[1 + lengthBytes];
  if (tag === 1) return version === 3 || version === 6;
  return tag === 3 && version !== undefined && version >= 4 && version <= 6;
}

function isArmored(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.subarray(0, 4096)).toString('latin1').includes(armorHead);
}

/** Throws `key.invalid`. */
async function readPublicKeys(files: readonly Uint8Array[]): Promise<PublicKey[]> {
  const { readKeys } = await load();
  const keys: PublicKey[] = [];
  for (const file of files) {
    try {
      const found = isArmored(file)
        ? await readKeys({ armoredKeys: Buffer.from(file).toString('latin1') })
        : await readKeys({ binaryKeys: file });
      for (const key of found) {
        // A key that cannot take a message now is found out before anything is read.
        await key.getEncryptionKey();
        keys.push(key);
      }
    } catch (cause) {
      throw new HoldfastError('key.invalid', {
        message: `an OpenPGP key cannot be used: ${cause instanceof Error ? cause.message : String(cause)}`,
        hint: 'give a public key that encrypts and has not expired, as `gpg --export` writes it',
        cause,
      });
    }
  }
  return keys;
}

/** Throws `key.invalid` for files of which one holds no public key that encrypts now. */
export async function checkPublicKeys(files: readonly Uint8Array[]): Promise<void> {
  await readPublicKeys(files);
}

/** Throws `key.invalid`, `key.wrong`. */
async function readSecretKeys({ openpgpKeys = [], passphrases = [] }: OpenPgpOpenKeys): Promise<PrivateKey[]> {
  const { readPrivateKeys, decryptKey } = await load();
  const unlocked: PrivateKey[] = [];
  for (const file of openpgpKeys) {
    let keys: PrivateKey[];
    try {
      keys = isArmored(file)
        ? await readPrivateKeys({ armoredKeys: Buffer.from(file).toString('latin1') })
        : await readPrivateKeys({ binaryKeys: file });
    } catch (cause) {
      throw new HoldfastError('key.invalid', {
        message: 'a file given as OpenPGP key holds no secret key',
        hint: 'write one with `gpg --export-secret-keys`',
        cause,
      });
    }
    for (const privateKey of keys) {
      if (privateKey.isDecrypted()) {
        unlocked.push(privateKey);
        continue;
      }
      const passphrase = passphrases.map((secret) => secret.reveal());
      try {
        unlocked.push(await decryptKey({ privateKey, passphrase }));
      } catch (cause) {
        throw new HoldfastError(passphrase.length === 0 ? 'key.missing' : 'key.wrong', {
          message: 'the OpenPGP secret key is locked, and no passphrase given unlocks it',
          hint: 'set $HOLDFAST_PASSPHRASE to the passphrase of the secret key',
          cause,
        });
      }
    }
  }
  return unlocked;
}

/**
 * Encrypts a stream to an OpenPGP message that `gpg` reads: AES-256 with a modification detection code. Memory: some chunks. Throws
 * `key.invalid`.
 */
export async function sealMessage(
  bytes: AsyncIterable<Uint8Array>,
  keys: OpenPgpSealKeys,
  random: Random,
): Promise<SealedMessage> {
  const { createMessage, encrypt, enums } = await load();
  const encryptionKeys = await readPublicKeys(keys.openpgpKeys ?? []);
  const sessionKey: SessionKey = { data: random.bytes(sessionKeySizeBytes), algorithm: 'aes256' };
  const message = await createMessage({ binary: toStream(bytes), format: 'binary' });
  const encrypted = await encrypt({
    message,
    encryptionKeys,
    passwords: (keys.passphrases ?? []).map((secret) => secret.reveal()),
    sessionKey,
    format: 'binary',
    config: {
      aeadProtect: false,
      preferredCompressionAlgorithm: enums.compression.uncompressed,
    },
  });
  return { bytes: encrypted as unknown as AsyncIterable<Uint8Array>, sessionKey };
}

/** What opens a message that was sealed here. */
export type MessageKeys = OpenPgpOpenKeys | { readonly sessionKey: SessionKey };

/**
 * Decrypts a message as it comes: whether it is whole is known at its end only, so nothing may be done with the bytes until then. Throws
 * `key.missing`, `key.wrong`, `key.invalid`, and `archive.damaged` for one that was cut or changed.
 */
export async function* openMessage(
  bytes: AsyncIterable<Uint8Array>,
  options: { readonly armored: boolean; readonly keys: MessageKeys; readonly signal?: AbortSignal | undefined },
): AsyncGenerator<Uint8Array> {
  const { keys, signal } = options;
  const failed: { error?: unknown } = {};
  const reading: Reading = { count: 0, isUnderWay: false };
  const source = toStream(kept(bytes, failed), reading);
  let stream: AsyncIterable<Uint8Array>;
  try {
    stream = await orStalled(decryptStream(source, options), reading);
  } catch (error) {
    throwIfAborted(signal);
    if (failed.error !== undefined) throw failed.error;
    throw keyError(error, keys);
  }
  let isBegun = false;
  try {
    const iterator = stream[Symbol.asyncIterator]();
    for (;;) {
      const { done, value } = await orStalled(iterator.next(), reading);
      if (done === true) return;
      throwIfAborted(signal);
      isBegun ||= value.length > 0;
      yield value;
    }
  } catch (error) {
    throwIfAborted(signal);
    if (failed.error !== undefined) throw failed.error;
    // What a wrong passphrase gives seldom looks like a message, and then not for long.
    if (!isBegun) throw keyError(error, keys);
    throw new HoldfastError('archive.damaged', {
      message: `the OpenPGP message was cut or changed: ${error instanceof Error ? error.message : String(error)}`,
      hint: 'use another copy of the file; where gpg made it with a passphrase, check that first',
      cause: error,
    });
  }
}

async function decryptStream(
  source: ReadableStream<Uint8Array>,
  { armored, keys }: { readonly armored: boolean; readonly keys: MessageKeys },
): Promise<AsyncIterable<Uint8Array>> {
  const { readMessage, decrypt } = await load();
  // Else the whole message is held in memory until it is found whole.
  const config = { allowUnauthenticatedStream: true };
  // A key that cannot be used is told before anything is read.
  const secretKeys = 'sessionKey' in keys ? [] : await readSecretKeys(keys);
  const message = armored
    ? await readMessage({ armoredMessage: toStream(asText(source)), config })
    : await readMessage({ binaryMessage: source, config });
  const sessionKeys = 'sessionKey' in keys ? [keys.sessionKey] : await sessionKeysOf(message, keys, secretKeys);
  const { data } = await decrypt({ message, sessionKeys, format: 'binary', config });
  return data as unknown as AsyncIterable<Uint8Array>;
}

/** The library takes secret keys or passphrases, not both: a message may be for either. */
async function sessionKeysOf(
  message: Message<MaybeStream<string | Uint8Array>>,
  { passphrases = [] }: OpenPgpOpenKeys,
  decryptionKeys: readonly PrivateKey[],
): Promise<SessionKey[]> {
  const { decryptSessionKeys } = await load();
  const passwords = passphrases.map((secret) => secret.reveal());
  if (decryptionKeys.length === 0) return await keysFrom({ passwords });
  try {
    return await keysFrom({ decryptionKeys: [...decryptionKeys] });
  } catch (error) {
    if (passwords.length === 0) throw error;
    return await keysFrom({ passwords }).catch(() => {
      throw error;
    });
  }

  async function keysFrom(given: { decryptionKeys?: PrivateKey[]; passwords?: string[] }): Promise<SessionKey[]> {
    const found = await decryptSessionKeys({ message, ...given });
    return found.map(({ data, algorithm }) => ({ data, algorithm }) as SessionKey);
  }
}

const wrongKeyHint =
  'check the passphrase, or give the secret key with --openpgp-key; where the key is right, the file begins damaged';

function keyError(error: unknown, keys: MessageKeys): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const isForKey =
    /No public key encrypted session key|No symmetrically encrypted session key|No decryption key packets/;
  const given = 'sessionKey' in keys ? 1 : (keys.passphrases?.length ?? 0) + (keys.openpgpKeys?.length ?? 0);
  if (given === 0) return new HoldfastError('key.missing', { message: 'the file is encrypted', cause: error });
  return new HoldfastError('key.wrong', {
    message: isForKey.test(message)
      ? 'the file is encrypted for other keys than those given'
      : `the key does not open this file (${message})`,
    hint: wrongKeyHint,
    cause: error,
  });
}

/** What the library has asked for of a file. */
interface Reading {
  count: number;
  isUnderWay: boolean;
}

const stallCheckMs = 1_000;
const stallChecks = 5;

/**
 * The library waits for ever for some of what a wrong passphrase makes of a message: it neither reads on nor comes back. That is an end
 * too.
 */
async function orStalled<Value>(work: Promise<Value>, reading: Reading): Promise<Value> {
  const done = new AbortController();
  const watch = async (): Promise<never> => {
    let quietChecks = 0;
    for (let seen = -1; quietChecks < stallChecks; seen = reading.count) {
      await systemWait(stallCheckMs, done.signal);
      quietChecks = reading.isUnderWay || reading.count !== seen ? 0 : quietChecks + 1;
    }
    throw new HoldfastError('key.wrong', {
      message: 'the key does not open this file (what it makes of it has no end)',
      hint: wrongKeyHint,
    });
  };
  const stalled = watch();
  stalled.catch(() => undefined);
  try {
    return await Promise.race([work, stalled]);
  } finally {
    done.abort();
  }
}

/** The bytes, and what they throw: the library tells of failures in words of its own. */
async function* kept(bytes: AsyncIterable<Uint8Array>, failed: { error?: unknown }): AsyncGenerator<Uint8Array> {
  try {
    yield* bytes;
  } catch (error) {
    failed.error = error;
    throw error;
  }
}

async function* asText(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  for await (const chunk of bytes) yield Buffer.from(chunk).toString('latin1');
}

function toStream<Chunk extends Uint8Array | string>(
  bytes: AsyncIterable<Chunk>,
  reading: Reading = { count: 0, isUnderWay: false },
): ReadableStream<Chunk> {
  const iterator = bytes[Symbol.asyncIterator]();
  return new ReadableStream<Chunk>({
    async pull(controller) {
      reading.count += 1;
      reading.isUnderWay = true;
      const { done, value } = await iterator.next();
      reading.isUnderWay = false;
      if (done === true) controller.close();
      // The memory of a chunk is used again after the next one was asked for.
      else controller.enqueue((typeof value === 'string' ? value : new Uint8Array(value)) as Chunk);
    },
    async cancel() {
      await iterator.return?.();
    },
  });
}
