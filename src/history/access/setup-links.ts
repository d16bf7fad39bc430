import type { Kysely } from 'kysely';
import type { AccessTables, SetupLinkTable } from './access-schema.ts';

/** Links that let somebody set a password, once. */
export class SetupLinks {
  readonly #database: Kysely<AccessTables>;

  constructor(database: Kysely<AccessTables>) {
    this.#database = database;
  }

  /** The earlier ones for the same user no longer work. */
  async add(link: SetupLinkTable): Promise<void> {
    await this.#database.transaction().execute(async (transaction) => {
      const earlier = transaction.deleteFrom('web_setup_link');
      const name = link.user_name;
      await (name === null ? earlier.where('user_name', 'is', null) : earlier.where('user_name', '=', name)).execute();
      await transaction.insertInto('web_setup_link').values(link).execute();
    });
  }

  async find(tokenHash: string, nowMs: number): Promise<SetupLinkTable | undefined> {
    return await this.#database
      .selectFrom('web_setup_link')
      .selectAll()
      .where('token_hash', '=', tokenHash)
      .where('expires_ms', '>', nowMs)
      .executeTakeFirst();
  }

  /** Uses it up: of two at once one gets it. */
  async take(tokenHash: string): Promise<boolean> {
    const query = this.#database.deleteFrom('web_setup_link').where('token_hash', '=', tokenHash);
    return (await query.executeTakeFirst()).numDeletedRows > 0n;
  }
}
