import { lstat, readdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError, throwIfAborted } from '../../../errors.ts';
import type { Storage } from '../../../storage/storage.ts';
import { sourceError, systemCode } from '../../system-error.ts';
import { type Model, tableKey } from '../model.ts';
import type { ModelReader } from '../model-reader.ts';
import { FileReferences, type FoundFile } from './file-references.ts';
import { type FileTree, type FileTrees, planFileTrees } from './file-trees.ts';
import type { ModelFiles } from './model-files.ts';
import { tapRows } from './tap-rows.ts';

/** Findings of a kind that are listed one by one; the others are counted. */
const mostListed = 10_000;

/** A row that names a file which is not there, or none that can be kept. */
export interface RowWithoutFile {
  /** `invoice:42` */
  readonly row: string;
  readonly column: string;
  /** Below the root or in the storage; as the row has it where `reason` is said. */
  readonly path: string;
  /** Rows that name it, this one among them. */
  readonly rowCount: number;
  /** Why it names nothing that can be kept; absent where the file is not there. */
  readonly reason?: string;
}

/** What was found in one folder, or one media storage. */
export interface TreeAudit {
  readonly name: string;
  /** The folder, or `media:` and the storage's name. */
  readonly place: string;
  readonly fileCount: number;
  readonly sizeBytes: number;
  /** At most 10,000. */
  readonly rowsWithoutFiles: readonly RowWithoutFile[];
  readonly rowsWithoutFilesCount: number;
  /** At most 10,000. */
  readonly filesWithoutRows: readonly FoundFile[];
  readonly filesWithoutRowsCount: number;
  readonly filesWithoutRowsBytes: number;
}

/** What is compared. */
export interface FileAuditOptions {
  readonly reader: ModelReader;
  readonly models: readonly Model[];
  readonly files: ModelFiles;
  readonly temporaryFolder: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Compares what all rows name with what is there: first the rows of one moment are read, then the folders and the storages are listed. What an application
 * adds in between is found to have no row. Files of folders that go along whole need none. Throws `source.unreadable` for a folder that cannot be listed.
 */
export async function auditFiles(options: FileAuditOptions): Promise<TreeAudit[]> {
  const { files, models, temporaryFolder, signal } = options;
  const planned = planFileTrees(files, models, { hasRoots: true });
  const references = new FileReferences(temporaryFolder, 'audit');
  const refused = new Map<number, RowWithoutFile[]>();
  try {
    await readRows(options, planned, references, refused);
    const audits: TreeAudit[] = [];
    for (const tree of planned.trees) {
      const prefixes = planned.columns.filter((column) => column.tree === tree).map(({ prefix }) => prefix);
      if (prefixes.length === 0) continue;
      let [fileCount, sizeBytes] = [0, 0];
      for await (const found of filesOf(tree, prefixes, options)) {
        throwIfAborted(signal);
        if (!references.addFound(tree.index, found)) continue;
        fileCount += 1;
        sizeBytes += found.sizeBytes;
      }
      audits.push({
        name: tree.name,
        place: tree.root ?? `media:${tree.storage ?? ''}`,
        fileCount,
        sizeBytes,
        ...compare(tree, references, refused.get(tree.index) ?? []),
      });
    }
    return audits;
  } finally {
    references.close();
  }
}

async function readRows(
  { reader, models, signal }: FileAuditOptions,
  { columns }: FileTrees,
  references: FileReferences,
  refused: Map<number, RowWithoutFile[]>,
): Promise<void> {
  for (const model of models) {
    const own = columns.filter(({ table }) => table === tableKey(model.table));
    if (own.length === 0) continue;
    const tapped = tapRows(reader.rows(model, {}).bytes(signal), {
      model,
      columns: own,
      references,
      onRefused: ({ row, column, value, reason }) => {
        const tree = own.find((one) => one.column === column)?.tree.index ?? 0;
        const list = refused.get(tree) ?? [];
        refused.set(tree, list);
        // Beyond that they are counted no more: such a column holds no names of files.
        if (list.length < mostListed) list.push({ row, column, path: value.slice(0, 200), rowCount: 1, reason });
      },
    });
    for await (const _ of tapped) throwIfAborted(signal);
  }
}

function compare(tree: FileTree, references: FileReferences, refused: readonly RowWithoutFile[]) {
  const rowsWithoutFiles = [...refused];
  let rowsWithoutFilesCount = refused.length;
  for (const missing of references.missing(tree.index)) {
    rowsWithoutFilesCount += missing.rowCount;
    if (rowsWithoutFiles.length < mostListed) rowsWithoutFiles.push(missing);
  }
  const filesWithoutRows: FoundFile[] = [];
  let [filesWithoutRowsCount, filesWithoutRowsBytes] = [0, 0];
  for (const found of references.unnamed(tree.index)) {
    if (tree.whole.some((folder) => found.path.startsWith(`${folder}/`) || found.path === folder)) continue;
    filesWithoutRowsCount += 1;
    filesWithoutRowsBytes += found.sizeBytes;
    if (filesWithoutRows.length < mostListed) filesWithoutRows.push(found);
  }
  return { rowsWithoutFiles, rowsWithoutFilesCount, filesWithoutRows, filesWithoutRowsCount, filesWithoutRowsBytes };
}

/** What is there below the places that columns name. */
async function* filesOf(
  tree: FileTree,
  prefixes: readonly string[],
  { files }: FileAuditOptions,
): AsyncGenerator<FoundFile> {
  const { root } = tree;
  if (root !== undefined) {
    for (const prefix of new Set(prefixes)) yield* filesBelow(root, prefix);
    return;
  }
  const given = files.storages?.[tree.storage ?? ''];
  if (given === undefined)
    throw new HoldfastError('config.invalid', { message: `there is no media storage ${tree.storage}` });
  const storage: Storage = typeof given === 'function' ? await given() : given;
  try {
    for (const prefix of new Set(prefixes)) {
      for await (const { name, sizeBytes } of storage.list(prefix)) yield { path: name, sizeBytes };
    }
  } finally {
    if (typeof given === 'function') await storage.close();
  }
}

/** Regular files below a folder of a root; no link is followed. A folder that is not there holds none. */
async function* filesBelow(root: string, folder: string): AsyncGenerator<FoundFile> {
  let start: string;
  try {
    start = await realpath(root);
    await lstat(join(start, folder));
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return;
    throw sourceError(error, root);
  }
  const waiting = [folder];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const path = join(start, next);
    try {
      for (const entry of await readdir(path, { withFileTypes: true })) {
        const below = next === '' ? entry.name : `${next}/${entry.name}`;
        if (entry.isDirectory()) waiting.push(below);
        else if (entry.isFile()) yield { path: below, sizeBytes: (await lstat(join(start, below))).size };
      }
    } catch (error) {
      // It went while the others were listed.
      if (systemCode(error) === 'ENOENT') continue;
      throw sourceError(error, path);
    }
  }
}
