/** Whether a database that was restored is what the archive says: it is read again as a backup would read it. */
import type { ArchiveReader } from '../archive/archive-reader.ts';
import type { IndexEntry } from '../archive/entry/entry.ts';
import { throwIfAborted } from '../errors.ts';
import type { Secret } from '../secret.ts';
import { sourceFromUrl } from '../source/parse-url.ts';
import { dumpItems } from '../source/postgres/dump-items.ts';
import type { EntryMetadata, JsonValue, SourceEntry } from '../source/source.ts';
import { archivedTables } from '../source/sqlite/archived-tables.ts';
import { rowCount } from './summary.ts';

/** What was found in a database. */
export interface FoundDatabase {
  readonly tableCount: number;
  readonly rowCount: number;
  /** For people; empty where all is as it was. */
  readonly differences: readonly string[];
}

/** What is compared. */
export interface CompareOptions {
  /** Gives the definitions as they were; undefined for a plain dump. */
  readonly reader: ArchiveReader | undefined;
  /** The entries that were restored; of a plain dump none, and nothing is compared. */
  readonly entries: readonly IndexEntry[];
  /** Of the database that was restored. */
  readonly url: Secret;
  /** Its name in the archive. */
  readonly name: string;
  readonly temporaryFolder: string;
  readonly signal: AbortSignal | undefined;
}

/** An entry as far as it is compared. */
interface Seen {
  readonly path: string;
  readonly kind: string;
  readonly metadata: EntryMetadata;
  /** Definitions: of a table of MySQL what stands before its rows. */
  readonly text: string;
}

/** Definitions are some MiB at most; what comes after is not compared. */
const maximumTextBytes = 64 * 1024 * 1024;
const rowsBegin = /\n(?:LOCK TABLES|INSERT INTO|REPLACE INTO|\/\*!\d+ ALTER TABLE)/;

/** Whether an entry has definitions to compare, and where these end. */
function textOf({ kind, metadata }: Pick<Seen, 'kind' | 'metadata'>): 'all' | 'head' | 'none' {
  if (kind === 'schema') return 'all';
  return kind === 'table' && metadata['engine'] !== 'postgres' ? 'head' : 'none';
}

/** Gathers the text of an entry; `takesAll` reads on to its end, by which its rows are counted. */
async function readText(
  bytes: AsyncIterable<Uint8Array>,
  extent: 'all' | 'head' | 'none',
  { takesAll, signal }: { readonly takesAll: boolean; readonly signal: AbortSignal | undefined },
): Promise<string> {
  let text = '';
  let isComplete = extent === 'none';
  if (isComplete && !takesAll) return '';
  for await (const chunk of bytes) {
    throwIfAborted(signal);
    if (isComplete) continue;
    text += Buffer.from(chunk).toString('latin1');
    const end = extent === 'head' ? text.search(rowsBegin) : -1;
    if (end >= 0) text = text.slice(0, end);
    isComplete = end >= 0 || text.length > maximumTextBytes;
    if (isComplete && !takesAll) break;
  }
  return text;
}

async function readRestored(options: CompareOptions): Promise<Seen[]> {
  const { url, name, temporaryFolder, signal } = options;
  const source = await sourceFromUrl(url, { name });
  const seen: Seen[] = [];
  const read = async (entry: SourceEntry) => {
    const { path, kind } = entry;
    const bytes = entry.open?.(signal);
    const text = bytes === undefined ? '' : await readText(bytes, textOf(entry), { takesAll: true, signal });
    seen.push({ path, kind, metadata: entry.metadata, text });
  };
  try {
    const context = { temporaryFolder, report: () => undefined, ...(signal && { signal }) };
    for await (const entry of source.entries(context)) await read(entry);
  } finally {
    await source.close();
  }
  return seen;
}

/** Reads the database that was restored, every row of it, and compares it with what the archive says. Throws `source.*`, `archive.damaged`. */
export async function compareDatabase(options: CompareOptions): Promise<FoundDatabase> {
  const { entries, reader, signal } = options;
  const found = await readRestored(options);
  const byPath = new Map(found.map((seen) => [seen.path, seen]));
  const differences: string[] = [];
  const dump = entries.find(({ kind }) => kind === 'dump');
  if (dump !== undefined) differences.push(...missingTables(dump.metadata, found));
  for (const entry of entries) {
    if (entry.kind === 'dump' || entry.kind === 'roles') continue;
    const restored = byPath.get(entry.path);
    byPath.delete(entry.path);
    if (restored === undefined) {
      differences.push(`${entry.path} is not there`);
      continue;
    }
    const { path, kind, metadata } = entry;
    const text = reader === undefined ? restored.text : await archivedText(reader, entry, signal);
    differences.push(...compareEntries({ path, kind, metadata, text }, restored));
  }
  if (dump === undefined && entries.length > 0) differences.push(...[...byPath.values()].flatMap(surplus));
  return {
    tableCount: found.reduce((sum, seen) => sum + (seen.kind === 'table' ? 1 : archivedTables(seen).length), 0),
    rowCount: found.reduce((sum, seen) => sum + rowCount(seen), 0),
    differences,
  };
}

async function archivedText(
  reader: ArchiveReader,
  entry: IndexEntry,
  signal: AbortSignal | undefined,
): Promise<string> {
  const extent = textOf(entry);
  if (extent === 'none') return '';
  const segments = reader.segmentsFor([entry]);
  try {
    return await readText(reader.read(entry, segments), extent, { takesAll: false, signal });
  } finally {
    segments.close();
  }
}

