import type { Kysely } from 'kysely';
import { type AccessTables, createAccessTables } from './access/access-schema.ts';

/** A run. Counts are absent where a run has none of the kind. */
export interface RunTable {
  readonly id: string;
  readonly kind: string;
  readonly job: string | null;
  readonly database: string | null;
  readonly state: string;
  readonly started_ms: number;
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

/** The tables. */
export interface HistoryTables extends AccessTables {
  readonly run: RunTable;
  readonly run_archive: RunArchiveTable;
  readonly job: JobTable;
  readonly schema_version: { readonly version: number };
}

/** Steps from one version to the next; each may be begun again. Types are those that SQLite and PostgreSQL share. */
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
  (database) => createAccessTables(database),
];

/** Brings the tables to the present version; of a newer one nothing is changed. */
export async function migrate(database: Kysely<HistoryTables>): Promise<void> {
  const { schema } = database;
  await schema
    .createTable('schema_version')
    .ifNotExists()
    .addColumn('version', 'integer', (column) => column.primaryKey())
    .execute();
  const found = await database
    .selectFrom('schema_version')
    .select(({ fn }) => fn.max('version').as('version'))
    .executeTakeFirst();
  const done = found?.version ?? 0;
  for (const [index, step] of migrations.entries()) {
    if (index < done) continue;
    await step(database);
    await database
      .insertInto('schema_version')
      .values({ version: index + 1 })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
}
