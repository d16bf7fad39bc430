import { createHash } from 'node:crypto';
import { bech32m } from '@scure/base';
import { HoldfastError } from '../errors.ts';
import { type Random, systemRandom } from '../random.ts';
import { Secret } from '../secret.ts';

/** Shares of a key: `docs/reference/key-shares.md`. */

const prefix = 'hfshare';
const version = 1;
const setSizeBytes = 4;
const headSizeBytes = 1 + setSizeBytes + 2;
const digestSizeBytes = 4;
/** Secrets are filled up to a multiple of this, so that a share does not tell how long a passphrase is. */
const paddingBytes = 32;
const longestSecretBytes = 1024;

/** What was split. */
export type KeyShareKind = 'passphrase' | 'identity';

/** One share, as it was read from its text. */
export interface KeyShare {
  /** The same in all shares of one key: hex. */
  readonly set: string;
  /** How many shares give the key. */
  readonly threshold: number;
  readonly number: number;
  readonly bytes: Uint8Array;
}

/** How {@link splitKey} splits. */
export interface SplitKeyOptions {
  /** 2 to 255. */
  readonly shares: number;
  /** How many of them are needed, 2 at least. */
  readonly threshold: number;
  readonly random?: Random;
}

const invalid = (message: string, hint: string) => new HoldfastError('key.invalid', { message, hint });

/**
 * Splits a passphrase or an age identity, by Shamir's scheme over GF(2^8): `threshold` shares give it, fewer tell nothing about it.
 * Each share is a line of text with a checksum of its own. Throws `usage.invalid`, `key.invalid`.
 *
 * @example
 * const shares = await splitKey(new Secret('correct horse battery staple'), { shares: 5, threshold: 3 });
 * const { key } = await joinKey(shares.slice(0, 3));
 */
export async function splitKey(key: Secret, options: SplitKeyOptions): Promise<Secret[]> {
  const { shares, threshold, random = systemRandom } = options;
  const areWhole = Number.isInteger(shares) && Number.isInteger(threshold);
  if (!areWhole || threshold < 2 || threshold > shares || shares > 255) {
    throw new HoldfastError('usage.invalid', { message: 'shares are 2 to 255, and the threshold is 2 to as many' });
  }
  const text = Buffer.from(key.reveal(), 'utf8');
  if (text.length === 0 || text.length > longestSecretBytes)
    throw invalid('a key to split has 1 to 1,024 bytes', 'split another one');
  const filled = Math.ceil((digestSizeBytes + 2 + text.length) / paddingBytes) * paddingBytes;
  const plain = Buffer.alloc(filled);
  plain.set(digestOf(text), 0);
  plain.writeUInt16BE(text.length, digestSizeBytes);
  plain.set(text, digestSizeBytes + 2);
  const { split, combine } = await import('shamir-secret-sharing');
  const parts = await split(new Uint8Array(plain), shares, threshold);
  const set = random.bytes(setSizeBytes);
  const written = parts.map((part, index) => encodeShare({ set, threshold, number: index + 1, part }));
  // Shares that do not give the key back would be found out on the worst day.
  for (let first = 0; first + threshold <= parts.length; first++) {
    const again = await combine(parts.slice(first, first + threshold));
    if (!plain.equals(again))
      throw new HoldfastError('operation.failed', { message: 'the shares do not give the key back' });
  }
  return written;
}

function digestOf(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest().subarray(0, digestSizeBytes);
}

function encodeShare(share: { set: Uint8Array; threshold: number; number: number; part: Uint8Array }): Secret {
  const bytes = Uint8Array.from([version, ...share.set, share.threshold, share.number, ...share.part]);
  return new Secret(bech32m.encode(prefix, bech32m.toWords(bytes), false));
}

/** Reads the text of a share; spaces and line ends do not count. Throws `key.invalid`, which never quotes it. */
export function readKeyShare(text: Secret): KeyShare {
  const line = text
    .reveal()
    .replace(/[\s-]+/g, '')
    .toLowerCase();
  const decoded = bech32m.decodeUnsafe(line, false);
  if (decoded === undefined || decoded.prefix !== prefix) {
    throw invalid('a share is mistyped, or none', 'compare it with its sheet: it begins with hfshare1');
  }
  const bytes = bech32m.fromWordsUnsafe(decoded.words);
  if (bytes === undefined || bytes.length < headSizeBytes + paddingBytes + 1)
    throw invalid('a share is too short', 'compare it with its sheet');
  if (bytes[0] !== version) throw invalid('a share is of a later version', 'update Holdfast');
  const set = Buffer.from(bytes.subarray(1, 1 + setSizeBytes)).toString('hex');
  const [threshold = 0, number = 0] = bytes.subarray(1 + setSizeBytes, headSizeBytes);
  if (threshold < 2 || number < 1) throw invalid('a share says of itself what cannot be', 'compare it with its sheet');
  return { set, threshold, number, bytes: bytes.subarray(headSizeBytes) };
}

function isAlike(one: KeyShare, other: KeyShare): boolean {
  return one.threshold === other.threshold && one.bytes.length === other.bytes.length;
}

/** Gives back what was split. Throws `key.invalid`: too few shares, or shares of different keys. */
export async function joinKey(
  texts: readonly Secret[],
): Promise<{ readonly key: Secret; readonly kind: KeyShareKind }> {
  const shares = texts.map(readKeyShare);
  const [first] = shares;
  if (first === undefined) throw invalid('there are no shares', 'give as many as their sheets ask for');
  const stranger = shares.find(({ set }) => set !== first.set);
  if (stranger !== undefined)
    throw invalid(
      `share ${stranger.number} is of another key than share ${first.number}`,
      'shares of one key begin with the same letters: give those that do',
    );
  if (!shares.every((share) => isAlike(share, first))) throw invalid('the shares do not belong together', 'try others');
  const byNumber = new Map(shares.map((share) => [share.number, share]));
  if (byNumber.size < first.threshold) {
    const missing = first.threshold - byNumber.size;
    throw invalid(
      `${byNumber.size} of ${first.threshold} shares are there: ${missing} more ${missing === 1 ? 'is' : 'are'} needed`,
      'give a different share with each --share-file',
    );
  }
  // Each was taken at another place: the last byte.
  const places = new Set([...byNumber.values()].map(({ bytes }) => bytes.at(-1)));
  if (places.size < byNumber.size || places.has(0)) throw invalid('the shares do not belong together', 'try others');
  const { combine } = await import('shamir-secret-sharing');
  const parts = [...byNumber.values()].slice(0, first.threshold).map(({ bytes }) => new Uint8Array(bytes));
  const plain = Buffer.from(await combine(parts));
  const text = plain.subarray(digestSizeBytes + 2, digestSizeBytes + 2 + plain.readUInt16BE(digestSizeBytes));
  if (!plain.subarray(0, digestSizeBytes).equals(digestOf(text)))
    throw invalid('the shares do not belong together', 'try others');
  const key = text.toString('utf8');
  return { key: new Secret(key), kind: /^AGE-SECRET-KEY-1/i.test(key) ? 'identity' : 'passphrase' };
}
