import type { MysqlConnection } from './mysql-connection.ts';
import { readTables } from './server-catalog.ts';
import { sideKind } from './side-names.ts';
import { qualifiedName, quoteName } from './sql-text.ts';
import {
  isPlanTable,
  journalTable,
  readPlan,
  type SwapPlan,
  staleTable,
  swappedTable,
  undoTable,
  writePlan,
} from './swap-plan.ts';
import * as statements from './swap-statements.ts';

/** With what a swap is done. */
export interface SwapContext {
  /** Holds the lock of the target. */
  readonly control: MysqlConnection;
  readonly isMariadb: boolean;
  /** How long one step may wait for a lock. */
  readonly timeoutMs: number;
}

/**
 * Puts the tables of `from` in place of those of the target, all at once, and then what hangs on them. When it throws, the target is as it
 * was, unless the server is gone: then {@link settleSwaps} brings it to one of the two states, whole.
 */
export async function swap(context: SwapContext, plan: SwapPlan): Promise<void> {
  const { control } = context;
  await control.run(`CREATE DATABASE IF NOT EXISTS ${quoteName(plan.keep)} CHARACTER SET utf8mb4`);
  await writePlan(control, plan);
  const guarded = [...statements.stepsBefore(plan), statements.renameStep(plan)];
  const onFailure = statements.stepsBack(plan);
  const steps = statements.stepsAfter(plan);
  try {
    await statements.runSteps(control, { ...context, database: plan.target, guarded, onFailure, steps });
  } catch (error) {
    // Where the server is gone this fails as well, and the next restore or undo does it.
    await settle(context, plan.from, { isForward: false }).catch(() => undefined);
    throw error;
  }
  await finish(context, plan);
}

async function run(context: SwapContext, database: string, steps: readonly statements.Step[]): Promise<void> {
  await statements.runSteps(context.control, { ...context, database, steps });
}

/** Brings a swap that was begun to its end, or back to its beginning; which of the two is told by the name of its plan's table. */
async function settle(
  context: SwapContext,
  from: string,
  { isForward }: { readonly isForward: boolean },
): Promise<void> {
  const { control } = context;
  const swapped = await readPlan(control, from, swappedTable);
  if (swapped !== undefined && isForward) {
    try {
      await run(context, swapped.target, statements.stepsAfter(swapped));
      await finish(context, swapped);
      return;
    } catch {
      // What cannot be completed goes back.
    }
  }
  if (swapped !== undefined) {
    await run(context, swapped.target, [...statements.stepsBeforeBack(swapped), statements.renameBackStep(swapped)]);
  }
  const plan = await readPlan(control, from, journalTable);
  if (plan !== undefined) {
    await run(context, plan.target, statements.stepsAfterBack(plan));
    await dropIfEmpty(control, plan.keep);
  }
  await control.run(`DROP TABLE IF EXISTS ${qualifiedName(from, journalTable)}`);
}

/** Makes the plan the record of the undo, or of what is not kept: from then on the new tables stay. Whatever is left of the rest fails nothing. */
async function finish({ control }: SwapContext, plan: SwapPlan): Promise<void> {
  const replaces = plan.outgoing.length > 0 || plan.drops.length > 0;
  const isKept = replaces && plan.keepsUndo;
  const record = qualifiedName(plan.keep, isKept ? undoTable : staleTable);
  await control.run(`RENAME TABLE ${qualifiedName(plan.from, swappedTable)} TO ${record}`);
  await tidyUp(control, plan, { replaces, isKept }).catch(() => undefined);
}

/** Removes what is of no more use: what came before, and the database that is empty now. What a failure leaves here, {@link settleSwaps} removes. */
async function tidyUp(
  control: MysqlConnection,
  plan: SwapPlan,
  { replaces, isKept }: { readonly replaces: boolean; readonly isKept: boolean },
): Promise<void> {
  const undos = replaces ? await sideDatabases(control, plan.target, 'undo') : [plan.keep];
  const old = undos.filter((name) => !(isKept && isSame(name, plan.keep)) && !isSame(name, plan.from));
  for (const name of [...old, plan.from]) {
    // Whoever reads its tables keeps it from being dropped: it is no undo any more all the same.
    const mark = `${qualifiedName(name, undoTable)} TO ${qualifiedName(name, staleTable)}`;
    if ((await readPlan(control, name, undoTable)) !== undefined)
      await control.run(`RENAME TABLE ${mark}`).catch(() => undefined);
    await dropIfPossible(control, name);
  }
}

/** Drops a database that is of no more use, however long that takes; one that somebody reads is left. */
async function dropIfPossible(control: MysqlConnection, database: string): Promise<void> {
  await control.change(`DROP DATABASE IF EXISTS ${quoteName(database)}`).catch(() => undefined);
}

/** Some servers write the names of databases in small letters. */
function isSame(name: string, other: string | undefined): boolean {
  return name.toLowerCase() === other?.toLowerCase();
}

async function dropIfEmpty(control: MysqlConnection, database: string): Promise<void> {
  if ((await readTables(control, database)).length === 0)
    await control.run(`DROP DATABASE IF EXISTS ${quoteName(database)}`);
}

/** Databases beside the target. */
async function sideDatabases(control: MysqlConnection, target: string, kind: 'side' | 'undo'): Promise<string[]> {
  const rows = await control.rows('SELECT schema_name AS name FROM information_schema.schemata ORDER BY 1');
  return rows.map((row) => String(row['name'])).filter((name) => sideKind(target, name) === kind);
}

/** Completes or takes back swaps that were cut off, and removes what dead restores filled. The caller holds the target's lock, so nobody else is at work. */
export async function settleSwaps(context: SwapContext, target: string): Promise<void> {
  const { control } = context;
  for (const name of await sideDatabases(control, target, 'undo')) await settle(context, name, { isForward: true });
  for (const name of await sideDatabases(control, target, 'side')) {
    await settle(context, name, { isForward: true });
    await dropIfPossible(control, name);
  }
  const newest = await findUndo(control, target);
  for (const name of await sideDatabases(control, target, 'undo')) {
    const tables = (await readTables(control, name)).map((table) => table.name);
    const isOlder = tables.includes(undoTable) && !isSame(name, newest?.keep);
    // An empty one was made for a swap that did not happen.
    if (tables.length === 0 || tables.includes(staleTable) || isOlder) await dropIfPossible(control, name);
  }
}

/** The newest record of what was replaced. */
export async function findUndo(control: MysqlConnection, target: string): Promise<SwapPlan | undefined> {
  let newest: SwapPlan | undefined;
  for (const name of await sideDatabases(control, target, 'undo')) {
    const plan = await readPlan(control, name, undoTable);
    if (plan !== undefined && plan.createdMs >= (newest?.createdMs ?? 0)) newest = plan;
  }
  return newest;
}

/** The tables of a database that are its own. */
export async function tableNames(control: MysqlConnection, database: string): Promise<string[]> {
  return (await readTables(control, database)).map(({ name }) => name).filter((name) => !isPlanTable(name));
}
