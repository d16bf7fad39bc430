import { type Kysely, sql } from 'kysely';
import { processSpaceTag } from '../disk/process-life.ts';
import { type Random, systemRandom } from '../random.ts';
import type { Secret } from '../secret.ts';
import { type BlockMap, forgetBlockMaps, readBlockMaps, writeBlockMap } from './block-maps.ts';
import { CatalogueState } from './catalogue-state.ts';
import type { DeliveryTable, HistoryTables, RunTable } from './history-schema.ts';
import type { HistoryStore } from './history-store.ts';
import { freeJob, isHolderDead } from './job-rows.ts';
import { insertArchives, readPlainDigests } from './run-archives.ts';
import { type RunFacts, readRunFacts } from './run-facts.ts';
import { readRunLog, writeRunLog } from './run-logs.ts';
import type {
  BegunRun,
  DrillProof,
  EndedRun,
  PlainDigest,
  RecordedDelivery,
  RunKind,
  RunLogLine,
  RunRecord,
} from './run-record.ts';
import { toDelivery, toRecord } from './run-rows.ts';

/** Which runs are wanted. */
export interface RunFilter {
  readonly kind?: RunKind;
  /** Of this job of the schedule. */
  readonly job?: string;
  /** For this moment of the schedule. */
  readonly scheduledMs?: number;
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
 * Several processes may use one at once; of PostgreSQL those of many machines.
 *
 * @example
 * const history = await openHistory({ path: '.holdfast/history.db' });
 * for (const { kind, state, startedMs } of await history.runs({ limit: 10 })) console.log(kind, state, new Date(startedMs));
 * await history.close();
 */
export class History {
  readonly #store: HistoryStore;
  readonly #database: Kysely<HistoryTables>;
  readonly #random: Random;

  constructor(store: HistoryStore, random: Random) {
    this.#store = store;
    this.#database = store.database;
    this.#random = random;
  }

  /** The tables themselves, for what else is kept beside the runs: the users of the web admin. */
  get database(): Kysely<HistoryTables> {
    return this.#database;
  }

  /** What this history knows of the catalogues of storages. */
  get catalogue(): CatalogueState {
    return new CatalogueState(this.#store, this.#random);
  }

  /** Writes that a run has begun; gives its id. */
  async begin({ archives = [], id = this.#newId(), isRebuilt = false, ...run }: BegunRun): Promise<string> {
    const row: Omit<RunTable, 'sequence'> = {
      id,
      kind: run.kind,
      job: run.job ?? null,
      scheduled_ms: asWhole(run.scheduledMs),
      database: run.database ?? null,
      state: 'running',
      started_ms: Math.round(run.startedMs),
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
    await this.#transaction(async (transaction) => {
      // Where a connection is lost with the answer, the row of the first try may be there.
      const made = await transaction
        .insertInto('run')
        .values((values) => ({
          ...row,
          sequence: isRebuilt
            ? 0
            : values
                .selectFrom('run')
                .select(({ fn }) => sql<number>`coalesce(${fn.max('sequence')}, 0) + 1`.as('next')),
        }))
        .onConflict((conflict) => conflict.column('id').doNothing())
        .executeTakeFirst();
      if ((made.numInsertedOrUpdatedRows ?? 0n) > 0n) await insertArchives(transaction, id, archives);
    });
    return id;
  }

  /** Whether a run has this id. */
  async hasRun(id: string): Promise<boolean> {
    const find = () => this.#database.selectFrom('run').select('id').where('id', '=', id).executeTakeFirst();
    return (await this.#store.attempt(find)) !== undefined;
  }

  /** Writes how it ended. */
  async end(id: string, run: EndedRun): Promise<void> {
    const changes: Partial<RunTable> = {
      state: run.state,
      ended_ms: Math.round(run.endedMs),
      size_bytes: run.sizeBytes ?? null,
      plain_size_bytes: run.plainSizeBytes ?? null,
      entry_count: run.entryCount ?? null,
      row_count: run.rowCount ?? null,
      healed_blocks: run.healedBlocks ?? null,
      phases: JSON.stringify(run.phases),
      error: run.error === undefined ? null : JSON.stringify(run.error),
    };
    await this.#transaction(async (transaction) => {
      await transaction.updateTable('run').set(changes).where('id', '=', id).execute();
      await transaction.deleteFrom('run_archive').where('run_id', '=', id).execute();
      await insertArchives(transaction, id, run.archives);
      await forgetBlockMaps(transaction, run.archives);
      if (run.log !== undefined) await writeRunLog(transaction, id, { atMs: Math.round(run.endedMs), lines: run.log });
      await transaction.deleteFrom('drill').where('run_id', '=', id).execute();
      if (run.proof === undefined) return;
      await transaction
        .insertInto('drill')
        .values({ run_id: id, proof: JSON.stringify(run.proof) })
        .execute();
    });
  }

