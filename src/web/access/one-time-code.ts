import { createHmac, timingSafeEqual } from 'node:crypto';

/** One-time codes by time: RFC 6238 over RFC 4226, with SHA-1 and six digits, as authenticator apps have them. */

const stepMs = 30_000;
const digits = 6;
/** Clocks of phones are off by a step. */
const toleratedSteps = 1;
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** The step of time that a moment is in. */
export function codeStep(timeMs: number): number {
  return Math.floor(timeMs / stepMs);
}

/** The code of a step; RFC 4226 section 5.3. */
export function codeAt(key: Uint8Array, step: number, length = digits): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const mac = createHmac('sha1', key).update(counter).digest();
  const offset = (mac.at(-1) ?? 0) & 0xf;
  const number = mac.readUInt32BE(offset) & 0x7fff_ffff;
  return String(number % 10 ** length).padStart(length, '0');
}

/** The step that a code is of, around a moment; undefined where it is of none. All are compared, whichever fits. */
export function matchingStep(key: Uint8Array, code: string, timeMs: number): number | undefined {
  const given = Buffer.from(code.replace(/\s/g, ''), 'utf8');
  const now = codeStep(timeMs);
  let found: number | undefined;
  for (let step = now - toleratedSteps; step <= now + toleratedSteps; step++) {
    const expected = Buffer.from(codeAt(key, step), 'utf8');
    if (given.length === expected.length && timingSafeEqual(given, expected)) found = step;
  }
  return found;
}

/** Base32 without padding; RFC 4648. */
export function toBase32(bytes: Uint8Array): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  const groups = bits.match(/.{1,5}/g) ?? [];
  return groups.map((group) => alphabet[Number.parseInt(group.padEnd(5, '0'), 2)]).join('');
}

/** The bytes of a base32 text; what is no letter of it is passed over. */
export function fromBase32(text: string): Uint8Array {
  const values = [...text.toUpperCase()].map((letter) => alphabet.indexOf(letter)).filter((value) => value >= 0);
  const bits = values.map((value) => value.toString(2).padStart(5, '0')).join('');
  const bytes = bits.match(/.{8}/g) ?? [];
  return Uint8Array.from(bytes, (byte) => Number.parseInt(byte, 2));
}

/** What an authenticator app reads. */
export function codeUri(secret: string, userName: string, issuer = 'Holdfast'): string {
  const label = `${encodeURIComponent(issuer)}:${encodeURIComponent(userName)}`;
  return `otpauth://totp/${label}?secret=${secret}&issuer=${encodeURIComponent(issuer)}&algorithm=SHA1&digits=6&period=30`;
}
