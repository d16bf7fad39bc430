import { type Expression, type Kysely, sql } from 'kysely';
import { isRunning, processSpaceTag } from '../disk/process-life.ts';
import type { HistoryTables } from './history-schema.ts';
import type { RecordedError, RunArchiveState, RunKind, RunRecord, RunState } from './run-record.ts';
import { toRecord } from './run-rows.ts';

/** Reading a history that is long: pages of it, and what changed since it was read. */

/** Which runs. */
export interface RunPageQuery {
  readonly kind?: RunKind;
  readonly state?: RunState;
  readonly job?: string;
  readonly fromMs?: number;
  readonly untilMs?: number;
  readonly offset: number;
  readonly limit: number;
}

type Database = Kysely<HistoryTables>;

async function withArchives(database: Database, rows: readonly Parameters<typeof toRecord>[0][]): Promise<RunRecord[]> {
  if (rows.length === 0) return [];
  const archives = await database
    .selectFrom('run_archive')
    .selectAll()
    .where(
      'run_id',
      'in',
      rows.map(({ id }) => id),
    )
    .orderBy('run_id')
    .orderBy('position')
    .execute();
  const byRun = Map.groupBy(archives, ({ run_id: id }) => id);
  return rows.map((row) => toRecord(row, byRun.get(row.id) ?? []));
}

/** Runs in between, the newest first, 500 at most, and how many there are. */
export async function pageOfRuns(
  database: Database,
  { kind, state, job, fromMs, untilMs, offset, limit }: RunPageQuery,
): Promise<{ readonly items: RunRecord[]; readonly totalCount: number }> {
  let query = database.selectFrom('run');
  if (kind !== undefined) query = query.where('kind', '=', kind);
  // Of one that died the row may still say that it runs.
  if (state !== undefined) query = query.where('state', 'in', state === 'died' ? ['running', 'died'] : [state]);
  if (job !== undefined) query = query.where('job', '=', job);
  if (fromMs !== undefined) query = query.where('started_ms', '>=', fromMs);
  if (untilMs !== undefined) query = query.where('started_ms', '<', untilMs);
  const counted = await query.select(({ fn }) => fn.countAll().as('count')).executeTakeFirstOrThrow();
  const rows = await query
    .selectAll()
    .orderBy('started_ms', 'desc')
    .orderBy('id', 'desc')
    .offset(offset)
    .limit(Math.min(limit, 500))
    .execute();
  const records = await withArchives(database, rows);
  const items = state === undefined ? records : records.filter((record) => record.state === state);
  return { items, totalCount: Number(counted.count) };
}

/** A run; undefined where there is none. */
export async function findRun(database: Database, id: string): Promise<RunRecord | undefined> {
  const row = await database.selectFrom('run').selectAll().where('id', '=', id).executeTakeFirst();
  return row && (await withArchives(database, [row]))[0];
}

/** Why runs failed, by their ids; of those that did not there is nothing. */
export async function errorsOfRuns(
  database: Database,
  ids: readonly string[],
): Promise<ReadonlyMap<string, RecordedError>> {
  if (ids.length === 0) return new Map();
  const rows = await database
    .selectFrom('run')
    .select(['id', 'error'])
    .where('id', 'in', ids.slice(0, chunkSize))
    .execute();
  return new Map(rows.flatMap(({ id, error }) => (error === null ? [] : [[id, JSON.parse(error) as RecordedError]])));
}

/** The run that a process of this machine began last, not before a moment. */
export async function runOfProcess(
  database: Database,
  processId: number,
  startedMs: number,
): Promise<string | undefined> {
  const row = await database
    .selectFrom('run')
    .select('id')
    .where('started_ms', '>=', startedMs)
    .where('process_id', '=', processId)
    .where('process_space', '=', processSpaceTag())
    .orderBy('started_ms', 'desc')
    .executeTakeFirst();
  return row?.id;
}

/** What matters of a run where there are very many. */
export interface RunBrief {
  readonly id: string;
  readonly kind: RunKind;
  readonly job: string | undefined;
  readonly database: string | undefined;
  readonly state: RunState;
  readonly startedMs: number;
  /** In which order runs began. */
  readonly sequence: number;
  readonly endedMs: number | undefined;
  readonly sizeBytes: number | undefined;
}

