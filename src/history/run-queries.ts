import type { Kysely } from 'kysely';
import { isRunning, processSpaceTag } from '../disk/process-life.ts';
import { toRecord } from './history.ts';
import type { HistoryTables } from './history-schema.ts';
import type { RunArchiveState, RunKind, RunRecord, RunState } from './run-record.ts';

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
  // Of one that died the row still says that it runs.
  if (state !== undefined) query = query.where('state', '=', state === 'died' ? 'running' : state);
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
  readonly kind: string;
  readonly job: string | undefined;
  readonly database: string | undefined;
  readonly state: RunState;
  readonly startedMs: number;
  readonly endedMs: number | undefined;
  readonly sizeBytes: number | undefined;
}

/** What a run found of an archive. */
export interface ArchiveBrief {
  readonly runId: string;
  readonly url: string;
  readonly storage: string | undefined;
  readonly name: string | undefined;
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

/** Runs that began at a moment or later, or have one of some ids; the oldest first. */
export async function runBriefs(
  database: Database,
  which: { readonly fromMs: number } | { readonly ids: readonly string[] },
): Promise<{ readonly runs: RunBrief[]; readonly archives: ArchiveBrief[] }> {
  const isRange = 'fromMs' in which;
  if (!isRange && which.ids.length === 0) return { runs: [], archives: [] };
  let runs = database
    .selectFrom('run')
    .select([
      'id',
      'kind',
      'job',
      'database',
      'state',
      'started_ms',
      'ended_ms',
      'size_bytes',
      'process_id',
      'process_space',
    ])
    .orderBy('started_ms')
    .orderBy('id');
  runs = isRange ? runs.where('started_ms', '>=', which.fromMs) : runs.where('id', 'in', which.ids);
  let archives = database
    .selectFrom('run_archive')
    .innerJoin('run', 'run.id', 'run_archive.run_id')
    .select(['run_id', 'url', 'storage', 'name', 'archive_id', 'run_archive.state as state']);
  archives = isRange ? archives.where('run.started_ms', '>=', which.fromMs) : archives.where('run_id', 'in', which.ids);
  const space = processSpaceTag();
  return {
    runs: (await runs.execute()).map((row) => {
      const isGone = row.state === 'running' && row.process_space === space && !isRunning(row.process_id);
      return {
        id: row.id,
        kind: row.kind,
        job: row.job ?? undefined,
        database: row.database ?? undefined,
        state: isGone ? 'died' : (row.state as RunState),
        startedMs: Number(row.started_ms),
        endedMs: row.ended_ms === null ? undefined : Number(row.ended_ms),
        sizeBytes: row.size_bytes === null ? undefined : Number(row.size_bytes),
      };
    }),
    archives: (await archives.execute()).map((row) => ({
      runId: row.run_id,
      url: row.url,
      storage: row.storage ?? undefined,
      name: row.name ?? undefined,
      archiveId: row.archive_id ?? undefined,
      state: row.state as RunArchiveState,
    })),
  };
}
