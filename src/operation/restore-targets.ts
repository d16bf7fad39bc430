import { join } from 'node:path';
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
}

const databasePath = /^databases\/([^/]+)\//;
const filesPath = /^files\/([^/]+)(?:\/|$)/;

/** `to` as a map from a database's name to its URL; an URL alone stands for the only database. */
function databaseUrls(to: readonly string[], names: ReadonlySet<string>): Map<string, string> {
  const urls = new Map<string, string>();
  for (const item of to) {
    const named = /^([^=:]+)=(.+)$/.exec(item);
    const name = named?.[1] ?? (names.size === 1 ? [...names][0] : undefined);
    if (name === undefined || !names.has(name)) {
      const known = [...names].join(', ') || 'none';
      throw new HoldfastError('usage.invalid', {
        message: name === undefined ? 'several databases are to be restored' : `no database ${name} is to be restored`,
        hint: `name each target: --to name=sqlite:path (databases: ${known})`,
      });
    }
    if (urls.has(name)) throw new HoldfastError('usage.invalid', { message: `database ${name} has two targets` });
    urls.set(name, named?.[2] ?? item);
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

/** Makes the targets for the chosen entries. `all` are the archive's entries, whose roots tell where they came from. */
export function makeTargets(
  all: readonly IndexEntry[],
  chosen: readonly IndexEntry[],
  options: RestoreOptions,
): TargetGroup[] {
  const clock: Clock = options.clock ?? systemClock;
  const common = { overwrite: options.overwrite ?? false, keepUndo: options.keepUndo ?? true, clock };
  const names = new Set(chosen.map((entry) => databasePath.exec(entry.path)?.[1]).filter((name) => name !== undefined));
  const urls = databaseUrls(options.to ?? [], names);
  const groups = new Map<string, TargetGroup>();
  for (const entry of chosen) {
    const database = entry.kind === 'sqlite' ? databasePath.exec(entry.path)?.[1] : undefined;
    const root = filesPath.exec(entry.path)?.[1];
    const prefix = database === undefined ? `files/${root}` : `databases/${database}`;
    const known = groups.get(prefix);
    if (known !== undefined) {
      known.entries.push(entry);
    } else if (database !== undefined) {
      const url = urls.get(database);
      const path = url === undefined ? originalPath(entry, entry.path) : sqlitePathFromUrl(url);
      groups.set(prefix, { kind: 'sqlite', target: new SqliteTarget({ path, ...common }), entries: [entry] });
    } else if (root !== undefined && ['file', 'directory', 'symlink'].includes(entry.kind)) {
      const { filesTo } = options;
      const rootEntry = all.find((candidate) => candidate.path === prefix);
      const rootPath = filesTo === undefined ? originalPath(rootEntry, prefix) : join(filesTo, safeRootName(root));
      const target = new FileTreeTarget({ rootPath, prefix, ...common });
      groups.set(prefix, { kind: 'files', target, entries: [entry] });
    } else {
      throw new HoldfastError('target.unsafe', {
        message: `${entry.path} is of a kind that this version cannot restore: ${entry.kind}`,
        context: { path: entry.path },
      });
    }
  }
  return [...groups.values()];
}

function safeRootName(name: string): string {
  if (name !== '.' && name !== '..' && !name.includes('\0') && !name.includes('\\')) return name;
  throw new HoldfastError('target.unsafe', { context: { name } });
}
