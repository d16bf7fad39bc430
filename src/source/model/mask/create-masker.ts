import { createHmac, hkdfSync } from 'node:crypto';
import { HoldfastError } from '../../../errors.ts';
import type { Mask } from './mask.ts';

/** One field of a model that has a mask, and what its column takes. */
export interface MaskedField {
  readonly field: string;
  readonly column: string;
  readonly mask: Mask;
  /** The column is NOT NULL. */
  readonly required: boolean;
  readonly maxLengthCharacters?: number;
}

/** What {@link createMasker} needs. */
export interface MaskerOptions {
  readonly model: string;
  readonly fields: readonly MaskedField[];
  /** Names of fields by column, for what masks see of a row; a column that is not here is seen by its own name. */
  readonly fieldNames?: Readonly<Record<string, string>>;
  /** From {@link maskKey}. */
  readonly key: Uint8Array;
}

/** A row, by column. */
export type MaskableRow = Readonly<Record<string, unknown>>;

/**
 * The key of an archive's masks, out of something that only this archive has and that who reads the masked rows has not: its data key.
 * HKDF-SHA-256 (RFC 5869).
 */
export function maskKey(secret: Uint8Array): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, new Uint8Array(), 'holdfast mask', 32));
}

/**
 * Gives what masks rows of one model. Rows are not changed; a new one is given.
 *
 * It throws `mask.failed` where a mask throws, gives nothing for a column that is NOT NULL, or more than the column takes. Messages name the field, and
 * never hold a value.
 */
export function createMasker(options: MaskerOptions): (row: MaskableRow) => MaskableRow {
  const { model, fields, key, fieldNames = {} } = options;
  const digest = (text: string): Uint8Array => createHmac('sha256', key).update(text).digest();
  return (row) => {
    const named = Object.fromEntries(
      Object.entries(row).map(([column, value]) => [fieldNames[column] ?? column, value]),
    );
    const masked: Record<string, unknown> = { ...row };
    for (const { field, column, mask, required, maxLengthCharacters } of fields) {
      if (!Object.hasOwn(row, column)) continue;
      const context = { model, field, row: named, maxLengthCharacters, digest };
      const value = apply(() => mask(row[column], context), model, field);
      checkResult(value, { model, field, required, maxLengthCharacters });
      masked[column] = value;
    }
    return masked;
  };
}

function apply(mask: () => unknown, model: string, field: string): unknown {
  try {
    return mask() ?? null;
  } catch (cause) {
    if (cause instanceof HoldfastError) throw cause;
    // Only the kind of the error is told: its message may hold the value that was to be hidden.
    const name = cause instanceof Error ? cause.name : typeof cause;
    throw new HoldfastError('mask.failed', {
      message: `the mask of ${model}.${field} threw ${name}`,
      hint: 'run the function on rows like these; it also gets null',
      context: { model, field },
    });
  }
}

interface Expected {
  readonly model: string;
  readonly field: string;
  readonly required: boolean;
  readonly maxLengthCharacters: number | undefined;
}

function checkResult(value: unknown, expected: Expected): void {
  const { model, field, required, maxLengthCharacters: limit } = expected;
  const fail = (reason: string) => {
    throw new HoldfastError('mask.failed', {
      message: `the mask of ${model}.${field} ${reason}`,
      hint: 'mend the mask in the *.backup.ts of this model; nothing was restored',
      context: { model, field },
    });
  };
  if (value === null && required) fail('gives no value, and the column is NOT NULL');
  if (value instanceof Promise) fail('gives a promise, and must not be async');
  if (typeof value === 'string' && limit !== undefined && [...value].length > limit) {
    fail(`gives more than the ${limit} characters that the column takes`);
  }
}
