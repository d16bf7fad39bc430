/** The media storages of a configuration, for backups and restores. */
import { dirname, resolve } from 'node:path';
import type { LoadedConfig } from '../config/load-config.ts';
import { isMediaEnabled, type MediaGiven, splitMediaSettings } from '../config/media-given.ts';
import { nearestName } from '../config/nearest-name.ts';
import { HoldfastError } from '../errors.ts';
import type { MediaDestination } from '../operation/options.ts';
import { isStorage } from '../storage/is-storage.ts';
import type { Storage } from '../storage/storage.ts';
import type { SourceRequest } from './collect-sources.ts';
import type { CommandContext } from './command-context.ts';

/** The media storages with these names, whether they are enabled or not; all enabled ones where none is named. Throws `usage.invalid`. */
function chooseMedia({ config, file }: LoadedConfig, names: readonly string[] | undefined): [string, MediaGiven][] {
  const all = Object.entries(config.media ?? {});
  if (names === undefined) return all.filter(([, given]) => isMediaEnabled(given));
  return [...new Set(names)].map((name) => {
    const found = all.find(([known]) => known === name);
    if (found !== undefined) return found;
    const known = all.map(([one]) => one);
    const nearest = nearestName(name, known);
    const list = known.length === 0 ? `${file} has none: set media` : `the configuration has ${known.join(', ')}`;
    throw new HoldfastError('usage.invalid', {
      message: `there is no media storage ${name}`,
      hint: nearest === undefined ? list : `did you mean ${nearest}?`,
      context: { media: name, known },
    });
  });
}

/** What backs up media storages: of a folder on this machine, the folder. */
export function mediaRequests(
  loaded: LoadedConfig,
  names: readonly string[] | undefined,
  context: CommandContext,
): SourceRequest[] {
  return chooseMedia(loaded, names).map(([name, given]) => {
    if (!isStorage(given) && 'backend' in given && given.backend === 'local') {
      return { name, path: resolve(dirname(loaded.file), given.path), isMedia: true };
    }
    return { name, open: () => openOne(given, loaded, context) };
  });
}

/** What opens each media storage of a configuration; what is its own is not closed with others. */
export function mediaOpeners(
  loaded: LoadedConfig,
  context: CommandContext,
): Record<string, Storage | (() => Promise<Storage>)> {
  return Object.fromEntries(
    Object.entries(loaded.config.media ?? {}).map(([name, given]) => [
      name,
      isStorage(given) ? given : () => openOne(given, loaded, context),
    ]),
  );
}

async function openOne(given: MediaGiven, { file }: LoadedConfig, context: CommandContext): Promise<Storage> {
  if (isStorage(given)) return given;
  const { openStorage } = await import('../config/open-storage.ts');
  const { clock, environment, signal } = context;
  return await openStorage(splitMediaSettings(given).storage, { folder: dirname(file), clock, environment, signal });
}

/**
 * Opens the media storages that a command line names as `name`, or `tree=name`, and closes them after the work. Throws `usage.invalid`, and what opening
 * throws.
 */
export async function withMediaDestinations<Result>(
  texts: readonly string[] | undefined,
  context: CommandContext,
  work: (destinations: readonly MediaDestination[] | undefined) => Promise<Result>,
): Promise<Result> {
  if (texts === undefined) return await work(undefined);
  const { loadConfig } = await import('../config/load-config.ts');
  const loaded = await loadConfig('.', context.environment);
  const destinations: MediaDestination[] = [];
  try {
    for (const text of texts) {
      const [, tree, name = text] = /^([^=]+)=(.+)$/s.exec(text) ?? [];
      for (const [label, given] of chooseMedia(loaded, [name])) {
        const isPublic = !isStorage(given) && splitMediaSettings(given).url.makeFilesPublic === true;
        const storage = await openOne(given, loaded, context);
        destinations.push({ label, storage, isPublic, ...(tree === undefined ? {} : { tree }) });
      }
    }
    return await work(destinations);
  } finally {
    for (const { storage } of destinations) await storage.close();
  }
}
