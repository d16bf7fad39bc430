import { createCipheriv, createDecipheriv, createHash, hkdfSync } from 'node:crypto';
import { HoldfastError } from '../../errors.ts';
import type { Random } from '../../random.ts';
import type { Secret } from '../../secret.ts';

const nonceSizeBytes = 12;
const tagSizeBytes = 16;

interface SealingKey {
  /** Tells keys apart, and nothing about them. */
  readonly id: string;
  readonly bytes: Uint8Array;
}

/** Keys come from texts of at least 32 characters at random: a slow function would add nothing. */
function sealingKey(secret: Secret): SealingKey {
  const derive = (purpose: string, length: number) =>
    new Uint8Array(hkdfSync('sha256', secret.reveal(), new Uint8Array(), `holdfast web ${purpose}`, length));
  const id = createHash('sha256').update(derive('key id', 32)).digest('hex').slice(0, 8);
  return { id, bytes: derive('second factor', 32) };
}

/**
 * Seals the keys of second factors, so that whoever reads the history makes no codes: AES-256-GCM (NIST SP 800-38D) with a random nonce,
 * bound to the name of the user. A sealed text is `sealed1:KEY:BASE64`, where KEY tells which key it was.
 */
export class FactorSeal {
  readonly #keys: readonly SealingKey[];
  readonly #random: Random;

  /** The first secret seals, all of them open. */
  constructor(secrets: readonly Secret[], random: Random) {
    this.#keys = secrets.map(sealingKey);
    this.#random = random;
  }

  /** Whether a text is sealed, by whatever key. */
  static isSealed(text: string): boolean {
    return text.startsWith('sealed1:');
  }

  get canSeal(): boolean {
    return this.#keys.length > 0;
  }

  /** Whether a text stands as it would be written now. */
  isCurrent(text: string): boolean {
    return this.#keys[0] !== undefined && text.startsWith(`sealed1:${this.#keys[0].id}:`);
  }

  /** Throws `access.factor_locked` where there is no key. */
  seal(userName: string, factor: string): string {
    const [key] = this.#keys;
    if (key === undefined) {
      throw new HoldfastError('access.factor_locked', {
        message: 'there is no key that second factors can be sealed with',
        hint: 'set web.secret to 32 random characters or more, the same on every machine, or bring back web.key',
      });
    }
    const nonce = this.#random.bytes(nonceSizeBytes);
    const cipher = createCipheriv('aes-256-gcm', key.bytes, nonce).setAAD(Buffer.from(userName));
    const sealed = Buffer.concat([nonce, cipher.update(factor, 'utf8'), cipher.final(), cipher.getAuthTag()]);
    return `sealed1:${key.id}:${sealed.toString('base64')}`;
  }

  /** The factor; one that was never sealed as it stands. Throws `access.factor_locked`. */
  open(userName: string, text: string): string {
    if (!FactorSeal.isSealed(text)) return text;
    const [, id, encoded = ''] = text.split(':');
    const key = this.#keys.find((one) => one.id === id);
    if (key === undefined) throw new HoldfastError('access.factor_locked');
    const bytes = Buffer.from(encoded, 'base64');
    const nonce = bytes.subarray(0, nonceSizeBytes);
    const end = bytes.length - tagSizeBytes;
    try {
      const decipher = createDecipheriv('aes-256-gcm', key.bytes, nonce, { authTagLength: tagSizeBytes })
        .setAAD(Buffer.from(userName))
        .setAuthTag(bytes.subarray(end));
      return decipher.update(bytes.subarray(nonceSizeBytes, end), undefined, 'utf8') + decipher.final('utf8');
    } catch (cause) {
      // Somebody changed the row, or put that of another user in its place.
      throw new HoldfastError('access.factor_locked', {
        message: `the second factor of ${userName} was changed from outside`,
        hint: 'log in with a recovery code, and set it up anew',
        cause,
      });
    }
  }
}
