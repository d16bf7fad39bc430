import { join, resolve } from 'node:path';
import type { IndexEntry } from '../archive/entry/entry.ts';
import { type Clock, systemClock } from '../clock.ts';
import { HoldfastError } from '../errors.ts';
import { FileTreeTarget } from '../source/files/file-tree-target.ts';
import { sqlitePathFromUrl } from '../source/parse-url.ts';
import { SqliteTarget } from '../source/sqlite/sqlite-target.ts';
import type { RestoreTarget } from '../source/target.ts';
import type { RestoreAction, RestoreOptions } from './options.ts';

/** Entries that go to one target. */
export interface TargetGroup {
  readonly kind: RestoreAction['kind'];
  readonly target: RestoreTarget;
  readonly entries: IndexEntry[];
  /** The absolute path that `prefix` in the archive becomes. */
  readonly place: string;
  readonly prefix: string;
}

const databasePath = /^databases\/([^/]+)\//;
const filesPath = /^files\/([^/]+)(?:\/|$)/;

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
        hint: `name each target: --to name=sqlite:path (databases: ${[...names].join(', ') || 'none'})`,
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
    hint: 'name a target with --to or --files-to',
  });
}

/**
 * Makes the targets for the chosen entries. `all` are the archive's entries, whose roots tell where they came from; `lost` are those
 * of the chosen that are left out.
 */
export function makeTargets(
  all: readonly IndexEntry[],
  chosen: readonly IndexEntry[],
  options: RestoreOptions,
  lost: ReadonlySet<IndexEntry> = new Set(),
): TargetGroup[] {
  const clock: Clock = options.clock ?? systemClock;
  const common = { overwrite: options.overwrite ?? false, keepUndo: options.keepUndo ?? true, clock };
  const urls = databaseUrls(options.to ?? [], databaseNames(chosen), databaseNames(all));
  const groups = new Map<string, TargetGroup>();
  for (const entry of chosen) {
    const prefix = prefixOf(entry);
    const known = groups.get(prefix);
    if (known !== undefined) {
      known.entries.push(entry);
      continue;
    }
    if (entry.kind === 'sqlite') {
      const url = urls.get(prefix.slice('databases/'.length));
      const path = url === undefined ? originalPath(entry, entry.path) : sqlitePathFromUrl(url);
      const target = new SqliteTarget({ path, ...common });
      groups.set(prefix, { kind: 'sqlite', target, entries: [entry], place: resolve(path), prefix });
    } else {
      const { filesTo } = options;
      const rootEntry = all.find((candidate) => candidate.path === prefix);
      const name = safeRootName(prefix.slice('files/'.length));
      const rootPath = filesTo === undefined ? originalPath(rootEntry, prefix) : join(filesTo, name);
      const target = new FileTreeTarget({ rootPath, prefix, ...common });
      groups.set(prefix, { kind: 'files', target, entries: [entry], place: resolve(rootPath), prefix });
    }
  }
  refuseCollisions([...groups.values()]);
  return [...groups.values()]
    .map((group) => ({ ...group, entries: group.entries.filter((entry) => !lost.has(entry)) }))
    .filter(({ entries }) => entries.length > 0);
}

/** The part of an entry's path that becomes the target. */
function prefixOf({ kind, path }: IndexEntry): string {
  const isFile = ['file', 'directory', 'symlink'].includes(kind);
  const prefix = kind === 'sqlite' ? databasePath.exec(path) : isFile ? filesPath.exec(path) : undefined;
  if (prefix?.[1] !== undefined) return `${kind === 'sqlite' ? 'databases' : 'files'}/${prefix[1]}`;
  throw new HoldfastError('target.unsafe', {
    message: `${path} is of a kind that this version cannot restore there: ${kind}`,
    hint: 'choose other entries with --only',
    context: { path, kind },
  });
}

/** Refuses what would put two things in one place: the later one would replace the earlier, or fail after it stands. */
function refuseCollisions(groups: readonly TargetGroup[]): void {
  if (groups.length < 2) return;
  const taken = new Set<string>();
  for (const { kind, entries, place, prefix } of groups) {
    for (const entry of entries.filter((candidate) => candidate.kind !== 'directory')) {
      // Bytes as Latin-1: two names that are not UTF-8 may read alike.
      const below = Buffer.from(entry.pathBytes ?? Buffer.from(entry.path)).subarray(Buffer.byteLength(prefix));
      const key = Buffer.from(place).toString('latin1') + (kind === 'sqlite' ? '' : below.toString('latin1'));
      if (taken.has(key)) {
        throw new HoldfastError('usage.invalid', {
          message: `two of what is to be restored have the same place: ${kind === 'sqlite' ? place : entry.path}`,
          hint: 'give each another target, or choose entries with --only',
        });
      }
      taken.add(key);
    }
  }
}

function safeRootName(name: string): string {
  if (name !== '.' && name !== '..' && !name.includes('\0') && !name.includes('\\')) return name;
  throw new HoldfastError('target.unsafe', { context: { name } });
}