  /** Writes what became of notifications. */
  async addDeliveries(deliveries: readonly RecordedDelivery[]): Promise<void> {
    for (const { event, type, place, sent, tries, atMs, runId, error } of deliveries) {
      const row: DeliveryTable = {
        id: this.#newId(),
        run_id: runId ?? null,
        event,
        type,
        place,
        sent: sent ? 1 : 0,
        tries,
        at_ms: Math.round(atMs),
        error: error === undefined ? null : JSON.stringify(error),
      };
      await this.#store.attempt(() =>
        this.#database
          .insertInto('delivery')
          .values(row)
          .onConflict((conflict) => conflict.doNothing())
          .execute(),
      );
    }
  }

  /** What became of notifications, the newest first. */
  async deliveries({ limit }: Pick<RunFilter, 'limit'> = {}): Promise<RecordedDelivery[]> {
    let query = this.#database.selectFrom('delivery').selectAll().orderBy('at_ms', 'desc').orderBy('id', 'desc');
    if (limit !== undefined) query = query.limit(limit);
    return (await this.#store.attempt(() => query.execute())).map(toDelivery);
  }

  /** Runs, the one that began last first, whatever the clock said. Those whose process is gone have died. */
  async runs(filter: RunFilter = {}): Promise<RunRecord[]> {
    return await this.#store.attempt(() => this.#readRuns(filter));
  }

  /** What plain dumps were when they were written, the newest run first; last, what they were when the history was rebuilt. */
  async plainDigests(): Promise<readonly PlainDigest[]> {
    return await this.#store.attempt(() => readPlainDigests(this.#database));
  }

  async #readRuns({ kind, job, scheduledMs, limit }: RunFilter): Promise<RunRecord[]> {
    let query = this.#database
      .selectFrom('run')
      .selectAll()
      .orderBy('sequence', 'desc')
      .orderBy('started_ms', 'desc')
      .orderBy('id', 'desc');
    if (kind !== undefined) query = query.where('kind', '=', kind);
    if (job !== undefined) query = query.where('job', '=', job);
    if (scheduledMs !== undefined) query = query.where('scheduled_ms', '=', scheduledMs);
    if (limit !== undefined) query = query.limit(limit);
    const rows = await query.execute();
    let archives = this.#database.selectFrom('run_archive').selectAll().orderBy('run_id').orderBy('position');
    let proofs = this.#database.selectFrom('drill').selectAll();
    let deliveries = this.#database.selectFrom('delivery').selectAll().where('run_id', 'is not', null).orderBy('at_ms');
    if (rows.length === 0) return [];
    // A statement takes some thousand values; beyond that all of them are read.
    if (rows.length <= 1000) {
      const ids = rows.map(({ id }) => id);
      archives = archives.where('run_id', 'in', ids);
      proofs = proofs.where('run_id', 'in', ids);
      deliveries = deliveries.where('run_id', 'in', ids);
    }
    const byRun = Map.groupBy(await archives.execute(), ({ run_id: id }) => id);
    const proofOf = new Map((await proofs.execute()).map(({ run_id: id, proof }) => [id, proof]));
    const told = Map.groupBy(await deliveries.execute(), ({ run_id: id }) => id);
    return rows.map((row) => {
      const record = toRecord(row, byRun.get(row.id) ?? []);
      const proof = proofOf.get(row.id);
      const notifications = told.get(row.id)?.map(toDelivery);
      return {
        ...record,
        ...(proof === undefined ? {} : { proof: JSON.parse(proof) as DrillProof }),
        ...(notifications === undefined ? {} : { notifications }),
      };
    });
  }

  /** What a run told on its way: of the newest 2,000 runs. */
  async runLog(id: string): Promise<readonly RunLogLine[]> {
    return await this.#store.attempt(() => readRunLog(this.#database, id));
  }

  /** Writes what was found of the blocks of the archive at a place, as `Storage.url` gives it. */
  async setBlockMap(url: string, map: BlockMap): Promise<void> {
    await this.#transaction((transaction) => writeBlockMap(transaction, url, map));
  }

  /** What was found last of the blocks of archives, by their places: of the 10,000 that were looked at last. */
  async blockMaps(urls: readonly string[]): Promise<ReadonlyMap<string, BlockMap>> {
    return await this.#store.attempt(() => readBlockMaps(this.#database, urls));
  }

  /** What all runs come to. */
  async facts(): Promise<RunFacts> {
    return await this.#store.attempt(() => readRunFacts(this.#database, this.#store.schema));
  }

