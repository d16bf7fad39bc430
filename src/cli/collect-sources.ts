import { realpath } from 'node:fs/promises';
import { basename, dirname, join, parse, relative, resolve, sep } from 'node:path';
import { catalogueFolder } from '../catalogue/catalogue-folder.ts';
import { isPartialName } from '../disk/partial-path.ts';
import type { CommandSourceOptions } from '../source/command/command-source.ts';
import type { DatabaseSourceOptions } from '../source/database-options.ts';
import { FilesSource } from '../source/files/files-source.ts';
import { sourceFromUrl } from '../source/parse-url.ts';
import type { Source } from '../source/source.ts';
import type { Storage } from '../storage/storage.ts';

/** A database to back up, with how it is kept where it says so. */
export type DatabaseRequest = { readonly url: string; readonly format?: 'holdfast' | 'plain' } & Omit<
  DatabaseSourceOptions,
  'url'
>;

/** A folder to back up; that of a media storage without what is being written there. */
export interface FilesRequest {
  readonly path: string;
  readonly name?: string;
  readonly isMedia?: boolean;
}

/** A media storage to back up. */
export interface MediaRequest {
  readonly name: string;
  readonly open: () => Promise<Storage>;
}

/** Something to back up, as the command line or the configuration names it. */
export type SourceRequest = DatabaseRequest | CommandSourceOptions | FilesRequest | MediaRequest;

/** Whether it becomes a tree of files in the archive. */
export function isTree(request: SourceRequest): request is FilesRequest | MediaRequest {
  return 'path' in request || 'open' in request;
}

/** What a run writes to the local disk, and no source may read. */
export interface LocalOutputs {
  /** Archives, and the history. */
  readonly paths: readonly string[];
  /** Folders of storages: their archives, those of earlier runs too, are no part of a tree that they lie in. Else each archive would hold all before it. */
  readonly storageFolders: readonly string[];
}

export const noOutputs: LocalOutputs = { paths: [], storageFolders: [] };

/** Makes the sources; where two databases, or two trees, have the same name, the later ones get `-2`, `-3`. */
export async function collectSources(
  requests: readonly SourceRequest[],
  local: LocalOutputs = noOutputs,
): Promise<Source[]> {
  const databaseNames = new Set<string>();
  const treeNames = new Set<string>();
  const sources: Source[] = [];
  for (const request of requests) {
    const taken = isTree(request) ? treeNames : databaseNames;
    // Files that rows name may be anywhere, and come with real paths.
    const exclude =
      isTree(request) && !('path' in request)
        ? () => false
        : await excluderOfAll(local, 'path' in request ? request.path : parse(process.cwd()).root);
    let source = await makeSource(request, exclude);
    const name = freeName(source.name, taken);
    if (name !== source.name) source = await makeSource({ ...request, name }, exclude);
    taken.add(name);
    sources.push(source);
  }
  return sources;
}

function freeName(name: string, taken: ReadonlySet<string>): string {
  if (!taken.has(name)) return name;
  let number = 2;
  while (taken.has(`${name}-${number}`)) number++;
  return `${name}-${number}`;
}

async function makeSource(request: SourceRequest, exclude: (absolutePath: string) => boolean): Promise<Source> {
  if ('url' in request) {
    const { url, format: _, models, ...settings } = request;
    const withFiles = models === undefined ? {} : { models: { ...models, files: { ...models.files, exclude } } };
    return await sourceFromUrl(url, { ...settings, ...withFiles });
  }
  if ('command' in request) {
    const { CommandSource } = await import('../source/command/command-source.ts');
    return new CommandSource(request);
  }
  if ('open' in request) {
    const { MediaSource } = await import('../source/media/media-source.ts');
    return new MediaSource({ name: request.name, storage: request.open });
  }
  const { path, name, isMedia = false } = request;
  const excludes = (absolutePath: string) =>
    exclude(absolutePath) || (isMedia && isPartialName(basename(absolutePath)));
  return new FilesSource({ path, exclude: excludes, ...(name === undefined ? {} : { name }) });
}

type Excluder = (absolutePath: string) => boolean;

async function excluderOfAll({ paths, storageFolders }: LocalOutputs, root: string): Promise<Excluder> {
  const excluders = await Promise.all([
    ...paths.map((path) => excluderOf(path, root)),
    ...storageFolders.map((folder) => archivesIn(folder, root)),
  ]);
  return (absolutePath) => excluders.some((excludes) => excludes(absolutePath));
}

async function archivesIn(folder: string, root: string): Promise<Excluder> {
  const realRoot = await realPathOf(root);
  const realFolder = await realPathOf(folder);
  return (absolutePath) => {
    const path = join(realRoot, relative(resolve(root), absolutePath));
    return path.endsWith('.holdfast') && basename(path) !== '.holdfast' && path.startsWith(`${realFolder}${sep}`);
  };
}

/** Storage folders that lie in a tree or are its root. */
export async function storageFoldersIn(root: string, storageFolders: readonly string[]): Promise<string[]> {
  const realRoot = await realPathOf(root);
  const found: string[] = [];
  for (const folder of storageFolders) {
    const realFolder = await realPathOf(folder);
    if (realFolder === realRoot || realFolder.startsWith(`${realRoot}${sep}`)) found.push(folder);
  }
  return found;
}

/**
 * A backup must not hold itself: answers true to the archive in a tree, to what is written beside it first, and to the catalogue that is written
 * to meanwhile. Links are resolved, so that it is found by whatever path the tree and the archive were named.
 */
async function excluderOf(output: string, root: string): Promise<Excluder> {
  const realRoot = await realPathOf(root);
  const outputFolder = await realPathOf(dirname(resolve(output)));
  return (absolutePath) => {
    const path = join(realRoot, relative(resolve(root), absolutePath));
    if (dirname(path) !== outputFolder) return false;
    const name = basename(path);
    return name === basename(output) || name === catalogueFolder || isPartialName(name);
  };
}

async function realPathOf(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch {
    // What is not there yet has no other path; reading or writing it tells.
    return resolve(path);
  }
}
