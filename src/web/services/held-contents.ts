import type { Clock } from '../../clock.ts';
import type { ArchiveEntry } from '../../operation/options.ts';
import { archivedTables } from '../../source/sqlite/archived-tables.ts';
import { pageBounds } from './page-bounds.ts';
import type { ArchiveContents, EntryFacts } from './web-services.ts';

/** Entries of one archive that are held; what is beyond is not shown. */
const mostEntries = 100_000;
/** Lists in all: with the most entries some 300 MB, with usual ones a few. */
const mostHeldEntries = 300_000;
const mostLists = 50;
const heldForMs = 15 * 60_000;

interface Held {
  readonly userName: string;
  readonly entries: readonly EntryFacts[];
  readonly facts: Pick<ArchiveContents, 'totalSizeBytes' | 'totalRows' | 'isSuspect' | 'parts' | 'isCut'>;
  untilMs: number;
}

type Part = ArchiveContents['parts'][number];

const kindOf: Readonly<Record<string, Part['kind']>> = { databases: 'database', files: 'files', models: 'models' };

/** Lists of entries that somebody opened with a key: the list is held for a while, so that the key need not be. */
export class HeldContents {
  readonly #clock: Clock;
  readonly #newId: () => string;
  readonly #held = new Map<string, Held>();

  constructor(clock: Clock, newId: () => string) {
    this.#clock = clock;
    this.#newId = newId;
  }

  /** Takes a list in, and gives the id by which its user gets pages of it. */
  async take(userName: string, entries: AsyncIterable<ArchiveEntry>): Promise<string> {
    const taken: EntryFacts[] = [];
    const parts = new Map<string, { -readonly [Key in keyof Part]: Part[Key] }>();
    const totals = { totalSizeBytes: 0, totalRows: 0, isSuspect: false, isCut: false };
    for await (const entry of entries) {
      const facts = factsOf(entry);
      totals.totalSizeBytes += facts.sizeBytes;
      totals.totalRows += facts.rows ?? 0;
      if (entry.kind === 'note' && entry.path === 'holdfast/suspect') totals.isSuspect = true;
      addToPart(parts, entry, facts);
      if (taken.length < mostEntries) taken.push(facts);
      else totals.isCut = true;
    }
    const untilMs = this.#clock.nowMs() + heldForMs;
    const id = this.#newId();
    this.#held.set(id, { userName, entries: taken, facts: { ...totals, parts: [...parts.values()] }, untilMs });
    this.#forget();
    return id;
  }

  /** A page of a list, for whoever opened it; undefined where it is no longer held. */
  page(
    userName: string,
    contentsId: string,
    query: { readonly text?: string; readonly page?: number; readonly pageSize?: number },
  ): ArchiveContents | undefined {
    this.#forget();
    const held = this.#held.get(contentsId);
    if (held === undefined || held.userName !== userName) return undefined;
    held.untilMs = this.#clock.nowMs() + heldForMs;
    const text = query.text?.toLowerCase();
    const found =
      text === undefined ? held.entries : held.entries.filter(({ path }) => path.toLowerCase().includes(text));
    const { page, pageSize, offset } = pageBounds(query, 100);
    const items = found.slice(offset, offset + pageSize);
    return { contentsId, ...held.facts, items, page, pageSize, totalCount: found.length };
  }

  #forget(): void {
    const nowMs = this.#clock.nowMs();
    let entryCount = [...this.#held.values()].reduce((sum, { entries }) => sum + entries.length, 0);
    for (const [id, { untilMs, entries }] of this.#held) {
      const isLast = this.#held.size === 1;
      if (untilMs > nowMs && (isLast || (this.#held.size <= mostLists && entryCount <= mostHeldEntries))) continue;
      this.#held.delete(id);
      entryCount -= entries.length;
    }
  }
}

function factsOf(entry: ArchiveEntry): EntryFacts {
  const { path, kind, sizeBytes, sha256, metadata } = entry;
  const tables = archivedTables(entry).map((table) => ({ path: table.path, rows: table.rows }));
  const rows = metadata['rows'];
  return {
    path,
    kind,
    sizeBytes,
    sha256,
    ...(typeof rows === 'number' ? { rows } : {}),
    ...(tables.length > 0 ? { tables } : {}),
  };
}

function addToPart(
  parts: Map<string, { -readonly [Key in keyof Part]: Part[Key] }>,
  { path }: ArchiveEntry,
  { sizeBytes, rows = 0 }: EntryFacts,
): void {
  const [folder = '', name] = path.split('/', 2);
  const kind = kindOf[folder];
  if (kind === undefined || name === undefined) return;
  const key = `${folder}/${name}`;
  const part = parts.get(key) ?? { kind, name, entryCount: 0, sizeBytes: 0, rows: 0 };
  part.entryCount++;
  part.sizeBytes += sizeBytes;
  part.rows += rows;
  parts.set(key, part);
}