/** What a run found of an archive. */
export interface ArchiveBrief {
  readonly runId: string;
  readonly url: string;
  readonly archiveId: string | undefined;
  readonly state: RunArchiveState;
}

/** How long the history is, and how far it reaches: both together tell whether anything was added. */
export async function extentOfRuns(database: Database): Promise<{ readonly count: number; readonly newestMs: number }> {
  const row = await database
    .selectFrom('run')
    .select(({ fn }) => [fn.countAll().as('count'), fn.max('started_ms').as('newest')])
    .executeTakeFirstOrThrow();
  return { count: Number(row.count), newestMs: Number(row.newest ?? 0) };
}

/** Runs are read so many at a time: others are heard in between. */
const chunkSize = 2000;

/** What was read of a part of the history. */
export interface RunChunk {
  /** The oldest first. */
  readonly runs: readonly RunBrief[];
  readonly archives: readonly ArchiveBrief[];
}

/** Runs that began at a moment or later, the oldest first, a part at a time. */
export async function* runsSince(database: Database, fromMs: number): AsyncGenerator<RunChunk> {
  let last: RunBrief | undefined;
  for (;;) {
    const after = last;
    let query = briefQuery(database).orderBy('started_ms').orderBy('id').limit(chunkSize);
    // The index is gone through from there on.
    query = query.where('started_ms', '>=', after?.startedMs ?? fromMs);
    if (after !== undefined) {
      query = query.where((where) =>
        where.or([
          where('started_ms', '>', after.startedMs),
          where.and([where('started_ms', '=', after.startedMs), where('id', '>', after.id)]),
        ]),
      );
    }
    const runs = (await query.execute()).map(toBrief);
    // By the same condition, since so many ids would take longer to be written down than to be found.
    const archives = runs.length > 0 ? await archivesOf(database, query.clearSelect().select('id')) : [];
    if (runs.length > 0) yield { runs, archives };
    if (runs.length < chunkSize) return;
    last = runs.at(-1);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Some runs, by their ids: so many as a statement takes values for. */
export async function runsById(database: Database, ids: readonly string[]): Promise<RunChunk> {
  if (ids.length === 0) return { runs: [], archives: [] };
  const rows = await briefQuery(database).where('id', 'in', ids.slice(0, chunkSize)).execute();
  const runs = rows.map(toBrief);
  return { runs, archives: await archivesOf(database, sql`(${sql.join(runs.map(({ id }) => id))})`) };
}

function briefQuery(database: Database) {
  return database
    .selectFrom('run')
    .select(['id', 'kind', 'job', 'database', 'state', 'started_ms', 'ended_ms', 'size_bytes'])
    .select(['process_id', 'process_space', 'sequence']);
}

function toBrief(row: Awaited<ReturnType<ReturnType<typeof briefQuery>['execute']>>[number]): RunBrief {
  const isGone = row.state === 'running' && row.process_space === processSpaceTag() && !isRunning(row.process_id);
  return {
    id: row.id,
    kind: row.kind as RunKind,
    job: row.job ?? undefined,
    database: row.database ?? undefined,
    state: isGone ? 'died' : (row.state as RunState),
    startedMs: Number(row.started_ms),
    sequence: Number(row.sequence),
    endedMs: row.ended_ms === null ? undefined : Number(row.ended_ms),
    sizeBytes: row.size_bytes === null ? undefined : Number(row.size_bytes),
  };
}

async function archivesOf(database: Database, runs: Expression<{ id: string }>): Promise<ArchiveBrief[]> {
  const rows = await database
    .selectFrom('run_archive')
    .select(['run_id', 'url', 'archive_id', 'state'])
    .where('run_id', 'in', runs as never)
    .execute();
  return rows.map((row) => ({
    runId: row.run_id,
    url: row.url,
    archiveId: row.archive_id ?? undefined,
    state: row.state as RunArchiveState,
  }));
}
