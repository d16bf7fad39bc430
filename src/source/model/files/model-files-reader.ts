import { HoldfastError } from '../../../errors.ts';
import type { Storage } from '../../../storage/storage.ts';
import type { SourceContext, SourceEntry } from '../../source.ts';
import { type Model, tableKey } from '../model.ts';
import { FileReferences } from './file-references.ts';
import { type FileTree, type FileTrees, planFileTrees } from './file-trees.ts';
import { type Closable, FolderFiles, type TreeReading } from './folder-files.ts';
import type { ModelFiles } from './model-files.ts';
import { storageFiles } from './storage-files.ts';
import { tapRows } from './tap-rows.ts';

/** What is read. */
export interface ModelFilesOptions {
  readonly files: ModelFiles;
  readonly models: readonly Model[];
  /** The database's name, under `models/`. */
  readonly name: string;
  readonly context: SourceContext;
  /** Whether folders that belong to models go along; not where only some rows were asked for. */
  readonly hasRoots: boolean;
}

/**
 * The files that rows own. While rows pass by, what they name is noted; once all were read, each file is read once. Rows and what they name are of one
 * moment; a file that is missing by then, or changes while it is read, is reported with the row.
 */
export class ModelFilesReader {
  readonly #options: ModelFilesOptions;
  readonly #planned: FileTrees;
  readonly #references: FileReferences;
  readonly #isOpen = new Set<Closable>();
  readonly #storages: Storage[] = [];
  /** Rows that are being read. */
  #openRows = 0;
  #isClosed = false;
  #onChange: (() => void) | undefined;

  constructor(options: ModelFilesOptions) {
    const { files, models, hasRoots, context, name } = options;
    this.#options = options;
    this.#planned = planFileTrees(files, models, { hasRoots });
    this.#references = new FileReferences(context.temporaryFolder, name);
  }

  /** The rows of a model, noting what they name. */
  tap(model: Model, bytes: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    const { context, name } = this.#options;
    const columns = this.#planned.columns.filter(({ table }) => table === tableKey(model.table));
    const tapped =
      columns.length === 0
        ? bytes
        : tapRows(bytes, {
            model,
            columns,
            references: this.#references,
            onRefused: ({ row, column, value, reason }) =>
              context.report({
                code: 'source.unsupported',
                path: `models/${name}/files`,
                message: `${row} names ${JSON.stringify(value.slice(0, 200))} in ${column}, which is not kept: ${reason}`,
              }),
          });
    this.#openRows += 1;
    return this.#counted(tapped);
  }

  /** Waits until fewer than so many rows are being read. */
  async hasRoomFor(atOnce: number): Promise<void> {
    const { signal } = this.#options.context;
    const wake = () => this.#onChange?.();
    signal?.addEventListener('abort', wake);
    try {
      while (this.#openRows >= atOnce) {
        if (this.#isClosed || signal?.aborted === true) throw new HoldfastError('operation.interrupted');
        await new Promise<void>((resolve) => {
          this.#onChange = resolve;
        });
      }
    } finally {
      signal?.removeEventListener('abort', wake);
    }
  }

  /** Every tree, once all rows were read. */
  async *entries(): AsyncGenerator<SourceEntry> {
    await this.hasRoomFor(1);
    const { name, files, context } = this.#options;
    for (const tree of this.#planned.trees) {
      const reading: TreeReading = {
        tree,
        archivePath: `models/${name}/files/${tree.name}`,
        references: this.#references,
        context,
        isOpen: this.#isOpen,
        exclude: files.exclude ?? (() => false),
      };
      if (tree.root !== undefined) yield* new FolderFiles(reading, tree.root).entries();
      else yield* storageFiles(reading, await this.#storage(tree));
    }
  }

  /** May be repeated. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#onChange?.();
    await Promise.all([...this.#isOpen].map((one) => one.close()));
    for (let storage = this.#storages.pop(); storage !== undefined; storage = this.#storages.pop())
      await storage.close();
    this.#references.close();
  }

  async *#counted(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    try {
      yield* bytes;
    } finally {
      this.#openRows -= 1;
      this.#onChange?.();
    }
  }

  async #storage({ storage = '' }: FileTree): Promise<Storage> {
    const given = this.#options.files.storages?.[storage];
    if (given === undefined)
      throw new HoldfastError('config.invalid', { message: `there is no media storage ${storage}` });
    if (typeof given !== 'function') return given;
    const opened = await given();
    this.#storages.push(opened);
    return opened;
  }
}
