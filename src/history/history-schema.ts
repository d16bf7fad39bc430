import { type Kysely, sql } from 'kysely';
import { type AccessTables, createAccessTables } from './access/access-schema.ts';
import { type CatalogueTables, createCatalogueTables } from './catalogue-schema.ts';

/** A run. Counts are absent where a run has none of the kind. */
export interface RunTable {
  readonly id: string;
  readonly kind: string;
  readonly job: string | null;
  /** The moment of the schedule that it is for, or when it was put into a queue. */
  readonly scheduled_ms: number | null;
  readonly database: string | null;
  readonly state: string;
  readonly started_ms: number;
  /** In which order runs began, whatever the clock said then; 0 where it is not known. */
  readonly sequence: number;
  readonly ended_ms: number | null;
  readonly process_id: number;
  /** Where the number was given. */
  readonly process_space: string;
  readonly size_bytes: number | null;
  readonly plain_size_bytes: number | null;
  readonly entry_count: number | null;
  readonly row_count: number | null;
  readonly healed_blocks: number | null;
  /** JSON: `{ name, durationMs }[]`. */
  readonly phases: string;
  /** JSON: `{ code, message, hint }`. */
  readonly error: string | null;
}

/** What a run found of an archive at one place, or did to it. */
export interface RunArchiveTable {
  readonly run_id: string;
  /** Its place among those of the run. */
  readonly position: number;
  readonly url: string;
  readonly storage: string | null;
  readonly name: string | null;
  readonly database: string | null;
  readonly archive_id: string | null;
  readonly size_bytes: number | null;
  /** Of a plain dump as it was written. */
  readonly sha256: string | null;
  readonly state: string;
  readonly error: string | null;
}

/** How far a job is done, and who is at it. */
export interface JobTable {
  readonly name: string;
  readonly handled_ms: number | null;
  readonly lease_token: string | null;
  readonly lease_until_ms: number | null;
  readonly process_id: number | null;
  readonly process_space: string | null;
}

/** What a drill found out. */
export interface DrillTable {
  readonly run_id: string;
  /** JSON: a `DrillProof`. */
  readonly proof: string;
}

/** What became of a notification. */
export interface DeliveryTable {
  readonly id: string;
  /** Null where it is of no run. */
  readonly run_id: string | null;
  readonly event: string;
  readonly type: string;
  readonly place: string;
  /** 1 where it was sent. */
  readonly sent: number;
  readonly tries: number;
  readonly at_ms: number;
  /** JSON: `{ code, message }`. */
  readonly error: string | null;
}

/** What a run told. */
export interface RunLogTable {
  readonly run_id: string;
  /** When the run ended: the oldest logs make room for new ones. */
  readonly at_ms: number;
  /** JSON: `[timeMs, text][]`. */
  readonly lines: string;
}

/** What was found of the blocks of an archive, when it was read last. */
export interface BlockMapTable {
  /** As `Storage.url` gives it. */
  readonly url: string;
  readonly archive_id: string;
  readonly looked_ms: number;
  readonly per_copy: number;
  readonly damaged: number;
  readonly solved: number;
  readonly lost: number;
  readonly data_blocks: number;
  readonly parity_blocks: number;
  /** As `encodeCells` gives them. */
  readonly cells: string;
}

/** The tables. */
export interface HistoryTables extends AccessTables, CatalogueTables {
  readonly run: RunTable;
  readonly drill: DrillTable;
  readonly delivery: DeliveryTable;
  readonly run_archive: RunArchiveTable;
  readonly run_log: RunLogTable;
  readonly block_map: BlockMapTable;
  readonly job: JobTable;
  readonly schema_version: { readonly version: number };
}

/** How a dialect lets one process change the tables. */
export interface MigrationGuard {
  /** Whether there are any. */
  hasTables(): Promise<boolean>;
  /** Runs work in a transaction, while every other process that wants the same waits. */
  alone(work: (transaction: Kysely<HistoryTables>) => Promise<void>): Promise<void>;
}

