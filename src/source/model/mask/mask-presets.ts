import { HoldfastError } from '../../../errors.ts';
import { fillerWords, givenNames, surnames } from './filler.ts';
import type { Mask, MaskContext } from './mask.ts';

/** What a mask cannot do with a value or a column. The value itself is never told. */
function unsuitable(context: MaskContext, reason: string, hint: string): HoldfastError {
  return new HoldfastError('mask.failed', {
    message: `${context.model}.${context.field} cannot be masked: ${reason}`,
    hint,
    context: { model: context.model, field: context.field },
  });
}

/** A mask of texts: null stays null, anything else is refused. */
function textMask(mask: (text: string, context: MaskContext) => string): Mask {
  return (value, context) => {
    if (value === null || value === undefined) return null;
    if (typeof value === 'string') return mask(value, context);
    throw unsuitable(context, `it holds no text but a ${typeof value}`, 'use maskConstant, or a function of your own');
  };
}

function requireRoom(context: MaskContext, lengthCharacters: number): void {
  const { maxLengthCharacters: limit } = context;
  if (limit !== undefined && limit < lengthCharacters) {
    throw unsuitable(
      context,
      `${lengthCharacters} characters do not fit in ${limit}`,
      'use maskConstant, or a shorter mask',
    );
  }
}

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** A number below 2^32 out of a digest. */
function numberAt(bytes: Uint8Array, index: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(index * 4);
}

function pick(list: readonly string[], number: number): string {
  return list[number % list.length] ?? '';
}

/** Characters of a digest in an address: 64 bits, so that a unique column stays unique. */
const addressDigestCharacters = 16;
const shortestDigestCharacters = 8;

/**
 * E-mail addresses become addresses that no mail reaches: `user-3f9a…@example.com` (RFC 2606). Different ones stay different.
 *
 * @param options `domain`: another one, such as `staging.example.net`.
 */
export function maskEmail(options: { readonly domain?: string } = {}): Mask {
  const tail = `@${options.domain ?? 'example.com'}`;
  const head = 'user-';
  return textMask((text, context) => {
    requireRoom(context, head.length + shortestDigestCharacters + tail.length);
    const room = (context.maxLengthCharacters ?? Number.POSITIVE_INFINITY) - head.length - tail.length;
    return head + hexOf(context.digest(text)).slice(0, Math.min(addressDigestCharacters, room)) + tail;
  });
}

/**
 * Names of people become other names, two words or as many as `part` asks for. Different people may get the same one.
 *
 * @param options `part`: `full` unless set.
 */
export function maskName(options: { readonly part?: 'full' | 'given' | 'family' } = {}): Mask {
  const { part = 'full' } = options;
  return textMask((text, context) => {
    const digest = context.digest(text);
    const given = pick(givenNames, numberAt(digest, 0));
    const family = pick(surnames, numberAt(digest, 1));
    const name = { full: `${given} ${family}`, given, family }[part];
    return name.slice(0, context.maxLengthCharacters);
  });
}

const phoneDigits = 10;
const shortestPhoneDigits = 4;

/** Telephone numbers become numbers of the country code 999, which no country has (ITU-T E.164): `+9990123456789`. */
export function maskPhone(): Mask {
  const head = '+999';
  return textMask((text, context) => {
    requireRoom(context, head.length + shortestPhoneDigits);
    const digest = context.digest(text);
    const number = (BigInt(numberAt(digest, 0)) << 32n) | BigInt(numberAt(digest, 1));
    const room = (context.maxLengthCharacters ?? Number.POSITIVE_INFINITY) - head.length;
    return (
      head +
      String(number)
        .padStart(2 * phoneDigits, '0')
        .slice(-Math.min(phoneDigits, room))
    );
  });
}

/** Words enough for a stretch of text, cut to its length. */
function fillerOf(lengthCharacters: number, start: number): string {
  let filler = '';
  for (let index = start; filler.length < lengthCharacters; index++) filler += `${pick(fillerWords, index)} `;
  const cut = filler.slice(0, lengthCharacters);
  // A text that ends in a space would be cut by what trims it, and no longer have the length.
  return cut.replace(/ $/, '.');
}

/** Free text becomes filler of the same length, line by line: layouts meet what they meet in production. */
export function maskText(): Mask {
  return textMask((text, context) => {
    const digest = context.digest(text);
    return text
      .split(/(\r?\n)/)
      .map((line, index) => (index % 2 === 1 ? line : fillerOf(line.length, numberAt(digest, (index / 2) % 8) % 1000)))
      .join('');
  });
}

/** Every value becomes this one, null too. */
export function maskConstant(value: string | number | bigint | boolean | null): Mask {
  return () => value;
}

/**
 * Values become hexadecimal digits: what is only ever compared, such as tokens and customer numbers that are texts. Different ones stay different.
 *
 * @param options `lengthCharacters`: 32 unless set, from 8 to 64. `prefix`: what comes before them.
 */
export function maskHash(options: { readonly lengthCharacters?: number; readonly prefix?: string } = {}): Mask {
  const { lengthCharacters = 32, prefix = '' } = options;
  if (!Number.isInteger(lengthCharacters) || lengthCharacters < shortestDigestCharacters || lengthCharacters > 64) {
    throw new HoldfastError('config.invalid', {
      message: `maskHash cannot give ${lengthCharacters} characters`,
      hint: `set lengthCharacters to a whole number from ${shortestDigestCharacters} to 64`,
    });
  }
  return textMask((text, context) => {
    requireRoom(context, prefix.length + lengthCharacters);
    return prefix + hexOf(context.digest(text)).slice(0, lengthCharacters);
  });
}
