import type { Mask } from '../mask/mask.ts';

/** What `value`, `file` and `filePath` may say too. */
export interface FieldOptions {
  /** What takes the value's place in a restore with `--mask`. */
  readonly mask?: Mask;
}

/** How a column goes into a backup. */
export type FieldKind =
  /** Its value, and nothing else: what a column is unless something is said. */
  | { readonly kind: 'value'; readonly mask?: Mask }
  /** It names an object in a media storage of the configuration, whose bytes go along. */
  | { readonly kind: 'file'; readonly storage: string; readonly prefix: string; readonly mask?: Mask }
  /** It holds the path of a file below a folder; the file goes along. */
  | { readonly kind: 'filePath'; readonly root: string; readonly mask?: Mask }
  /** It is not backed up. A restore puts `value` into new rows; without one the column's default, or null, is there. */
  | { readonly kind: 'exclude'; readonly value?: ExcludedValue };

/** What a restore can put into a column that was not backed up. */
export type ExcludedValue = string | number | bigint | boolean | null;

/** A column whose value is backed up, which it is unless something is said: this is for a mask. */
export function value(options: FieldOptions = {}): FieldKind {
  return { kind: 'value', ...options };
}

/**
 * A column that names an object in a media storage: the object's bytes are backed up with the row.
 *
 * @param storage The name of a media storage of the configuration.
 * @param options `prefix`: what comes before the column's value in the object's name (`invoices/`); nothing unless set.
 */
export function file(storage: string, options: FieldOptions & { readonly prefix?: string } = {}): FieldKind {
  const { prefix = '', ...rest } = options;
  return { kind: 'file', storage, prefix, ...rest };
}

/**
 * A column that holds the path of a file: the file is backed up with the row.
 *
 * @param options `root`: the folder that relative paths start from, and that no path leads out of; relative to the configuration's.
 */
export function filePath(options: FieldOptions & { readonly root: string }): FieldKind {
  return { kind: 'filePath', ...options };
}

/**
 * A column that is not backed up: what can be made again, or must not be kept.
 *
 * @param options `value`: what a restore puts there. A column that is NOT NULL and has no default needs one.
 */
export function exclude(options: { readonly value?: ExcludedValue } = {}): FieldKind {
  return { kind: 'exclude', ...options };
}
