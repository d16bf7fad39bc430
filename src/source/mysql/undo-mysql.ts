import { systemClock } from '../../clock.ts';
import { HoldfastError } from '../../errors.ts';
import { systemRandom } from '../../random.ts';
import type { UndoChange, UndoOptions } from '../engine.ts';
import { refuseOutsideKeys } from './foreign-keys.ts';
import { parseMysqlUrl } from './mysql-address.ts';
import { MysqlConnection } from './mysql-connection.ts';
import { mysqlTargetError } from './mysql-error.ts';
import { readObjects } from './read-objects.ts';
import type { SchemaObject } from './schema-object.ts';
import { readDefaults, readVersion } from './server-catalog.ts';
import { undoName } from './side-names.ts';
import { quoteName } from './sql-text.ts';
import { findUndo, settleSwaps, swap, tableNames } from './swap.ts';
import type { SwapPlan } from './swap-plan.ts';
import { lockTarget } from './target-lock.ts';

const defaultTimeoutMs = 60_000;

/**
 * Brings back what the newest restore (or undo) of a database replaced, by the same one statement that put the new tables in place; what stands
 * there now is kept the same way. Throws `target.no_undo`, `target.busy`, `target.incompatible`.
 *
 * @example await undoMysql({ url: new Secret('mariadb://root@localhost/shop') })
 */
export async function undoMysql(options: UndoOptions): Promise<UndoChange> {
  const { url, signal, timeoutMs = defaultTimeoutMs, dryRun = false } = options;
  const address = parseMysqlUrl(url);
  const { database, label } = address;
  try {
    const control = await MysqlConnection.open(address, { timeoutMs, signal, database: null });
    try {
      const isMariadb = (await readVersion(control)).engine === 'mariadb';
      const context = { control, isMariadb, timeoutMs };
      await lockTarget(control, address, timeoutMs);
      if (!dryRun) await settleSwaps(context, database);
      const record = await findUndo(control, database);
      if (record === undefined) {
        throw new HoldfastError('target.no_undo', { message: `nothing is kept of what ${label} held before` });
      }
      if (dryRun) return { target: label, restored: record.keep };
      const keep = undoName(database, options.random ?? systemRandom);
      const createdMs = Math.max((options.clock ?? systemClock).nowMs(), record.createdMs + 1);
      const plan = await backwards(control, record, { keep, createdMs });
      await swap(context, plan);
      return { target: label, restored: record.keep, undo: keep };
    } finally {
      await control.close();
    }
  } catch (error) {
    throw mysqlTargetError(error, { what: label });
  }
}

/** The plan that takes back another one, which was carried out. */
async function backwards(
  control: MysqlConnection,
  record: SwapPlan,
  options: { readonly keep: string; readonly createdMs: number },
): Promise<SwapPlan> {
  const { target, keep: from, isWhole } = record;
  const defaults = await readDefaults(control, target);
  const existing = defaults === undefined ? [] : await tableNames(control, target);
  const outgoing = isWhole ? existing : existing.filter((name) => record.incoming.includes(name));
  await refuseOutsideKeys(control, target, outgoing);
  if (defaults === undefined) await control.run(`CREATE DATABASE ${quoteName(target)}`);
  await control.run(`USE ${quoteName(target)}`);
  const { objects } = await readObjects(control, target);
  const made = new Set(record.creates.map(({ kind, name }) => `${kind} ${name}`));
  const isGoing = (object: SchemaObject) =>
    isWhole ||
    made.has(`${object.kind} ${object.name}`) ||
    (object.table !== undefined && outgoing.includes(object.table));
  return {
    version: 1,
    target,
    from,
    keep: options.keep,
    keepsUndo: true,
    isWhole,
    createdMs: options.createdMs,
    incoming: record.outgoing,
    outgoing,
    drops: objects.filter(({ kind }) => kind !== 'sequence').filter(isGoing),
    creates: record.drops,
    // What comes back names the target already.
    redirects: [],
    before: defaults ?? record.after,
    after: record.before,
  };
}
