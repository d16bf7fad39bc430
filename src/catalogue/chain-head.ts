import { HoldfastError } from '../errors.ts';
import type { ChainHead } from './catalogue-record.ts';

/** `chain:sequence:hash`, to be noted elsewhere. */
export function formatHead(chain: string, { sequence, hash }: ChainHead): string {
  return `${chain}:${sequence}:${hash}`;
}

/** Reads what {@link formatHead} gave. Throws `usage.invalid`. */
export function parseHead(text: string): ChainHead & { readonly chain: string } {
  const found = /^([0-9a-f]{16}):([1-9]\d{0,9}):([0-9a-f]{64})$/.exec(text.trim().toLowerCase());
  if (found === null) {
    throw new HoldfastError('usage.invalid', {
      message: 'a head of the catalogue is chain:sequence:hash',
      hint: 'see `holdfast catalogue heads`',
    });
  }
  const [, chain = '', digits = '', hash = ''] = found;
  return { chain, sequence: Number(digits), hash };
}
