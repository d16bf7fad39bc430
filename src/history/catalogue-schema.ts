import type { Kysely } from 'kysely';

/** The end of a chain of a catalogue, as it was written or seen last. */
export interface CatalogueChainTable {
  readonly chain: string;
  /** As `Storage.url` gives the folder of catalogues. */
  readonly place: string;
  /** What the storage is called. */
  readonly storage: string;
  readonly public_key: string;
  /** 0 in a chain that has no record yet. */
  readonly sequence: number;
  readonly hash: string;
  /** The sequence at which earlier records are summed up next. */
  readonly checkpoint_at: number;
}

/** A record that is part of its chain, and perhaps not on the storage yet. */
export interface CatalogueOutboxTable {
  readonly chain: string;
  readonly sequence: number;
  readonly name: string;
  /** Empty once it is sent. */
  readonly body: string;
  readonly hash: string;
  /** 1 where it is on the storage. */
  readonly is_sent: number;
}

/** Something that is about to be done to a storage, and is recorded when it was. */
export interface CatalogueIntentTable {
  readonly id: string;
  readonly chain: string;
  readonly event: string;
  /** JSON: the object. */
  readonly object: string;
  readonly process_id: number;
  readonly process_space: string;
  readonly at_ms: number;
}

/** The tables. */
export interface CatalogueTables {
  readonly catalogue_chain: CatalogueChainTable;
  readonly catalogue_outbox: CatalogueOutboxTable;
  readonly catalogue_intent: CatalogueIntentTable;
}

/** Makes the tables, in types that SQLite and PostgreSQL share. */
export async function createCatalogueTables<Tables extends CatalogueTables>({ schema }: Kysely<Tables>): Promise<void> {
  await schema
    .createTable('catalogue_chain')
    .ifNotExists()
    .addColumn('chain', 'text', (column) => column.primaryKey())
    .addColumn('place', 'text', (column) => column.notNull())
    .addColumn('storage', 'text', (column) => column.notNull())
    .addColumn('public_key', 'text', (column) => column.notNull())
    .addColumn('sequence', 'bigint', (column) => column.notNull())
    .addColumn('hash', 'text', (column) => column.notNull())
    .addColumn('checkpoint_at', 'bigint', (column) => column.notNull())
    .execute();
  // Of two processes that begin a chain at once, one does.
  await schema
    .createIndex('catalogue_chain_place')
    .ifNotExists()
    .on('catalogue_chain')
    .columns(['place', 'storage', 'public_key'])
    .unique()
    .execute();
  await schema
    .createTable('catalogue_outbox')
    .ifNotExists()
    .addColumn('chain', 'text', (column) => column.notNull().references('catalogue_chain.chain').onDelete('cascade'))
    .addColumn('sequence', 'bigint', (column) => column.notNull())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('body', 'text', (column) => column.notNull())
    .addColumn('hash', 'text', (column) => column.notNull())
    .addColumn('is_sent', 'integer', (column) => column.notNull())
    .addPrimaryKeyConstraint('catalogue_outbox_key', ['chain', 'sequence'])
    .execute();
  await schema
    .createTable('catalogue_intent')
    .ifNotExists()
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('chain', 'text', (column) => column.notNull().references('catalogue_chain.chain').onDelete('cascade'))
    .addColumn('event', 'text', (column) => column.notNull())
    .addColumn('object', 'text', (column) => column.notNull())
    .addColumn('process_id', 'integer', (column) => column.notNull())
    .addColumn('process_space', 'text', (column) => column.notNull())
    .addColumn('at_ms', 'bigint', (column) => column.notNull())
    .execute();
}
