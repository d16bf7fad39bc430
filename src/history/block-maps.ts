import type { Kysely } from 'kysely';
import type { BlockMapTable, HistoryTables } from './history-schema.ts';
import type { RunArchive } from './run-record.ts';

/** What was found of the blocks of an archive at one place, when it was read last. */
export interface BlockMap {
  /** Hex: another archive may have taken its name since. */
  readonly archiveId: string;
  readonly lookedMs: number;
  /** Blocks of a copy. */
  readonly perCopy: number;
  readonly damaged: number;
  readonly solved: number;
  readonly lost: number;
  /** Data and parity blocks of a stripe. */
  readonly dataBlocks: number;
  readonly parityBlocks: number;
  /**
   * A character for each cell of a copy from its start to its end; a cell is one block, or where there are more than 4,096 as many as need be,
   * and tells the worst of them: `.` not read, `=` whole, `~` damaged and healed since, `+` damaged and to be healed from elsewhere, `#` holds
   * what is lost.
   */
  readonly copies: readonly string[];
}

type Database = Kysely<HistoryTables>;

/** So many maps are kept, of the places that were looked at last: one without damage takes some hundred bytes, and the worst some 16 KiB. */
const keptMaps = 10_000;
const mostCells = 4096;
const mostCopies = 16;

/** Cells in few characters: each run of equal ones with its length, `=4096`, and copies apart by `/`. */
export function encodeCells(copies: readonly string[]): string {
  return copies.map((cells) => cells.replace(/(.)\1*/g, (run) => `${run[0]}${run.length}`)).join('/');
}

/** What {@link encodeCells} wrote; undefined where it is nothing of the kind. */
export function decodeCells(text: string): string[] | undefined {
  const parts = text.split('/');
  if (parts.length > mostCopies || !parts.every((part) => /^(?:[.=~+#][1-9]\d{0,3})*$/.test(part))) return undefined;
  const copies = parts.map((part) =>
    part.replace(/(.)(\d+)/g, (_, cell: string, count: string) => cell.repeat(Number(count))),
  );
  return copies.every((cells) => cells.length <= mostCells) ? copies : undefined;
}

/** Writes what was found at a place, as `Storage.url` gives it; the maps of the places that nobody looked at for longest make room. */
export async function writeBlockMap(database: Database, url: string, map: BlockMap): Promise<void> {
  const values: Omit<BlockMapTable, 'url'> = {
    archive_id: map.archiveId,
    looked_ms: Math.round(map.lookedMs),
    per_copy: map.perCopy,
    damaged: map.damaged,
    solved: map.solved,
    lost: map.lost,
    data_blocks: map.dataBlocks,
    parity_blocks: map.parityBlocks,
    cells: encodeCells(map.copies),
  };
  await database
    .insertInto('block_map')
    .values({ url, ...values })
    .onConflict((conflict) => conflict.column('url').doUpdateSet(values))
    .execute();
  const oldest = await database
    .selectFrom('block_map')
    .select('looked_ms')
    .orderBy('looked_ms', 'desc')
    .offset(keptMaps)
    .limit(1)
    .executeTakeFirst();
  if (oldest !== undefined) await database.deleteFrom('block_map').where('looked_ms', '<=', oldest.looked_ms).execute();
}

/** Forgets what was found of archives that are no longer where they were: they were removed, or another has their name. */
export async function forgetBlockMaps(database: Database, archives: readonly RunArchive[]): Promise<void> {
  for (const { url, archiveId, state } of archives) {
    const ofPlace = database.deleteFrom('block_map').where('url', '=', url);
    if (state === 'removed') await ofPlace.execute();
    else if (archiveId !== undefined) await ofPlace.where('archive_id', '!=', archiveId).execute();
  }
}

/** What was found at places; those at which nobody looked are left out. */
export async function readBlockMaps(
  database: Database,
  urls: readonly string[],
): Promise<ReadonlyMap<string, BlockMap>> {
  if (urls.length === 0) return new Map();
  const rows = await database.selectFrom('block_map').selectAll().where('url', 'in', urls).execute();
  return new Map(
    rows.flatMap((row) => {
      const copies = decodeCells(row.cells);
      return copies === undefined ? [] : [[row.url, toBlockMap(row, copies)] as const];
    }),
  );
}

/** PostgreSQL gives its large numbers as text. */
function toBlockMap(row: BlockMapTable, copies: readonly string[]): BlockMap {
  return {
    archiveId: row.archive_id,
    lookedMs: Number(row.looked_ms),
    perCopy: Number(row.per_copy),
    damaged: Number(row.damaged),
    solved: Number(row.solved),
    lost: Number(row.lost),
    dataBlocks: row.data_blocks,
    parityBlocks: row.parity_blocks,
    copies,
  };
}
