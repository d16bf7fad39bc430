import type { Kysely } from 'kysely';
import type { AccessTables, SessionTable } from './access-schema.ts';

/** Most sessions of one user: the oldest ends when he logs in once more. */
const maximumPerUser = 20;

/** Who is logged in. */
export class Sessions {
  readonly #database: Kysely<AccessTables>;

  constructor(database: Kysely<AccessTables>) {
    this.#database = database;
  }

  async add(session: SessionTable): Promise<void> {
    await this.#database.insertInto('web_session').values(session).execute();
    const old = await this.#database
      .selectFrom('web_session')
      .select('token_hash')
      .where('user_name', '=', session.user_name)
      .orderBy('created_ms', 'desc')
      .offset(maximumPerUser)
      .limit(1000)
      .execute();
    for (const { token_hash: hash } of old) await this.remove(hash);
  }

  async find(tokenHash: string): Promise<SessionTable | undefined> {
    const query = this.#database.selectFrom('web_session').selectAll().where('token_hash', '=', tokenHash);
    return await query.executeTakeFirst();
  }

  async see(tokenHash: string, seenMs: number): Promise<void> {
    await this.#database
      .updateTable('web_session')
      .set({ seen_ms: seenMs })
      .where('token_hash', '=', tokenHash)
      .execute();
  }

  async remove(tokenHash: string): Promise<void> {
    await this.#database.deleteFrom('web_session').where('token_hash', '=', tokenHash).execute();
  }

  /** All of a user, but for one. */
  async removeOthers(userName: string, keptHash: string | undefined): Promise<void> {
    let query = this.#database.deleteFrom('web_session').where('user_name', '=', userName);
    if (keptHash !== undefined) query = query.where('token_hash', '!=', keptHash);
    await query.execute();
  }

  /** Those that were seen last, or began, before. */
  async removeEnded(seenBeforeMs: number, createdBeforeMs: number): Promise<void> {
    await this.#database
      .deleteFrom('web_session')
      .where((where) => where.or([where('seen_ms', '<', seenBeforeMs), where('created_ms', '<', createdBeforeMs)]))
      .execute();
  }
}
