import { HoldfastError } from '../../errors.ts';
import type { ModelFilesSettings } from './files/model-files.ts';
import type { Application } from './join-models.ts';
import type { ModelDescription } from './model-description.ts';

/** How a database is read as models. */
export interface ModelSettings {
  /** Globs on models that are left out, besides sessions and caches. */
  readonly excludeModels?: readonly string[] | undefined;
  /** For a model, by its name, a condition in the SQL of its engine: only rows that fit are read. */
  readonly where?: Readonly<Record<string, string>> | undefined;
  /** `invoice:42`: that row, and all rows that it needs. */
  readonly row?: string;
  /** With `row`: the rows that belong to it, too, and what these need. */
  readonly withOwned?: boolean;
  /** The application that says what its models are; the database alone does unless set. */
  readonly application?: Application;
  /** What more is known of the models, as an ORM would say it. */
  readonly descriptions?: readonly ModelDescription[];
  /** More than the application says of the files that rows own, and its media storages. */
  readonly files?: ModelFilesSettings;
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
