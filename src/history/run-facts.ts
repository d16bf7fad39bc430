import { type Kysely, type RawBuilder, sql } from 'kysely';
import { isRunning, processSpaceTag } from '../disk/process-life.ts';
import type { HistoryTables } from './history-schema.ts';
import type { RunArchiveState, RunKind, RunState } from './run-record.ts';

/** Runs that ended alike. */
export interface RunCount {
  readonly kind: RunKind;
  readonly database?: string;
  readonly state: RunState;
  readonly count: number;
  readonly healedBlocks: number;
}

/** The last run of a kind, of one database or of none, that ended. */
export interface LastRun {
  readonly kind: RunKind;
  readonly database?: string;
  readonly state: RunState;
  readonly startedMs: number;
  /** Absent where nobody saw the end. */
  readonly endedMs?: number;
}

/** The newest archive of a database on a storage that is good, and when one of them was last read through and found right. */
export interface PlaceFacts {
  readonly database: string;
  /** Absent where the archive went to a path. */
  readonly storage?: string;
  readonly lastSuccessMs?: number;
  readonly lastSizeBytes?: number;
  readonly lastProofMs?: number;
}

/** Archives on a storage, as the last run that saw each of them left it. */
export interface StorageFacts {
  readonly storage?: string;
  readonly state: RunArchiveState;
  readonly archiveCount: number;
  readonly sizeBytes: number;
}

/** What a history comes to, added up by the database: memory does not grow with the number of runs. */
export interface RunFacts {
  readonly counts: readonly RunCount[];
  readonly lastRuns: readonly LastRun[];
  readonly places: readonly PlaceFacts[];
  readonly storages: readonly StorageFacts[];
}

type Row = Readonly<Record<string, string | number | null>>;

/** Leaves out what is null; PostgreSQL gives large numbers as text. */
function readRow<Result>(row: Row, numbers: readonly (keyof Result)[]): Result {
  const present = Object.entries(row).filter(([, value]) => value !== null);
  return Object.fromEntries(
    present.map(([name, value]) => [name, (numbers as readonly string[]).includes(name) ? Number(value) : value]),
  ) as Result;
}

/** The tables of a history, as a statement names them. */
interface Tables {
  readonly run: RawBuilder<unknown>;
  readonly archive: RawBuilder<unknown>;
}

/** Reads what the history comes to. The SQL is what SQLite and PostgreSQL share; `schema` is where its tables are, unless in the default one. */
export async function readRunFacts(database: Kysely<HistoryTables>, schema: string | undefined): Promise<RunFacts> {
  const named = (table: string) => (schema === undefined ? sql.id(table) : sql.id(schema, table));
  const tables: Tables = { run: named('run'), archive: named('run_archive') };
  const read = async <Result>(query: ReturnType<typeof sql<Row>>, numbers: readonly (keyof Result)[]) =>
    (await query.execute(database)).rows.map((row) => readRow<Result>(row, numbers));
  const open = await read<OpenRun>(openRunQuery(tables), ['sequence', 'startedMs', 'processId']);
  const hasDied = ({ processId, processSpace }: OpenRun) => processSpace === processSpaceTag() && !isRunning(processId);
  const dead = open.filter(hasDied);
  return {
    counts: [
      ...(await read<RunCount>(countQuery(tables), ['count', 'healedBlocks'])),
      ...countOpen(dead, 'died'),
      ...countOpen(
        open.filter((run) => !hasDied(run)),
        'running',
      ),
    ],
    lastRuns: withDead(await read<EndedRun>(lastRunQuery(tables), ['sequence', 'startedMs', 'endedMs']), dead),
    places: await read<PlaceFacts>(placeQuery(tables), ['lastSuccessMs', 'lastSizeBytes', 'lastProofMs']),
    storages: await read<StorageFacts>(storageQuery(tables), ['archiveCount', 'sizeBytes']),
  };
}

/** A run whose end is not written. */
interface OpenRun extends Pick<LastRun, 'kind' | 'database' | 'startedMs'> {
  readonly sequence: number;
  readonly processId: number;
  readonly processSpace: string;
}

const keyOf = ({ kind, database }: Pick<LastRun, 'kind' | 'database'>) => JSON.stringify([kind, database]);

function countOpen(runs: readonly OpenRun[], state: 'died' | 'running'): RunCount[] {
  return [...Map.groupBy(runs, keyOf).values()].flatMap((group) =>
    group.slice(0, 1).map(({ kind, database }) => {
      const count = { kind, state, count: group.length, healedBlocks: 0 } as const;
      return database === undefined ? count : { ...count, database };
    }),
  );
}

