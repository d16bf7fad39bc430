import { join, resolve } from 'node:path';
import type { IndexEntry } from '../archive/entry/entry.ts';
import { type Clock, systemClock } from '../clock.ts';
import { HoldfastError } from '../errors.ts';
import { Secret } from '../secret.ts';
import { CommandTarget } from '../source/command/command-target.ts';
import type { Engine } from '../source/engine.ts';
import { engineOfEntry, engineOfUrl } from '../source/engines.ts';
import { FileTreeTarget } from '../source/files/file-tree-target.ts';
import { MediaTarget } from '../source/media/media-target.ts';
import type { ModelSchema } from '../source/model/model-schema.ts';
import type { ModelTarget } from '../source/model/model-target.ts';
import type { RestoreTarget } from '../source/target.ts';
import { chooseRows, modelsAlone, type RowChoice } from './choose-rows.ts';
import { mediaDestinations, treeNames } from './media-destinations.ts';
import type { MediaDestination, RestoreAction, RestoreOptions } from './options.ts';
import { withoutCollisions } from './restore-collisions.ts';

/** Entries that go to one target. */
export interface TargetGroup {
  readonly kind: RestoreAction['kind'];
  readonly target: RestoreTarget;
  readonly entries: IndexEntry[];
  /** The absolute path that `prefix` in the archive becomes. */
  readonly place: string;
  readonly prefix: string;
  /** Of models: where the files go that their rows name, in groups of their own; `entries` has them too. */
  readonly trees?: readonly TargetGroup[];
}

const databasePath = /^(?:databases|models)\/([^/]+)\//;
const modelsPath = /^models\/([^/]+)\//;
const filesPath = /^files\/([^/]+)(?:\/|$)/;
/** A tree of files that rows name. */
const modelFilesPath = /^(models\/[^/]+)\/files\/[^/]+/;

/** Names of the databases that entries belong to. */
function databaseNames(entries: readonly IndexEntry[]): Set<string> {
  return new Set(entries.map((entry) => databasePath.exec(entry.path)?.[1]).filter((name) => name !== undefined));
}

/**
 * `to` as a map from a database's name to its URL; an URL alone stands for the only database. Targets of databases of the archive
 * (`known`) that were not chosen this time are passed over, so that a command line can be narrowed by `only` alone.
 */
function databaseUrls(
  to: readonly string[],
  names: ReadonlySet<string>,
  known: ReadonlySet<string>,
): Map<string, string> {
  const urls = new Map<string, string>();
  for (const item of to) {
    // A name may have any character, so the names that there are come first.
    const given = [...known].find((name) => item.startsWith(`${name}=`)) ?? /^([^=:]+)=/.exec(item)?.[1];
    const name = given ?? (names.size === 1 ? [...names][0] : undefined);
    const isPassedOver = name === undefined ? names.size === 0 && known.size > 0 : !names.has(name) && known.has(name);
    if (isPassedOver) continue;
    if (name === undefined || !names.has(name)) {
      const several = names.size === 0 ? 'no database is to be restored' : 'several databases are to be restored';
      throw new HoldfastError('usage.invalid', {
        message: name === undefined ? several : `no database ${name} is to be restored`,
        hint: `name each target: --to name=url (databases: ${[...names].join(', ') || 'none'})`,
      });
    }
    if (urls.has(name)) throw new HoldfastError('usage.invalid', { message: `database ${name} has two targets` });
    urls.set(name, given === undefined ? item : item.slice(name.length + 1));
  }
  return urls;
}

/** Where an entry came from, as the archive tells; restoring there is what no target means. */
function originalPath(entry: IndexEntry | undefined, path: string): string {
  const source = entry?.metadata['source'];
  if (typeof source === 'string') return source;
  throw new HoldfastError('usage.invalid', {
    message: `the archive does not tell where ${path} came from`,
    hint: 'name a target with --to, --files-to or --media-to',
  });
}

/** What of the archive is restored. */
export interface Chosen {
  /** The archive's entries, whose roots tell where they came from. */
  readonly all: readonly IndexEntry[];
  readonly entries: readonly IndexEntry[];
  /** Where only tables of an entry are restored, which. */
  readonly tables?: ReadonlyMap<IndexEntry, readonly string[]>;
  /** Those of the entries that are left out. */
  readonly lost?: ReadonlySet<IndexEntry>;
  /** Folders that trees go to, by their paths in the archive, whatever else is said. */
  readonly places?: ReadonlyMap<string, string>;
  /** Reads an entry that says how others are restored. */
  read(entry: IndexEntry): Promise<Uint8Array>;
  /** Reads an entry from which rows are chosen. */
  open(entry: IndexEntry): AsyncIterable<Uint8Array>;
  /** What only this archive has, and who has no key of it has not. */
  readonly secret: Uint8Array;
}

