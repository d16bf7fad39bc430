import type { Kysely } from 'kysely';
import type { AccessTables } from './access-schema.ts';

/** Counts tries in windows of time. Every process that shares the history counts together. */
export class Attempts {
  readonly #database: Kysely<AccessTables>;

  constructor(database: Kysely<AccessTables>) {
    this.#database = database;
  }

  /**
   * Counts one more, and gives how many there were in the window with it. It is counted before it is known how it ends, so that many at once
   * are no way around a limit.
   */
  async count(key: string, nowMs: number, windowMs: number): Promise<{ count: number; untilMs: number }> {
    await this.#database
      .deleteFrom('web_attempt')
      .where((where) => where.or([where('until_ms', '<=', nowMs), where('until_ms', '>', nowMs + 2 * windowMs)]))
      .execute();
    const row = await this.#database
      .insertInto('web_attempt')
      .values({ key, count: 1, until_ms: nowMs + windowMs })
      .onConflict((conflict) =>
        conflict.column('key').doUpdateSet(({ eb }) => ({ count: eb('web_attempt.count', '+', 1) })),
      )
      .returning(['count', 'until_ms'])
      .executeTakeFirstOrThrow();
    return { count: Number(row.count), untilMs: Number(row.until_ms) };
  }

  /** Forgets them: it went well. */
  async clear(keys: readonly string[]): Promise<void> {
    await this.#database.deleteFrom('web_attempt').where('key', 'in', keys).execute();
  }
}