  /** How far a job is done; undefined where it was never seen. */
  async handledMs(job: string): Promise<number | undefined> {
    const row = await this.#store.attempt(() =>
      this.#database.selectFrom('job').select('handled_ms').where('name', '=', job).executeTakeFirst(),
    );
    return row?.handled_ms === undefined || row.handled_ms === null ? undefined : Number(row.handled_ms);
  }

  /** Writes how far a job is done. */
  async setHandledMs(job: string, handledMs: number): Promise<void> {
    const wholeMs = Math.round(handledMs);
    await this.#store.attempt(() =>
      this.#database
        .insertInto('job')
        .values({ ...freeJob, name: job, handled_ms: wholeMs })
        .onConflict((conflict) => conflict.column('name').doUpdateSet({ handled_ms: wholeMs }))
        .execute(),
    );
  }

  /**
   * Takes a job, unless another holds it: until its lease is over, or, on this machine, its process is gone. Undefined where it is held.
   * `nowMs` is that of this machine; a history in PostgreSQL goes by the clock of its server.
   */
  async takeLease(job: string, times: { nowMs: number; durationMs: number }): Promise<Lease | undefined> {
    const token = this.#newId();
    return (await this.#store.attempt(() => this.#take(job, token, times))) ? { job, token } : undefined;
  }

  async #take(
    job: string,
    token: string,
    { nowMs, durationMs }: { nowMs: number; durationMs: number },
  ): Promise<boolean> {
    const holder = await this.#database.selectFrom('job').selectAll().where('name', '=', job).executeTakeFirst();
    // The answer to an earlier try was lost.
    if (holder?.lease_token === token) return true;
    const deadToken = holder !== undefined && isHolderDead(holder) ? holder.lease_token : null;
    const now = this.#store.leaseNowMs(nowMs);
    const held = {
      lease_token: token,
      lease_until_ms: sql<number>`${now} + ${durationMs}`,
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
              where('job.lease_until_ms', '<=', now),
              // A lease from beyond its length was made by a clock that was wrong.
              where('job.lease_until_ms', '>', sql<number>`${now} + ${2 * durationMs}`),
              where('job.lease_token', '=', deadToken),
            ]),
          ),
      )
      .executeTakeFirst();
    return (result.numInsertedOrUpdatedRows ?? 0n) > 0n;
  }

  /** Holds a job for longer; false where another has taken it since. */
  async renewLease(
    { job, token }: Lease,
    { nowMs, durationMs }: { nowMs: number; durationMs: number },
  ): Promise<boolean> {
    const untilMs = sql<number>`${this.#store.leaseNowMs(nowMs)} + ${durationMs}`;
    const result = await this.#store.attempt(() =>
      this.#database
        .updateTable('job')
        .set({ lease_until_ms: untilMs })
        .where('name', '=', job)
        .where('lease_token', '=', token)
        .executeTakeFirst(),
    );
    return result.numUpdatedRows > 0n;
  }

  /** Lets a job go; one that another has taken stays his. */
  async releaseLease({ job, token }: Lease): Promise<void> {
    await this.#store.attempt(() =>
      this.#database
        .updateTable('job')
        .set({ lease_token: null, lease_until_ms: null })
        .where('name', '=', job)
        .where('lease_token', '=', token)
        .execute(),
    );
  }

  /** Writes that runs of a job which have no end have died: whoever holds the job knows that nobody else is at it. */
  async buryRuns(job: string): Promise<void> {
    await this.#store.attempt(() =>
      this.#database
        .updateTable('run')
        .set({ state: 'died' })
        .where('job', '=', job)
        .where('state', '=', 'running')
        .execute(),
    );
  }

  async close(): Promise<void> {
    await this.#database.destroy();
  }

  async #transaction(work: (transaction: Kysely<HistoryTables>) => Promise<void>): Promise<void> {
    await this.#store.attempt(() => this.#database.transaction().execute(work));
  }

  #newId(): string {
    return Buffer.from(this.#random.bytes(12)).toString('hex');
  }
}

/** The columns take no fractions, which the times of some file systems have. */
const asWhole = (value: number | undefined) => (value === undefined ? null : Math.round(value));

/** How {@link openHistory} opens a history: a file of SQLite, or a schema of PostgreSQL. */
export type OpenHistoryOptions = { readonly random?: Random } & (
  | {
      /** The file; it is made, with its folder, where it is missing. */
      readonly path: string;
    }
  | {
      /** `postgres://…`, of a database that is there. */
      readonly url: Secret;
      /** `holdfast` unless set; it is made where it is missing. */
      readonly schema?: string;
    }
);

/** Opens a history; close it. Throws `history.unavailable`. */
export async function openHistory({ random = systemRandom, ...place }: OpenHistoryOptions): Promise<History> {
  if ('path' in place) {
    const { openSqlite } = await import('./open-sqlite.ts');
    return new History(await openSqlite(place.path), random);
  }
  const { openPostgres } = await import('./open-postgres.ts');
  return new History(await openPostgres(place), random);
}
