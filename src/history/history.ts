import type { Kysely } from 'kysely';
import { isRunning, processSpaceTag } from '../disk/process-life.ts';
import { type Random, systemRandom } from '../random.ts';
import type { HistoryTables, JobTable, RunArchiveTable, RunTable } from './history-schema.ts';
import { openSqlite } from './open-sqlite.ts';
import type { BegunRun, EndedRun, RunArchive, RunArchiveState, RunKind, RunRecord, RunState } from './run-record.ts';

/** Which runs are wanted. */
export interface RunFilter {
  readonly kind?: RunKind;
  /** The newest so many; all unless set. */
  readonly limit?: number;
}

/** What is at a place, as the history knows it. */
export interface KnownArchive {
  readonly isProven: boolean;
  readonly isDoubtful: boolean;
}

/** Somebody's hold on a job, for a while. */
export interface Lease {
  readonly job: string;
  readonly token: string;
}

/**
 * The record of runs. It tells what happened; nothing is lost with it but that: archives and pins are on their storages.
 * Several processes may use one file at once.
 *
 * @example
 * const history = await openHistory({ path: '.holdfast/history.db' });
 * for (const { kind, state, startedMs } of await history.runs({ limit: 10 })) console.log(kind, state, new Date(startedMs));
 * await history.close();
 */
export class History {
  readonly #database: Kysely<HistoryTables>;
  readonly #random: Random;

  constructor(database: Kysely<HistoryTables>, random: Random) {
    this.#database = database;
    this.#random = random;
  }

  /** The tables themselves, for what else is kept beside the runs: the users of the web admin. */
  get database(): Kysely<HistoryTables> {
    return this.#database;
  }

  /** Writes that a run has begun; gives its id. */
  async begin({ archives = [], ...run }: BegunRun): Promise<string> {
    const id = this.#newId();
    const row: RunTable = {
      id,
      kind: run.kind,
      job: run.job ?? null,
      database: run.database ?? null,
      state: 'running',
      started_ms: run.startedMs,
      ended_ms: null,
      process_id: process.pid,
      process_space: processSpaceTag(),
      size_bytes: null,
      plain_size_bytes: null,
      entry_count: null,
      row_count: null,
      healed_blocks: null,
      phases: '[]',
      error: null,
    };
    await this.#database.transaction().execute(async (transaction) => {
      await transaction.insertInto('run').values(row).execute();
      await insertArchives(transaction, id, archives);
    });
    return id;
  }

  /** Writes how it ended. */
  async end(id: string, run: EndedRun): Promise<void> {
    const changes: Partial<RunTable> = {
      state: run.state,
      ended_ms: run.endedMs,
      size_bytes: run.sizeBytes ?? null,
      plain_size_bytes: run.plainSizeBytes ?? null,
      entry_count: run.entryCount ?? null,
      row_count: run.rowCount ?? null,
      healed_blocks: run.healedBlocks ?? null,
      phases: JSON.stringify(run.phases),
      error: run.error === undefined ? null : JSON.stringify(run.error),
    };
    await this.#database.transaction().execute(async (transaction) => {
      await transaction.updateTable('run').set(changes).where('id', '=', id).execute();
      await transaction.deleteFrom('run_archive').where('run_id', '=', id).execute();
      await insertArchives(transaction, id, run.archives);
    });
  }

  /** Runs, the newest first. Those whose process is gone have died. */
  async runs({ kind, limit }: RunFilter = {}): Promise<RunRecord[]> {
    let query = this.#database.selectFrom('run').selectAll().orderBy('started_ms', 'desc').orderBy('id', 'desc');
    if (kind !== undefined) query = query.where('kind', '=', kind);
    if (limit !== undefined) query = query.limit(limit);
    const rows = await query.execute();
    let archives = this.#database.selectFrom('run_archive').selectAll().orderBy('run_id').orderBy('position');
    if (limit !== undefined && rows.length > 0) {
      archives = archives.where('run_id', 'in', rows.map(({ id }) => id).slice(0, 1000));
    }
    const byRun = Map.groupBy(await archives.execute(), ({ run_id: id }) => id);
    return rows.map((row) => toRecord(row, byRun.get(row.id) ?? []));
  }

  /** How far a job is done; undefined where it was never seen. */
  async handledMs(job: string): Promise<number | undefined> {
    const row = await this.#database.selectFrom('job').select('handled_ms').where('name', '=', job).executeTakeFirst();
    return row?.handled_ms === undefined || row.handled_ms === null ? undefined : Number(row.handled_ms);
  }

  /** Writes how far a job is done. */
  async setHandledMs(job: string, handledMs: number): Promise<void> {
    await this.#database
      .insertInto('job')
      .values({ ...freeJob, name: job, handled_ms: handledMs })
      .onConflict((conflict) => conflict.column('name').doUpdateSet({ handled_ms: handledMs }))
      .execute();
  }

  /**
   * Takes a job, unless another holds it: until its lease is over, or, on this machine, its process is gone. Undefined where it is held.
   */
  async takeLease(
    job: string,
    { nowMs, durationMs }: { nowMs: number; durationMs: number },
  ): Promise<Lease | undefined> {
    const holder = await this.#database.selectFrom('job').selectAll().where('name', '=', job).executeTakeFirst();
    const deadToken = holder !== undefined && isDead(holder) ? holder.lease_token : null;
    const token = this.#newId();
    const held = {
      lease_token: token,
      lease_until_ms: nowMs + durationMs,
      process_id: process.pid,
      process_space: processSpaceTag(),
    };
    // One statement, so that of two processes one gets it.
    const result = await this.#database
      .insertInto('job')
      .values({ name: job, handled_ms: null, ...held })
      .onConflict((conflict) =>
        conflict
          .column('name')
          .doUpdateSet(held)
          .where((where) =>
            where.or([
              where('job.lease_token', 'is', null),
              where('job.lease_until_ms', '<=', nowMs),
              // A lease from beyond its length was made by a clock that was wrong.
              where('job.lease_until_ms', '>', nowMs + 2 * durationMs),
              where('job.lease_token', '=', deadToken),
            ]),
          ),
      )
      .executeTakeFirst();
    return (result.numInsertedOrUpdatedRows ?? 0n) > 0n ? { job, token } : undefined;
  }

  /** Holds a job for longer; false where another has taken it since. */
  async renewLease(
    { job, token }: Lease,
    { nowMs, durationMs }: { nowMs: number; durationMs: number },
  ): Promise<boolean> {
    const result = await this.#database
      .updateTable('job')
      .set({ lease_until_ms: nowMs + durationMs })
      .where('name', '=', job)
      .where('lease_token', '=', token)
      .executeTakeFirst();
    return result.numUpdatedRows > 0n;
  }

  /** Lets a job go; one that another has taken stays his. */
  async releaseLease({ job, token }: Lease): Promise<void> {
    await this.#database
      .updateTable('job')
      .set({ lease_token: null, lease_until_ms: null })
      .where('name', '=', job)
      .where('lease_token', '=', token)
      .execute();
  }

  async close(): Promise<void> {
    await this.#database.destroy();
  }

  #newId(): string {
    return Buffer.from(this.#random.bytes(12)).toString('hex');
  }
}

