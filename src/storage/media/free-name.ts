import { posix } from 'node:path';
import type { Random } from '../../random.ts';

/** The longest name of a file, in bytes, on the file systems in use. */
const nameLimitBytes = 255;
const suffixBytes = 5;
const letters = 'abcdefghijklmnopqrstuvwxyz234567';

/** Forty random bits as eight letters and digits, all of which any file system takes. */
function suffix(random: Random): string {
  let bits = 0n;
  for (const byte of random.bytes(suffixBytes)) bits = bits * 256n + BigInt(byte);
  return Array.from({ length: 8 }, (_, index) => letters[Number((bits >> BigInt(index * 5)) & 31n)]).join('');
}

/**
 * A name like this one that nothing has: with a random suffix before its extension. It is cut where it would be too long for a file.
 *
 * @example suffixedName('photos/cat.png', systemRandom) // 'photos/cat_k3zq7a2m.png'
 */
export function suffixedName(name: string, random: Random): string {
  const { dir, name: stem, ext } = posix.parse(name);
  // What is longer than any extension is none.
  const [head, extension] = Buffer.byteLength(ext) > 32 ? [stem + ext, ''] : [stem, ext];
  const end = `_${suffix(random)}${extension}`;
  const characters = [...head];
  while (Buffer.byteLength(characters.join('')) + Buffer.byteLength(end) > nameLimitBytes) characters.pop();
  return `${dir === '' ? '' : `${dir}/`}${characters.join('')}${end}`;
}
