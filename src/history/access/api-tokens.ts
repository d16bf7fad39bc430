import type { Kysely } from 'kysely';
import type { AccessTables, TokenTable } from './access-schema.ts';

/** The tokens of the API. */
export class ApiTokens {
  readonly #database: Kysely<AccessTables>;

  constructor(database: Kysely<AccessTables>) {
    this.#database = database;
  }

  async add(token: Omit<TokenTable, 'used_ms'>): Promise<void> {
    await this.#database
      .insertInto('web_token')
      .values({ ...token, used_ms: null })
      .execute();
  }

  async find(tokenHash: string): Promise<TokenTable | undefined> {
    const query = this.#database.selectFrom('web_token').selectAll().where('token_hash', '=', tokenHash);
    return await query.executeTakeFirst();
  }

  /** Of a user, or of all. */
  async list(userName?: string): Promise<Omit<TokenTable, 'token_hash'>[]> {
    let query = this.#database
      .selectFrom('web_token')
      .select(['id', 'label', 'user_name', 'role', 'scopes', 'created_ms', 'expires_ms', 'used_ms'])
      .orderBy('created_ms', 'desc');
    if (userName !== undefined) query = query.where('user_name', '=', userName);
    return await query.execute();
  }

  async use(id: string, usedMs: number): Promise<void> {
    await this.#database.updateTable('web_token').set({ used_ms: usedMs }).where('id', '=', id).execute();
  }

  /** One of a user, or of anybody; false where there is none. */
  async remove(id: string, userName?: string): Promise<boolean> {
    let query = this.#database.deleteFrom('web_token').where('id', '=', id);
    if (userName !== undefined) query = query.where('user_name', '=', userName);
    return (await query.executeTakeFirst()).numDeletedRows > 0n;
  }
}
