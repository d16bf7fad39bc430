import { basename, isAbsolute, relative, resolve, sep } from 'node:path';
import { HoldfastError } from '../../../errors.ts';
import { checkObjectName } from '../../../storage/object-name.ts';
import { type Model, tableKey } from '../model.ts';
import type { FileColumn, ModelFiles } from './model-files.ts';

/** A tree of files in the archive, `models/<database>/files/<name>`: a folder, or a media storage. */
export interface FileTree {
  /** Its place in the list of trees. */
  readonly index: number;
  readonly name: string;
  /** The folder, absolute; undefined for a media storage. */
  readonly root?: string;
  /** The name of the media storage. */
  readonly storage?: string;
  /** Folders in it that go along whole, relative to the root: `''` for all of it. None lies in another. */
  readonly whole: readonly string[];
}

/** What a value of a column names: a path below a tree, or why it names nothing that can be kept. */
export type NamedFile = { readonly path: string } | { readonly reason: string };

/** A column, and what its values name. */
export interface NamingColumn {
  readonly table: string;
  readonly column: string;
  readonly tree: FileTree;
  /** Relative to the tree: names begin with it. */
  readonly prefix: string;
  nameOf(value: string): NamedFile;
}

/** The trees that columns and folders of the models make; a folder within another is part of that one. */
export interface FileTrees {
  readonly trees: readonly FileTree[];
  readonly columns: readonly NamingColumn[];
}

/** The path below a folder, with `/`; undefined for what is not below it. */
function below(folder: string, path: string): string | undefined {
  const found = relative(folder, path);
  if (found === '..' || found.startsWith(`..${sep}`) || isAbsolute(found)) return undefined;
  return sep === '/' ? found : found.replaceAll(sep, '/');
}

/** Folders of a list that lie in no other of them. */
function outermost(folders: readonly string[]): string[] {
  const all = [...new Set(folders)];
  return all.filter((one) => !all.some((other) => other !== one && below(other, one) !== undefined));
}

/** What the models of a run need. Throws `config.invalid` for a column or a media storage that there is not. */
export function planFileTrees(files: ModelFiles, models: readonly Model[], options: { hasRoots: boolean }): FileTrees {
  const chosen = new Map(models.map((model) => [tableKey(model.table), model]));
  const columns = files.columns.filter(({ table }) => chosen.has(tableKey(table)));
  for (const { table, column } of columns) {
    const model = chosen.get(tableKey(table));
    if (model?.columns.some(({ name }) => name === column) === true) continue;
    throw new HoldfastError('config.invalid', { message: `${table.name} has no column ${column}, which names files` });
  }
  const roots = files.roots.filter(({ table }) => options.hasRoots && chosen.has(tableKey(table)));
  const absolute = (path: string) => resolve(files.folder, path);
  const whole = outermost(roots.map(({ path }) => absolute(path)));
  const ofColumns = columns.flatMap(({ place }) => (place.kind === 'filePath' ? [absolute(place.root)] : []));
  const taken = new Set<string>();
  const trees: FileTree[] = [];
  for (const root of outermost([...ofColumns, ...whole])) {
    const said = roots.find(({ path }) => absolute(path) === root)?.name;
    const name = freeName(said ?? (basename(root) || 'root'), taken);
    const inside = whole.map((folder) => below(root, folder)).filter((path) => path !== undefined);
    trees.push({ index: trees.length, name, root, whole: inside });
  }
  const storages = columns.flatMap(({ place }) => (place.kind === 'file' ? [place.storage] : []));
  for (const storage of new Set(storages)) {
    if (files.storages === undefined || !Object.hasOwn(files.storages, storage)) {
      throw new HoldfastError('config.invalid', {
        message: `there is no media storage ${storage}, which a column names`,
      });
    }
    trees.push({ index: trees.length, name: freeName(storage, taken), storage, whole: [] });
  }
  return { trees, columns: columns.map((column) => namingColumn(column, trees, files.folder)) };
}

function freeName(wanted: string, taken: Set<string>): string {
  const name = wanted.replace(/[/\0]/g, '_').replace(/^\.{1,2}$/, '_');
  let free = name;
  for (let number = 2; taken.has(free); number++) free = `${name}-${number}`;
  taken.add(free);
  return free;
}

function namingColumn({ table, column, place }: FileColumn, trees: readonly FileTree[], folder: string): NamingColumn {
  const base = place.kind === 'filePath' ? resolve(folder, place.root) : '';
  const tree = trees.find(({ root, storage }) =>
    place.kind === 'file' ? storage === place.storage : root !== undefined && below(root, base) !== undefined,
  );
  if (tree === undefined) throw new HoldfastError('config.invalid', { message: `${column} names no tree of files` });
  const nameOf =
    place.kind === 'file'
      ? (value: string) => objectNamed(place.prefix + value)
      : (value: string) => fileNamed(value, base, tree.root ?? base);
  const inTree = place.kind === 'file' ? place.prefix : (below(tree.root ?? base, base) ?? '');
  return { table: tableKey(table), column, tree, prefix: inTree, nameOf };
}

function fileNamed(value: string, base: string, root: string): NamedFile {
  if (value.includes('\0')) return { reason: 'it holds a NUL' };
  const absolute = resolve(base, value);
  const path = below(base, absolute);
  if (path === undefined) return { reason: `it leads out of ${base}` };
  if (path === '') return { reason: 'it names the folder itself' };
  return { path: below(root, absolute) ?? path };
}

function objectNamed(name: string): NamedFile {
  try {
    checkObjectName(name);
    return { path: name };
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    return { reason: error.message };
  }
}
