import { Secret } from '../secret.ts';
import type { DatabaseSourceOptions } from './database-options.ts';
import { engineOfUrl } from './engines.ts';
import type { Source } from './source.ts';

/** The same database as one plain dump. Throws `usage.invalid` as well for a setting that such a dump does not take. */
export async function plainSourceFromUrl(
  url: string | Secret,
  settings: Omit<DatabaseSourceOptions, 'url'> = {},
): Promise<Source> {
  const secret = typeof url === 'string' ? new Secret(url) : url;
  return await engineOfUrl(secret.reveal()).makePlainSource({ ...settings, url: secret });
}

/**
 * The database that a URL names, with the settings of its kind. Throws `usage.invalid`, which says what is supported.
 *
 * @example
 * const source = await sourceFromUrl('sqlite:data/app.db');
 */
export async function sourceFromUrl(
  url: string | Secret,
  settings: Omit<DatabaseSourceOptions, 'url'> = {},
): Promise<Source> {
  const secret = typeof url === 'string' ? new Secret(url) : url;
  const { models } = settings;
  if (models === undefined) return await engineOfUrl(secret.reveal()).makeSource({ ...settings, url: secret });
  const { ModelSource } = await import('./model/model-source.ts');
  return new ModelSource({ ...settings, models, url: secret });
}
