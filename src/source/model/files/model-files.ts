import type { Storage } from '../../../storage/storage.ts';
import type { TableName } from '../model-description.ts';
import type { PlannedModel } from '../registry/merge-registry.ts';

/** Where the files are that a column names. */
export type FilePlace =
  /** Objects of a media storage; `prefix` comes before the column's value. */
  | { readonly kind: 'file'; readonly storage: string; readonly prefix: string }
  /** Files below a folder. */
  | { readonly kind: 'filePath'; readonly root: string };

/** A column whose values name files. */
export interface FileColumn {
  readonly table: TableName;
  readonly column: string;
  readonly place: FilePlace;
}

/** A folder that goes along with a model, whatever its rows name. */
export interface ModelFileRoot {
  readonly table: TableName;
  readonly path: string;
  /** The tree's name in the archive: its folder's unless set. */
  readonly name?: string;
}

/** The files that rows of a database own. */
export interface ModelFiles {
  readonly columns: readonly FileColumn[];
  readonly roots: readonly ModelFileRoot[];
  /** Where relative paths of folders start from. */
  readonly folder: string;
  /** The media storages that columns name, or what opens each when it is needed; such a one is closed with the source. */
  readonly storages?: Readonly<Record<string, Storage | (() => Promise<Storage>)>>;
  /** Answers true to a file that is left out of whole folders: what is being written. */
  readonly exclude?: (absolutePath: string) => boolean;
}

/** What is said beside an application's registrations. */
export type ModelFilesSettings = Partial<ModelFiles>;

/** The files of the rows of a database: what registrations say, and the settings. */
export function filesOf(
  {
    files = {},
    application,
  }: { readonly files?: ModelFilesSettings; readonly application?: { readonly folder: string } },
  { planned }: { readonly planned: ReadonlyMap<string, PlannedModel> },
): ModelFiles {
  const models = [...planned.values()];
  const columns = models.flatMap(({ table, fields }) =>
    fields.flatMap(({ column, kind }): FileColumn[] => {
      if (kind.kind === 'filePath') return [{ table, column, place: { kind: kind.kind, root: kind.root } }];
      if (kind.kind !== 'file') return [];
      return [{ table, column, place: { kind: kind.kind, storage: kind.storage, prefix: kind.prefix } }];
    }),
  );
  const roots = models.flatMap(({ table, fileRoots }) => fileRoots.map((root) => ({ ...root, table })));
  return {
    ...files,
    folder: files.folder ?? application?.folder ?? '.',
    columns: [...columns, ...(files.columns ?? [])],
    roots: [...roots, ...(files.roots ?? [])],
  };
}
