import type { MysqlConnection } from './mysql-connection.ts';
import type { SchemaObject } from './schema-object.ts';
import type { DatabaseDefaults } from './server-catalog.ts';
import { qualifiedName, quoteText } from './sql-text.ts';

/**
 * How tables change places. It is written down in the database `from` before anything moves, in the table `holdfast_journal`; the one
 * statement that moves all tables renames that one to `holdfast_swapped`. So whoever finds a plan knows which of the two states holds.
 * In the end the plan is the record of an undo: `holdfast_undo` in the database `keep`; `holdfast_stale` marks one that is to be dropped.
 */
export interface SwapPlan {
  readonly version: 1;
  /** The database whose contents are replaced. */
  readonly target: string;
  /** Holds what comes, and is removed in the end. */
  readonly from: string;
  /** Takes what goes. */
  readonly keep: string;
  readonly keepsUndo: boolean;
  /** All of the target goes, not only tables of the same names. */
  readonly isWhole: boolean;
  readonly createdMs: number;
  readonly incoming: readonly string[];
  readonly outgoing: readonly string[];
  /** What the target has beside tables and is to lose, as it was. */
  readonly drops: readonly SchemaObject[];
  /** What it is to have, in the order in which it is made. */
  readonly creates: readonly SchemaObject[];
  /** Statements after which columns take their defaults from the sequences of the target. */
  readonly redirects: readonly string[];
  readonly before: DatabaseDefaults;
  readonly after: DatabaseDefaults;
}

export const journalTable = 'holdfast_journal';
export const swappedTable = 'holdfast_swapped';
export const undoTable = 'holdfast_undo';
export const staleTable = 'holdfast_stale';
const planTables = [journalTable, swappedTable, undoTable, staleTable] as const;

/** Whether a table is one of those that hold a plan. */
export function isPlanTable(name: string): boolean {
  return planTables.some((known) => known === name);
}

/** Writes a plan down, durably. */
export async function writePlan(control: MysqlConnection, plan: SwapPlan): Promise<void> {
  const table = qualifiedName(plan.from, journalTable);
  await control.run(`DROP TABLE IF EXISTS ${table}`);
  await control.run(`CREATE TABLE ${table} (plan LONGTEXT CHARACTER SET utf8mb4 NOT NULL) ENGINE = InnoDB`);
  await control.run(`INSERT INTO ${table} VALUES (${quoteText(JSON.stringify(plan))})`);
}

/** The plan that a table holds; undefined where the table, or the plan in it, is missing. */
export async function readPlan(
  control: MysqlConnection,
  database: string,
  table: (typeof planTables)[number],
): Promise<SwapPlan | undefined> {
  const [found] = await control.rows(
    'SELECT 1 AS found FROM information_schema.tables WHERE table_schema = ? AND table_name = ?',
    [database, table],
  );
  if (found === undefined) return undefined;
  const [row] = await control.rows(`SELECT plan AS plan FROM ${qualifiedName(database, table)}`);
  return row === undefined ? undefined : (JSON.parse(String(row['plan'])) as SwapPlan);
}
