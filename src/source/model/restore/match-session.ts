import type { Model } from '../model.ts';
import type { MatchTable } from './match-plan.ts';

/** An update of the rows `a` of a table by those of another, `b`, that it is joined with. */
export interface JoinedUpdate {
  readonly table: string;
  readonly from: string;
  readonly on: readonly string[];
  /** Column and expression. */
  readonly set: readonly (readonly [string, string])[];
}

/** What differs between engines where rows are matched, and what runs it. All within the transaction of the restore. */
export interface MatchSession {
  quote(name: string): string;
  /** The rows of a table itself, where they are read or changed. */
  rowsOf(model: Model): string;
  /** Where rows are added to a table. */
  additionTo(model: Model, columns: string): string;
  /** A temporary table, as it is named after it was made. */
  beside(name: string): string;
  updateStatement(update: JoinedUpdate): string;
  /** Errors are told as those of a row of this table. */
  run(sql: string, table: string): Promise<void>;
  ask(sql: string): Promise<readonly Readonly<Record<string, unknown>>[]>;
  /** Makes a temporary table of what is selected, to be found by its first columns. */
  keep(name: string, select: string, key: readonly string[]): Promise<void>;
  /** Gives the rows that the condition is true of numbers from the first on, by their present ones. */
  renumber(options: {
    readonly table: MatchTable;
    readonly stage: string;
    readonly column: string;
    readonly where: string;
    readonly first: bigint;
  }): Promise<void>;
}