/** Makes the targets for the chosen entries. Throws `usage.invalid`, `target.incompatible`, `target.unsafe`. */
export async function makeTargets(chosen: Chosen, options: RestoreOptions): Promise<TargetGroup[]> {
  const { all, lost } = chosen;
  const entries = options.models?.row === undefined ? chosen.entries : modelsAlone(chosen.entries, modelsPath);
  const parts = new Map<string, IndexEntry[]>();
  for (const entry of entries) {
    const prefix = prefixOf(entry);
    const part = parts.get(prefix);
    if (part === undefined) parts.set(prefix, [entry]);
    else part.push(entry);
  }
  const isDatabase = ({ kind }: IndexEntry) => kind !== 'stream';
  const names = databaseNames(entries.filter(isDatabase));
  const urls = databaseUrls(options.to ?? [], names, databaseNames(all.filter(isDatabase)));
  const media = mediaDestinations(options.mediaTo ?? [], treeNames(entries), treeNames(all));
  const groups: TargetGroup[] = [];
  for (const [prefix, part] of parts) {
    const name = prefix.slice(prefix.indexOf('/') + 1);
    const destination = prefix.startsWith('files/') ? media.get(name) : undefined;
    if (destination !== undefined) groups.push(mediaGroup(prefix, part, destination, options));
    else if (prefix.startsWith('files/')) groups.push(filesGroup(prefix, part, chosen, options));
    else if (prefix.startsWith('models/'))
      groups.push(...(await modelGroups({ prefix, entries: part, to: urls.get(name), media }, chosen, options)));
    else if (part.some(({ kind }) => kind === 'stream')) groups.push(commandGroup(prefix, part, name, options));
    else
      groups.push(
        await databaseGroup({ prefix, entries: part, tables: tablesOf(chosen, part), to: urls.get(name) }, options),
      );
  }
  const apart = withoutCollisions(groups);
  if (options.models?.mask !== undefined) refuseUnmasked(groups);
  return apart
    .map((group) => ({ ...group, entries: group.entries.filter((entry) => lost?.has(entry) !== true) }))
    .filter((group) => group.entries.length > 0);
}

/** Only models are masked: beside them no database may go in as it is. Files are what they are. */
function refuseUnmasked(groups: readonly TargetGroup[]): void {
  const isUnmasked = ({ kind }: TargetGroup) => !['models', 'files', 'media'].includes(kind);
  const unmasked = groups.find(isUnmasked);
  if (unmasked === undefined && groups.some(({ kind }) => kind === 'models')) return;
  throw new HoldfastError('usage.invalid', {
    message:
      unmasked === undefined
        ? 'only models are masked, and none are restored'
        : `only models are masked, and ${unmasked.prefix} would be restored as it is`,
    hint: "choose the models with --only 'models/**'; backup --models makes them",
  });
}

/** What every target takes. */
function commonOptions(options: RestoreOptions) {
  const clock: Clock = options.clock ?? systemClock;
  return { overwrite: options.overwrite ?? false, keepUndo: options.keepUndo ?? true, clock };
}

/** The tables of a database that is one entry; undefined for all. */
function tablesOf({ tables }: Chosen, entries: readonly IndexEntry[]): readonly string[] | undefined {
  const [entry] = entries;
  return entry === undefined ? undefined : tables?.get(entry);
}