/** What is there beside all that was archived. Definitions bring tables along whose rows were left out, and empty large objects. */
function surplus({ path, kind, metadata }: Seen): string[] {
  if (kind === 'large-objects' || (kind === 'table' && metadata['rows'] === 0)) return [];
  return [`${path} is there, and not in the archive`];
}

/** A dump tells of its tables, if of anything. */
function missingTables(dump: EntryMetadata, found: readonly Seen[]): string[] {
  const names = found.filter(({ kind }) => kind === 'table').map(({ metadata }) => metadata['table']);
  const sequences = found
    .filter(({ metadata }) => metadata['object'] === 'sequence')
    .map(({ metadata }) => metadata['name']);
  const there = new Set<JsonValue | undefined>([...names, ...sequences]);
  const listed = Array.isArray(dump['tables']) ? dump['tables'] : [];
  // Of SQLite, where the entry itself is compared, they are no names.
  return listed.flatMap((name) =>
    typeof name !== 'string' || there.has(name) ? [] : [`the table ${name} is not there`],
  );
}

const compared = [
  'kind',
  'rows',
  'columns',
  'storageEngine',
  'characterSet',
  'collation',
  'sqlMode',
  'nextValue',
  'timeZone',
] as const;

function compareEntries(archived: Seen, restored: Seen): string[] {
  const { path } = archived;
  const differences: string[] = [];
  const differs = (what: string, before: unknown, now: unknown) =>
    differences.push(
      `${path}: ${what} ${JSON.stringify(now) ?? 'none'} where the archive has ${JSON.stringify(before)}`,
    );
  if (archived.kind !== restored.kind) differs('is of the kind', archived.kind, restored.kind);
  for (const name of compared) {
    const [before, now] = [archived.metadata[name], restored.metadata[name]];
    if (before !== undefined && JSON.stringify(before) !== JSON.stringify(now)) differs(name, before, now);
  }
  differences.push(...compareTables(archived, restored));
  const isSameVersion = archived.metadata['engineVersion'] === restored.metadata['engineVersion'];
  if (archived.metadata['object'] !== 'database') differences.push(...compareTexts(archived, restored, isSameVersion));
  return differences;
}

/** Tables of a SQLite database, which stand in its one entry. */
function compareTables(archived: Seen, restored: Seen): string[] {
  if (archived.kind !== 'sqlite') return [];
  const now = new Map(archivedTables(restored).map(({ name, rows }) => [name, rows]));
  const differences = archivedTables(archived).flatMap(({ path, name, rows }) => {
    const found = now.get(name);
    now.delete(name);
    return found === rows ? [] : [`${path}: rows ${found ?? 'none'} where the archive has ${rows}`];
  });
  return [...differences, ...[...now.keys()].map((name) => `the table ${name} is there, and not in the archive`)];
}

/**
 * What a server writes of its definitions differs between versions, and in casts and parentheses of expressions once they were read again;
 * so these are not compared, and between versions only which objects there are.
 */
function compareTexts(archived: Seen, restored: Seen, isSameVersion: boolean): string[] {
  if (archived.text === restored.text) return [];
  const { path, metadata } = archived;
  if (metadata['engine'] === 'postgres') {
    if (metadata['object'] === 'sequences') return compareLists(path, valuesOf(archived.text), valuesOf(restored.text));
    return compareLists(path, itemsOf(archived.text, isSameVersion), itemsOf(restored.text, isSameVersion));
  }
  if (!isSameVersion || unqualified(archived) === unqualified(restored)) return [];
  return [`${path}: its definition is another`];
}

/** Values of sequences, by name. */
function valuesOf(text: string): Map<string, string> {
  const values = text.matchAll(/setval\(E?'((?:[^'\\]|''|\\.)*)', (-?\d+, (?:true|false))\)/g);
  return new Map([...values].map(([, name = '', value = '']) => [`SEQUENCE VALUE ${name}`, value]));
}

/** The objects of a dump of PostgreSQL by type and name, with their definitions where these are to be compared. */
function itemsOf(text: string, withText: boolean): Map<string, string> {
  const items = new Map<string, string>();
  for (const item of dumpItems(text)) {
    const name = `${item.type} ${item.name}`.trim();
    items.set(name, `${items.get(name) ?? ''}${withText ? plainText(item.text) : ''}`);
  }
  return items;
}

function compareLists(path: string, archived: Map<string, string>, restored: Map<string, string>): string[] {
  const differences: string[] = [];
  for (const [name, text] of archived) {
    const now = restored.get(name);
    if (now === undefined) differences.push(`${path}: ${name} is not there`);
    else if (now !== text) differences.push(`${path}: the definition of ${name} is another`);
  }
  for (const name of restored.keys()) {
    if (!archived.has(name)) differences.push(`${path}: ${name} is there, and not in the archive`);
  }
  return differences;
}

/** A default that is a sequence names it with its database. */
function unqualified({ text, metadata }: Seen): string {
  const { database } = metadata;
  return plainText(typeof database === 'string' ? text.replaceAll(`\`${database}\`.`, '') : text);
}

function plainText(text: string): string {
  return text
    .replaceAll(/^--.*$/gm, '')
    .replaceAll(/ NOT VALID;/g, ';')
    .replaceAll(/AUTO_INCREMENT=\d+/g, '')
    .replaceAll(
      /::(?:"[^"]*"|[a-z_][\w.]*)(?: varying| precision| with(?:out)? time zone)?(?:\(\d+(?:,\d+)?\))?(?:\[\])*/g,
      '',
    )
    .replaceAll(/[\s()]+/g, '');
}
