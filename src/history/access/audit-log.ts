import type { Kysely } from 'kysely';
import type { AccessTables, AuditTable } from './access-schema.ts';

/** So many are kept, and one in so many that are added removes the older ones. */
const keptCount = 100_000;
const trimEvery = 1000;

/** Who did what in the web admin. */
export class AuditLog {
  readonly #database: Kysely<AccessTables>;
  #added = 0;

  constructor(database: Kysely<AccessTables>) {
    this.#database = database;
  }

  async add(entry: AuditTable): Promise<void> {
    await this.#database.insertInto('web_audit').values(entry).execute();
    if (++this.#added % trimEvery === 0) await this.#trim();
  }

  /** The newest first. */
  async list({
    offset,
    limit,
  }: {
    offset: number;
    limit: number;
  }): Promise<{ items: AuditTable[]; totalCount: number }> {
    const items = await this.#database
      .selectFrom('web_audit')
      .selectAll()
      .orderBy('time_ms', 'desc')
      .orderBy('id', 'desc')
      .offset(offset)
      .limit(limit)
      .execute();
    const counted = await this.#database
      .selectFrom('web_audit')
      .select(({ fn }) => fn.countAll().as('count'))
      .executeTakeFirstOrThrow();
    return { items, totalCount: Number(counted.count) };
  }

  async #trim(): Promise<void> {
    const oldest = await this.#database
      .selectFrom('web_audit')
      .select('time_ms')
      .orderBy('time_ms', 'desc')
      .offset(keptCount)
      .limit(1)
      .executeTakeFirst();
    if (oldest === undefined) return;
    await this.#database.deleteFrom('web_audit').where('time_ms', '<=', oldest.time_ms).execute();
  }
}
