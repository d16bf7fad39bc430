import type { Kysely } from 'kysely';
import type { AccessTables, UserTable } from './access-schema.ts';

/** The users of the web admin. */
export class Users {
  readonly #database: Kysely<AccessTables>;

  constructor(database: Kysely<AccessTables>) {
    this.#database = database;
  }

  async find(name: string): Promise<UserTable | undefined> {
    return await this.#database.selectFrom('web_user').selectAll().where('name', '=', name).executeTakeFirst();
  }

  async list(): Promise<UserTable[]> {
    return await this.#database.selectFrom('web_user').selectAll().orderBy('name').execute();
  }

  /** Whether anybody can log in as an admin. */
  async hasAdmin(): Promise<boolean> {
    const found = await this.#admins().executeTakeFirst();
    return found !== undefined;
  }

  /** Whether somebody else can. */
  async hasOtherAdmin(name: string): Promise<boolean> {
    return (await this.#admins().where('name', '!=', name).executeTakeFirst()) !== undefined;
  }

  #admins() {
    return this.#database
      .selectFrom('web_user')
      .select('name')
      .where('role', '=', 'admin')
      .where('password', 'is not', null);
  }

  /** False where the name is taken. */
  async add(user: Pick<UserTable, 'name' | 'role' | 'password' | 'created_ms'>): Promise<boolean> {
    const nothing = { totp_secret: null, totp_pending: null, totp_step: null, recovery_codes: null };
    const result = await this.#database
      .insertInto('web_user')
      .values({ ...user, ...nothing })
      .onConflict((conflict) => conflict.doNothing())
      .executeTakeFirst();
    return (result.numInsertedOrUpdatedRows ?? 0n) > 0n;
  }

  async change(name: string, changes: Partial<Omit<UserTable, 'name' | 'created_ms'>>): Promise<void> {
    await this.#database.updateTable('web_user').set(changes).where('name', '=', name).execute();
  }

  /** Takes a step of time for a code; false where it, or a later one, was taken: of two at once one gets it. */
  async takeStep(name: string, step: number): Promise<boolean> {
    const result = await this.#database
      .updateTable('web_user')
      .set({ totp_step: step })
      .where('name', '=', name)
      .where((where) => where.or([where('totp_step', 'is', null), where('totp_step', '<', step)]))
      .executeTakeFirst();
    return result.numUpdatedRows > 0n;
  }

  /** Writes the key of a second factor in another form, unless it changed since it was read. */
  async replaceFactor(
    name: string,
    column: 'totp_secret' | 'totp_pending',
    before: string,
    after: string,
  ): Promise<boolean> {
    const result = await this.#database
      .updateTable('web_user')
      .set({ [column]: after })
      .where('name', '=', name)
      .where(column, '=', before)
      .executeTakeFirst();
    return result.numUpdatedRows > 0n;
  }

  /** Replaces the codes that are left, unless somebody else did since they were read. */
  async replaceRecoveryCodes(name: string, before: string, after: string): Promise<boolean> {
    const result = await this.#database
      .updateTable('web_user')
      .set({ recovery_codes: after })
      .where('name', '=', name)
      .where('recovery_codes', '=', before)
      .executeTakeFirst();
    return result.numUpdatedRows > 0n;
  }

  async remove(name: string): Promise<void> {
    await this.#database.transaction().execute(async (transaction) => {
      await transaction.deleteFrom('web_token').where('user_name', '=', name).execute();
      await transaction.deleteFrom('web_session').where('user_name', '=', name).execute();
      await transaction.deleteFrom('web_setup_link').where('user_name', '=', name).execute();
      await transaction.deleteFrom('web_user').where('name', '=', name).execute();
    });
  }
}
