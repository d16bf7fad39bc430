import { posix } from 'node:path';
import type { IndexEntry } from '../archive/entry/entry.ts';
import { HoldfastError } from '../errors.ts';
import type { ModelSchema } from '../source/model/model-schema.ts';
import type { ModelRestoreSettings } from '../source/model/model-target.ts';
import type { ArchivedRows } from '../source/model/restore/archived-rows.ts';

/** Which rows of models are restored, and the entries that they take. */
export interface RowChoice {
  readonly entries: readonly IndexEntry[];
  /** By model, the keys of its rows. */
  readonly rows: ArchivedRows['keys'];
}

/** Where rows are chosen from. */
interface RowPlace {
  /** Of one database: its schema, its models, and the files that their rows own. */
  readonly entries: readonly IndexEntry[];
  readonly schema: ModelSchema;
  open(entry: IndexEntry): AsyncIterable<Uint8Array>;
}

/** The database whose models are chosen from, alone. Throws `usage.invalid` where there is none, or several. */
export function modelsAlone(entries: readonly IndexEntry[], modelsPath: RegExp): IndexEntry[] {
  const own = entries.filter(({ path }) => modelsPath.test(path));
  const names = new Set(own.map(({ path }) => modelsPath.exec(path)?.[1]));
  if (names.size === 1) return own;
  throw new HoldfastError('usage.invalid', {
    message:
      names.size === 0
        ? 'a row of a model is asked for, and no models are restored'
        : `a row of a model is asked for, and the archive has models of several databases: ${[...names].join(', ')}`,
    hint: names.size === 0 ? 'backup --models makes them' : "choose one with --only 'models/NAME/**'",
  });
}

/**
 * The row that the settings name with all that it needs, as far as these entries have it, and the files that those rows own; undefined where no row is
 * named. Throws what `findArchivedRows` throws.
 */
export async function chooseRows(
  { entries, schema, open }: RowPlace,
  { row, withOwned = false }: ModelRestoreSettings,
): Promise<RowChoice | undefined> {
  const [{ parseRowChoice }, { findArchivedRows }] = await Promise.all([
    import('../source/model/model-settings.ts'),
    import('../source/model/restore/archived-rows.ts'),
  ]);
  const reference = parseRowChoice(row);
  if (reference === undefined) return undefined;
  const byModel = new Map(
    entries.filter(({ kind }) => kind === 'model').map((entry) => [entry.metadata['model'], entry]),
  );
  const models = schema.models.filter(({ name }) => byModel.has(name));
  const read = ({ name }: { readonly name: string }) => open(byModel.get(name) as IndexEntry);
  const { keys, fileNames } = await findArchivedRows({ models, row: reference, withOwned, read });
  const isNamed = namedBy(fileNames);
  const isChosen = ({ kind, path, metadata }: IndexEntry) => {
    if (kind === 'model-schema') return true;
    return kind === 'model' ? keys.has(String(metadata['model'])) : isNamed(path);
  };
  return { entries: entries.filter(isChosen), rows: keys };
}

/**
 * Whether a file of a tree may be one that rows name. A name is relative to a root that the archive does not tell, or absolute: the shorter of the two
 * ends the other.
 */
function namedBy(names: ReadonlySet<string>): (path: string) => boolean {
  const wanted = [...names].map(
    (name) => `/${posix.normalize(name.replaceAll('\\', '/')).replace(/^(?:\.{0,2}\/)+/, '')}`,
  );
  return (path) => {
    const below = path.replace(/^models\/[^/]+\/files\/[^/]+/, '');
    return below !== '' && wanted.some((name) => name.endsWith(below) || below.endsWith(name));
  };
}