/** Steps from one version to the next, all in one transaction. Types are those that SQLite and PostgreSQL share. */
const migrations: readonly ((database: Kysely<HistoryTables>) => Promise<void>)[] = [
  async (database) => {
    const { schema } = database;
    await schema
      .createTable('run')
      .ifNotExists()
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('kind', 'text', (column) => column.notNull())
      .addColumn('job', 'text')
      .addColumn('database', 'text')
      .addColumn('state', 'text', (column) => column.notNull())
      .addColumn('started_ms', 'bigint', (column) => column.notNull())
      .addColumn('ended_ms', 'bigint')
      .addColumn('process_id', 'integer', (column) => column.notNull())
      .addColumn('process_space', 'text', (column) => column.notNull())
      .addColumn('size_bytes', 'bigint')
      .addColumn('plain_size_bytes', 'bigint')
      .addColumn('entry_count', 'bigint')
      .addColumn('row_count', 'bigint')
      .addColumn('healed_blocks', 'bigint')
      .addColumn('phases', 'text', (column) => column.notNull())
      .addColumn('error', 'text')
      .execute();
    await schema.createIndex('run_started').ifNotExists().on('run').column('started_ms').execute();
    await schema
      .createTable('run_archive')
      .ifNotExists()
      .addColumn('run_id', 'text', (column) => column.notNull().references('run.id').onDelete('cascade'))
      .addColumn('position', 'integer', (column) => column.notNull())
      .addColumn('url', 'text', (column) => column.notNull())
      .addColumn('storage', 'text')
      .addColumn('name', 'text')
      .addColumn('database', 'text')
      .addColumn('archive_id', 'text')
      .addColumn('size_bytes', 'bigint')
      .addColumn('state', 'text', (column) => column.notNull())
      .addColumn('error', 'text')
      .addPrimaryKeyConstraint('run_archive_key', ['run_id', 'position'])
      .execute();
    await schema
      .createTable('job')
      .ifNotExists()
      .addColumn('name', 'text', (column) => column.primaryKey())
      .addColumn('handled_ms', 'bigint')
      .addColumn('lease_token', 'text')
      .addColumn('lease_until_ms', 'bigint')
      .addColumn('process_id', 'integer')
      .addColumn('process_space', 'text')
      .execute();
  },
  async ({ schema }) => {
    await schema.alterTable('run').addColumn('scheduled_ms', 'bigint').execute();
    await schema.createIndex('run_job').on('run').columns(['job', 'scheduled_ms']).execute();
  },
  async ({ schema }) => {
    await schema
      .createTable('drill')
      .addColumn('run_id', 'text', (column) => column.primaryKey().references('run.id').onDelete('cascade'))
      .addColumn('proof', 'text', (column) => column.notNull())
      .execute();
    await schema
      .createTable('delivery')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('run_id', 'text', (column) => column.references('run.id').onDelete('cascade'))
      .addColumn('event', 'text', (column) => column.notNull())
      .addColumn('type', 'text', (column) => column.notNull())
      .addColumn('place', 'text', (column) => column.notNull())
      .addColumn('sent', 'integer', (column) => column.notNull())
      .addColumn('tries', 'integer', (column) => column.notNull())
      .addColumn('at_ms', 'bigint', (column) => column.notNull())
      .addColumn('error', 'text')
      .execute();
    await schema.createIndex('delivery_run').on('delivery').column('run_id').execute();
  },
  (database) => createAccessTables(database),
  async ({ schema }) => {
    await schema
      .createTable('run_log')
      .ifNotExists()
      .addColumn('run_id', 'text', (column) => column.primaryKey().references('run.id').onDelete('cascade'))
      .addColumn('at_ms', 'bigint', (column) => column.notNull())
      .addColumn('lines', 'text', (column) => column.notNull())
      .execute();
    await schema.createIndex('run_log_at').ifNotExists().on('run_log').column('at_ms').execute();
  },
  async ({ schema }) => {
    await schema.alterTable('run_archive').addColumn('sha256', 'text').execute();
  },
  (database) => createCatalogueTables(database),
  async (database) => {
    await database.schema
      .alterTable('run')
      .addColumn('sequence', 'bigint', (column) => column.notNull().defaultTo(0))
      .execute();
    const inOrder = database
      .selectFrom('run')
      .select(['id', sql<number>`row_number() OVER (ORDER BY started_ms, id)`.as('place')])
      .as('ranked');
    await database
      .updateTable('run')
      .from(inOrder)
      .set(({ ref }) => ({ sequence: ref('ranked.place') }))
      .whereRef('ranked.id', '=', 'run.id')
      .execute();
    await database.schema.createIndex('run_sequence').on('run').column('sequence').execute();
  },
  async ({ schema }) => {
    await schema
      .createTable('block_map')
      .ifNotExists()
      .addColumn('url', 'text', (column) => column.primaryKey())
      .addColumn('archive_id', 'text', (column) => column.notNull())
      .addColumn('looked_ms', 'bigint', (column) => column.notNull())
      .addColumn('per_copy', 'bigint', (column) => column.notNull())
      .addColumn('damaged', 'bigint', (column) => column.notNull())
      .addColumn('solved', 'bigint', (column) => column.notNull())
      .addColumn('lost', 'bigint', (column) => column.notNull())
      .addColumn('data_blocks', 'integer', (column) => column.notNull())
      .addColumn('parity_blocks', 'integer', (column) => column.notNull())
      .addColumn('cells', 'text', (column) => column.notNull())
      .execute();
    await schema.createIndex('block_map_looked').ifNotExists().on('block_map').column('looked_ms').execute();
  },
];

/** The version that {@link migrate} brings a history to. */
export const schemaVersion = migrations.length;

async function versionOf(database: Kysely<HistoryTables>): Promise<number> {
  const found = await database
    .selectFrom('schema_version')
    .select(({ fn }) => fn.max('version').as('version'))
    .executeTakeFirst();
  return found?.version ?? 0;
}

/** Brings the tables to the present version; of a newer one nothing is changed. Where they are of it already nothing is locked. */
export async function migrate(database: Kysely<HistoryTables>, guard: MigrationGuard): Promise<void> {
  if ((await guard.hasTables()) && (await versionOf(database)) >= migrations.length) return;
  await guard.alone(async (transaction) => {
    await transaction.schema
      .createTable('schema_version')
      .ifNotExists()
      .addColumn('version', 'integer', (column) => column.primaryKey())
      .execute();
    const done = await versionOf(transaction);
    for (const [index, step] of migrations.entries()) {
      if (index < done) continue;
      await step(transaction);
      await transaction
        .insertInto('schema_version')
        .values({ version: index + 1 })
        .execute();
    }
  });
}