interface EndedRun extends LastRun {
  readonly sequence: number;
}

/** A run that died is the last one where none that ended began later. */
function withDead(ended: readonly EndedRun[], dead: readonly OpenRun[]): LastRun[] {
  const last = new Map(ended.map((run) => [keyOf(run), run]));
  for (const { processId: _, processSpace: __, ...run } of dead) {
    if (run.sequence > (last.get(keyOf(run))?.sequence ?? -1)) last.set(keyOf(run), { ...run, state: 'died' });
  }
  return [...last.values()].map(({ sequence: _, ...run }) => run);
}

const openRunQuery = ({ run }: Tables) => sql<Row>`
  SELECT kind, database, sequence, started_ms AS "startedMs", process_id AS "processId", process_space AS "processSpace"
  FROM ${run} WHERE state = 'running' ORDER BY sequence, started_ms`;

const countQuery = ({ run }: Tables) => sql<Row>`
  SELECT kind, database, state, count(*) AS count, coalesce(sum(healed_blocks), 0) AS "healedBlocks"
  FROM ${run} WHERE state <> 'running' GROUP BY kind, database, state ORDER BY kind, database, state`;

const lastRunQuery = ({ run }: Tables) => sql<Row>`
  SELECT kind, database, state, sequence, started_ms AS "startedMs", ended_ms AS "endedMs" FROM (
    SELECT run.*, row_number() OVER (
      PARTITION BY kind, database ORDER BY sequence DESC, started_ms DESC, id DESC
    ) AS place
    FROM ${run} WHERE state <> 'running'
  ) AS ranked WHERE place = 1 ORDER BY kind, database`;

/**
 * A proof by another run than the backup (a verification, a scrub) tells no database: the backup that made the archive at that place does. An
 * archive that is proven as it is written has both times.
 */
const placeQuery = ({ run, archive }: Tables) => sql<Row>`
  WITH made AS (
    SELECT url, run_archive.storage AS storage, coalesce(run_archive.database, run.database) AS database, ended_ms, sequence,
      run_archive.size_bytes AS size_bytes, run_archive.state AS state,
      row_number() OVER (PARTITION BY url ORDER BY sequence DESC, started_ms DESC, id DESC) AS place
    FROM ${archive} JOIN ${run} ON run.id = run_archive.run_id
    WHERE run.kind = 'backup' AND coalesce(run_archive.database, run.database) IS NOT NULL
  ), good AS (
    SELECT database, storage, ended_ms, size_bytes,
      row_number() OVER (PARTITION BY database, storage ORDER BY sequence DESC, ended_ms DESC) AS place
    FROM made WHERE state IN ('written', 'proven', 'found') AND ended_ms IS NOT NULL
  ), proof AS (
    SELECT made.database AS database, made.storage AS storage, max(run.ended_ms) AS ended_ms
    FROM ${archive} JOIN ${run} ON run.id = run_archive.run_id JOIN made ON made.url = run_archive.url AND made.place = 1
    WHERE run_archive.state = 'proven' GROUP BY made.database, made.storage
  ), known AS (SELECT DISTINCT database, storage FROM made)
  SELECT known.database AS database, known.storage AS storage, good.ended_ms AS "lastSuccessMs",
    good.size_bytes AS "lastSizeBytes", proof.ended_ms AS "lastProofMs"
  FROM known
  LEFT JOIN good ON good.place = 1 AND good.database = known.database
    AND coalesce(good.storage, '') = coalesce(known.storage, '')
  LEFT JOIN proof ON proof.database = known.database AND coalesce(proof.storage, '') = coalesce(known.storage, '')
  ORDER BY known.database, known.storage`;

/** What was found, but not judged, keeps the state that it had. */
const storageQuery = ({ run, archive }: Tables) => sql<Row>`
  SELECT storage, state, count(*) AS "archiveCount", coalesce(sum(size_bytes), 0) AS "sizeBytes" FROM (
    SELECT url, run_archive.storage AS storage, run_archive.state AS state,
      max(run_archive.size_bytes) OVER (PARTITION BY url) AS size_bytes,
      row_number() OVER (
        PARTITION BY url ORDER BY CASE run_archive.state WHEN 'found' THEN 1 ELSE 0 END, sequence DESC, started_ms DESC, id DESC
      ) AS place
    FROM ${archive} JOIN ${run} ON run.id = run_archive.run_id WHERE run_archive.state <> 'pending'
  ) AS ranked WHERE place = 1 AND state NOT IN ('removed', 'failed')
  GROUP BY storage, state ORDER BY storage, state`;
