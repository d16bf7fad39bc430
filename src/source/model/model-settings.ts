import { HoldfastError } from '../../errors.ts';
import type { ModelFiles } from './files/model-files.ts';
import type { ModelDescription } from './model-description.ts';

/** How a database is read as models. */
export interface ModelSettings {
  /** Globs on models that are left out; those of sessions and caches unless set. */
  readonly excludeModels?: readonly string[] | undefined;
  /** For a model, by its name, a condition in the SQL of its engine: only rows that fit are read. */
  readonly where?: Readonly<Record<string, string>> | undefined;
  /** `invoice:42`: that row, and all rows that it needs. */
  readonly row?: string;
  /** With `row`: the rows that belong to it, too, and what these need. */
  readonly withOwned?: boolean;
  /** What the application's ORM says of its models. */
  readonly descriptions?: readonly ModelDescription[];
  /** The files that rows own; they go along. */
  readonly files?: ModelFiles;
}

/** A row by the values of its primary key. */
export interface RowReference {
  readonly model: string;
  readonly key: readonly string[];
}

/** `invoice:42`, `membership:7,12`. Throws `usage.invalid`. */
export function parseRowChoice(text: string | undefined): RowReference | undefined {
  if (text === undefined) return undefined;
  const at = text.indexOf(':');
  const model = text.slice(0, Math.max(0, at));
  const key = text.slice(at + 1).split(',');
  if (at > 0 && key.every((part) => part !== '')) return { model, key };
  throw new HoldfastError('usage.invalid', {
    message: `${JSON.stringify(text)} names no row`,
    hint: 'write the model and its primary key, as invoice:42, or membership:7,12 for a key of two columns',
  });
}
