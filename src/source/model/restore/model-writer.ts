import type { Discovery, ModelEngine } from '../model.ts';
import type { LoadedRows, LoadPlan, ModelCounts, RestorePlan } from './restore-plan.ts';

/** A database that models are restored into, in one transaction. Errors are those of a target. */
export interface ModelWriter {
  readonly engine: ModelEngine;
  /** For people. */
  readonly label: string;
  /** What is there; nothing where the database is to be made. */
  discover(): Promise<Discovery>;
  /** What the engine cannot keep within a transaction, for the report. */
  remarks(plan: RestorePlan): Promise<readonly string[]>;
  /** Begins the transaction: makes tables, sets keys and triggers aside, empties tables. Gives the rows that were removed. */
  begin(plan: RestorePlan): Promise<number>;
  load(load: LoadPlan, bytes: AsyncIterable<Uint8Array>): Promise<LoadedRows>;
  /** Writes the rows that waited for others, checks all keys over all rows, and puts back what was set aside. Gives what became of these rows. */
  finish(): Promise<readonly ModelCounts[]>;
  /** Sets sequences, and ends the transaction. */
  commit(): Promise<void>;
  /** Leaves all as it was. May be repeated. */
  rollback(): Promise<void>;
}
