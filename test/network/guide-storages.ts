import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseConfig } from '../../src/config/parse-config.ts';
import { namedStorages, type StorageSettings } from '../../src/config/storage-settings.ts';

/**
 * The storages in the configuration that a guide shows, by name, after it went through the parser as a file of a user does. Other
 * blocks of the guide are left alone.
 */
export async function guideStorages(
  guide: string,
  options: { environment: Record<string, string>; folder: string },
): Promise<Record<string, StorageSettings>> {
  const text = readFileSync(new URL(`../../docs/guides/${guide}`, import.meta.url), 'utf8');
  const block = /```ts\n(.*?)```/s.exec(text)?.[1];
  if (block === undefined) throw new Error(`${guide} has no configuration`);
  const path = join(options.folder, `${guide.replace('.md', '')}.config.ts`);
  const index = new URL('../../src/config/define-config.ts', import.meta.url).href;
  writeFileSync(path, block.replace("'holdfast'", JSON.stringify(index)));
  const { default: value } = (await import(pathToFileURL(path).href)) as { default: unknown };
  const { storage } = parseConfig(value, options.environment, guide);
  if (storage === undefined) throw new Error(`${guide} names no storage`);
  return Object.fromEntries(namedStorages(storage)) as Record<string, StorageSettings>;
}