async function databaseGroup(
  database: {
    readonly prefix: string;
    readonly entries: IndexEntry[];
    readonly tables: readonly string[] | undefined;
    readonly to: string | undefined;
  },
  options: RestoreOptions,
): Promise<TargetGroup> {
  const { prefix, entries, tables, to } = database;
  const engine = engineOf(entries, prefix);
  const url = to ?? originalUrl(engine, entries[0], prefix);
  const targetEngine = engineOfUrl(url);
  if (targetEngine !== engine) {
    throw new HoldfastError('target.incompatible', {
      message: `${prefix} is of ${engine.name}, and its target is of ${targetEngine.name}`,
      hint: `name a target such as ${engine.urlForm}`,
      context: { prefix, engine: engine.name, target: targetEngine.name },
    });
  }
  const { mode, connections, timeoutMs, random } = options;
  const target = await engine.makeTarget({
    url: new Secret(url),
    ...commonOptions(options),
    ...(tables === undefined ? {} : { tables }),
    ...(mode === undefined ? {} : { mode }),
    ...(connections === undefined ? {} : { connections }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(random === undefined ? {} : { random }),
  });
  return { kind: engine.name, target, entries, place: engine.placeOf(url), prefix };
}

const maximumSchemaBytes = 256 * 1024 * 1024;

/** Models, with the files that their rows name: these go along in one group, or alone where no rows are chosen. */
async function modelGroups(
  models: {
    readonly prefix: string;
    readonly entries: readonly IndexEntry[];
    readonly to: string | undefined;
    readonly media: ReadonlyMap<string, MediaDestination>;
  },
  chosen: Chosen,
  options: RestoreOptions,
): Promise<TargetGroup[]> {
  const { prefix, to, media } = models;
  const choice = await chosenRows(models, chosen, options);
  const entries = choice?.entries ?? models.entries;
  const parts = new Map<string, IndexEntry[]>();
  for (const entry of entries) {
    const tree = modelFilesPath.exec(entry.path)?.[0] ?? '';
    const part = parts.get(tree);
    if (part === undefined) parts.set(tree, [entry]);
    else part.push(entry);
  }
  const rows = parts.get('') ?? [];
  parts.delete('');
  const trees = [...parts].map(([tree, part]) => {
    const destination = media.get(tree.slice(tree.lastIndexOf('/') + 1));
    return destination === undefined
      ? filesGroup(tree, part, chosen, options, true)
      : mediaGroup(tree, part, destination, options);
  });
  if (rows.length === 0) return trees;
  const group = await modelGroup({ prefix, entries: rows, to, rows: choice?.rows }, chosen, options);
  if (trees.length === 0) return [group];
  const { ModelsWithFilesTarget } = await import('../source/model/files/models-with-files-target.ts');
  return [{ ...group, target: new ModelsWithFilesTarget(group.target, trees), entries: [...entries], trees }];
}

/** Models go into a database of any engine. Their schema is read first, whether it was chosen or not. */
async function modelGroup(
  models: {
    readonly prefix: string;
    readonly entries: IndexEntry[];
    readonly to: string | undefined;
    readonly rows: RowChoice['rows'] | undefined;
  },
  { all, read, secret }: Chosen,
  options: RestoreOptions,
): Promise<TargetGroup & { readonly target: ModelTarget }> {
  const { prefix, entries, to, rows } = models;
  if (to === undefined) {
    throw new HoldfastError('usage.invalid', {
      message: `it is not said where ${prefix} goes`,
      hint: 'name its target: --to postgres://…, --to mysql://… or --to sqlite:copy.db',
    });
  }
  if (options.mode !== undefined) {
    throw new HoldfastError('usage.invalid', {
      message: `models are restored in one transaction: the mode ${options.mode} is not for them`,
      hint: 'leave the mode out',
    });
  }
  const { entry, schemas } = schemaEntries(all, prefix);
  const [{ readModelSchema }, { ModelTarget }] = await Promise.all([
    import('../source/model/model-schema.ts'),
    import('../source/model/model-target.ts'),
  ]);
  const { timeoutMs, random } = options;
  const schemaOf = async (one: IndexEntry) => readModelSchema(await read(one), one.path);
  const others = options.models?.mask === undefined ? [] : schemas.filter((one) => one !== entry);
  const otherSchemas: ModelSchema[] = [];
  for (const one of others) otherSchemas.push(await schemaOf(one));
  const target = new ModelTarget({
    ...options.models,
    url: new Secret(to),
    schema: await schemaOf(entry),
    otherSchemas,
    maskSecret: secret,
    ...(rows === undefined ? {} : { rows }),
    clock: commonOptions(options).clock,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(random === undefined ? {} : { random }),
  });
  return { kind: 'models', target, entries, place: engineOfUrl(to).placeOf(to), prefix };
}

/** The entry that says what the models of a database are, and those of all of them. */
function schemaEntries(
  all: readonly IndexEntry[],
  prefix: string,
): { readonly entry: IndexEntry; readonly schemas: readonly IndexEntry[] } {
  const path = `${prefix}/schema.json`;
  const schemas = all.filter(({ kind }) => kind === 'model-schema');
  const entry = schemas.find((candidate) => candidate.path === path);
  if (entry === undefined || schemas.some(({ sizeBytes }) => sizeBytes > maximumSchemaBytes)) {
    throw new HoldfastError('archive.corrupt', { message: `${path}, which says what the models are, is not there` });
  }
  return { entry, schemas };
}

/** The rows of models that the options ask for; undefined where all are restored. */
async function chosenRows(
  { prefix, entries }: { readonly prefix: string; readonly entries: readonly IndexEntry[] },
  { all, lost, read, open }: Chosen,
  { models: settings }: RestoreOptions,
): Promise<RowChoice | undefined> {
  if (settings?.row === undefined) return undefined;
  const { readModelSchema } = await import('../source/model/model-schema.ts');
  const { entry } = schemaEntries(all, prefix);
  const schema = readModelSchema(await read(entry), entry.path);
  return await chooseRows({ entries: entries.filter((one) => lost?.has(one) !== true), schema, open }, settings);
}

/** The engine of what lies below a prefix. */
function engineOf(entries: readonly IndexEntry[], prefix: string): Engine {
  const found = new Set(entries.map(engineOfEntry));
  const [engine] = found;
  if (engine !== undefined && found.size === 1) return engine;
  throw new HoldfastError('target.unsafe', {
    message: `${prefix} holds entries of several kinds of databases`,
    hint: 'choose other entries with --only',
    context: { prefix },
  });
}

/** Where a database came from, as a URL. Of a server it is not known with its password, and seldom what is meant. */
function originalUrl(engine: Engine, entry: IndexEntry | undefined, prefix: string): string {
  if (engine.name === 'sqlite') return `sqlite:${encodeURIComponent(originalPath(entry, prefix))}`;
  throw new HoldfastError('usage.invalid', {
    message: `it is not said where ${prefix} goes`,
    hint: `name its target: --to ${engine.urlForm}`,
  });
}

function commandGroup(prefix: string, entries: IndexEntry[], name: string, options: RestoreOptions): TargetGroup {
  const { commands = {} } = options;
  const program = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (program === undefined) {
    throw new HoldfastError('usage.invalid', {
      message: `it is not said which program ${prefix} is fed to`,
      hint: `name it: --command-to '${name}=program and its arguments'`,
    });
  }
  const target = new CommandTarget({ ...program, signal: options.signal });
  return { kind: 'command', target, entries, place: prefix, prefix };
}

function filesGroup(
  prefix: string,
  entries: IndexEntry[],
  { all, places }: Chosen,
  options: RestoreOptions,
  keepSame = false,
): TargetGroup {
  const { filesTo } = options;
  const rootEntry = all.find((candidate) => candidate.path === prefix);
  const name = safeRootName(prefix.slice(prefix.lastIndexOf('/') + 1));
  const rootPath =
    places?.get(prefix) ?? (filesTo === undefined ? originalPath(rootEntry, prefix) : join(filesTo, name));
  const target = new FileTreeTarget({ rootPath, prefix, keepSame, ...commonOptions(options) });
  return { kind: 'files', target, entries, place: resolve(rootPath), prefix };
}

function mediaGroup(
  prefix: string,
  entries: IndexEntry[],
  { storage, label, isPublic }: MediaDestination,
  options: RestoreOptions,
): TargetGroup {
  const { overwrite, keepUndo } = commonOptions(options);
  const target = new MediaTarget({ storage, label, prefix, isPublic: isPublic ?? false, overwrite, keepUndo });
  return { kind: 'media', target, entries, place: `media:${label}`, prefix };
}

/** The part of an entry's path that becomes the target. */
function prefixOf(entry: IndexEntry): string {
  const { kind, path } = entry;
  const isFile = ['file', 'directory', 'symlink'].includes(kind);
  if (kind === 'model' || kind === 'model-schema') {
    const name = modelsPath.exec(path)?.[1];
    if (name !== undefined) return `models/${name}`;
  }
  const ofModels = isFile ? modelFilesPath.exec(path)?.[1] : undefined;
  if (ofModels !== undefined) return ofModels;
  const isDatabase = !isFile && (kind === 'stream' || engineOfEntry(entry) !== undefined);
  const prefix = isDatabase ? databasePath.exec(path) : isFile ? filesPath.exec(path) : undefined;
  if (prefix?.[1] !== undefined) return `${isDatabase ? 'databases' : 'files'}/${prefix[1]}`;
  throw new HoldfastError('target.unsafe', {
    message: `${path} is of a kind that this version cannot restore there: ${kind}`,
    hint: 'choose other entries with --only',
    context: { path, kind },
  });
}

function safeRootName(name: string): string {
  if (name !== '.' && name !== '..' && !name.includes('\0') && !name.includes('\\')) return name;
  throw new HoldfastError('target.unsafe', { context: { name } });
}
