/** An age v1 file of one X25519 recipient (C2SP age.md), with the randomness given, so that its bytes are known. */
import { createCipheriv, createHmac, createPrivateKey, createPublicKey, diffieHellman, hkdfSync } from 'node:crypto';

const privatePrefix = Buffer.from('302e020100300506032b656e04220420', 'hex');
const publicPrefix = Buffer.from('302a300506032b656e032100', 'hex');

function privateKey(secret: Buffer) {
  return createPrivateKey({ key: Buffer.concat([privatePrefix, secret]), format: 'der', type: 'pkcs8' });
}

/** The public key of an X25519 secret. */
export function recipientOf(secret: Buffer): Buffer {
  return createPublicKey(privateKey(secret)).export({ format: 'der', type: 'spki' }).subarray(-32);
}

function hkdf(key: Buffer, salt: Buffer, info: string): Buffer {
  return Buffer.from(hkdfSync('sha256', key, salt, info, 32));
}

function seal(key: Buffer, nonce: Buffer, bytes: Buffer): Buffer {
  const cipher = createCipheriv('chacha20-poly1305', key, nonce, { authTagLength: 16 });
  return Buffer.concat([cipher.update(bytes), cipher.final(), cipher.getAuthTag()]);
}

function base64(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '');
}

/** Encrypts a short plaintext (one chunk) to the recipient. */
export function ageFile(recipient: Buffer, plaintext: Buffer, random: (length: number) => Buffer): Buffer {
  const fileKey = random(16);
  const ephemeral = random(32);
  const share = recipientOf(ephemeral);
  const publicKey = createPublicKey({ key: Buffer.concat([publicPrefix, recipient]), format: 'der', type: 'spki' });
  const shared = diffieHellman({ privateKey: privateKey(ephemeral), publicKey });
  const wrapKey = hkdf(shared, Buffer.concat([share, recipient]), 'age-encryption.org/v1/X25519');
  const wrapped = base64(seal(wrapKey, Buffer.alloc(12), fileKey));
  const header = `age-encryption.org/v1\n-> X25519 ${base64(share)}\n${wrapped}\n---`;
  const code = createHmac('sha256', hkdf(fileKey, Buffer.alloc(0), 'header'))
    .update(header)
    .digest();
  const nonce = random(16);
  const lastChunk = Buffer.concat([Buffer.alloc(11), Buffer.from([1])]);
  const payload = seal(hkdf(fileKey, nonce, 'payload'), lastChunk, plaintext);
  return Buffer.concat([Buffer.from(`${header} ${base64(code)}\n`), nonce, payload]);
}

const alphabet = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l';

function polymod(values: readonly number[]): number {
  const generators = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];
  let sum = 1;
  for (const value of values) {
    const top = sum >>> 25;
    sum = ((sum & 0x1ffffff) << 5) ^ value;
    for (const [index, generator] of generators.entries()) if ((top >> index) & 1) sum ^= generator;
  }
  return sum;
}

/** A secret as age writes it: `AGE-SECRET-KEY-1…` (Bech32). */
export function identityOf(secret: Buffer): string {
  const name = 'age-secret-key-';
  const bits = [...secret].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  const values = (bits.match(/.{1,5}/g) ?? []).map((part) => Number.parseInt(part.padEnd(5, '0'), 2));
  const expanded = [...name]
    .map((c) => c.charCodeAt(0) >> 5)
    .concat(
      0,
      [...name].map((c) => c.charCodeAt(0) & 31),
    );
  const sum = polymod([...expanded, ...values, 0, 0, 0, 0, 0, 0]) ^ 1;
  const check = Array.from({ length: 6 }, (_, index) => (sum >> (5 * (5 - index))) & 31);
  return `${name}1${[...values, ...check].map((value) => alphabet[value]).join('')}`.toUpperCase();
}