const freeJob: Omit<JobTable, 'name' | 'handled_ms'> = {
  lease_token: null,
  lease_until_ms: null,
  process_id: null,
  process_space: null,
};

function isDead({ process_id: processId, process_space: space }: JobTable): boolean {
  return processId !== null && space === processSpaceTag() && !isRunning(processId);
}

async function insertArchives(
  database: Kysely<HistoryTables>,
  runId: string,
  archives: readonly RunArchive[],
): Promise<void> {
  for (const [position, archive] of archives.entries()) {
    const row: RunArchiveTable = {
      run_id: runId,
      position,
      url: archive.url,
      storage: archive.storage ?? null,
      name: archive.name ?? null,
      database: archive.database ?? null,
      archive_id: archive.archiveId ?? null,
      size_bytes: archive.sizeBytes ?? null,
      state: archive.state,
      error: archive.error === undefined ? null : JSON.stringify(archive.error),
    };
    await database.insertInto('run_archive').values(row).execute();
  }
}

/** Leaves out what the table has no value for. */
function present<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], null> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null)) as never;
}

const asNumber = (value: number | null) => (value === null ? null : Number(value));
const asError = (value: string | null) => (value === null ? null : JSON.parse(value));

/** A row as the record that it is. */
export function toRecord(row: RunTable, archives: readonly RunArchiveTable[]): RunRecord {
  const hasDied = row.state === 'running' && row.process_space === processSpaceTag() && !isRunning(row.process_id);
  return {
    id: row.id,
    kind: row.kind as RunKind,
    state: hasDied ? 'died' : (row.state as RunState),
    startedMs: Number(row.started_ms),
    phases: JSON.parse(row.phases),
    ...present({
      job: row.job,
      database: row.database,
      endedMs: asNumber(row.ended_ms),
      sizeBytes: asNumber(row.size_bytes),
      plainSizeBytes: asNumber(row.plain_size_bytes),
      entryCount: asNumber(row.entry_count),
      rowCount: asNumber(row.row_count),
      healedBlocks: asNumber(row.healed_blocks),
      error: asError(row.error),
    }),
    archives: archives.map(toArchive),
  };
}

function toArchive(row: RunArchiveTable): RunArchive {
  return {
    url: row.url,
    state: row.state as RunArchiveState,
    ...present({
      storage: row.storage,
      name: row.name,
      database: row.database,
      archiveId: row.archive_id,
      sizeBytes: asNumber(row.size_bytes),
      error: asError(row.error),
    }),
  };
}

/** How {@link openHistory} opens a history. */
export interface OpenHistoryOptions {
  /** A file of SQLite; it is made, with its folder, where it is missing. */
  readonly path: string;
  readonly random?: Random;
}

/** Opens a history; close it. Throws `history.unavailable`. */
export async function openHistory({ path, random = systemRandom }: OpenHistoryOptions): Promise<History> {
  return new History(await openSqlite(path), random);
}
