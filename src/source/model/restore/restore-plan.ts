import type { Model, ModelColumn, ModelEngine } from '../model.ts';
import type { TextConverter } from './convert-value.ts';
import type { MatchPlan } from './match-plan.ts';

/** What is done where a row is there already. */
export type OnConflict = 'fail' | 'skip' | 'update' | 'replace-all';

/** A column of the archive, and where its values go. */
export interface FieldPlan {
  readonly source: ModelColumn;
  /** Absent where its values are passed over. */
  readonly target?: ModelColumn;
  /** Absent where the text of the value stays as it is. */
  readonly convert?: TextConverter;
  /** Its column was left out of the backup: every row gets this, and one that is there keeps what it has. */
  readonly filler?: string;
}

/** A model of the archive, and the table that its rows go to. */
export interface LoadPlan {
  readonly source: Model;
  readonly target: Model;
  /** In the order of the values of a line; fillers, which lines get on the way, are the last. */
  readonly fields: readonly FieldPlan[];
  readonly onConflict: 'fail' | 'skip' | 'update';
  /** The columns of the target by which rows are known there, whatever their numbers; absent where the primary key tells. */
  readonly naturalKey?: readonly string[];
  /** Values may have a class of their own: they come from SQLite. */
  readonly isTagged: boolean;
}

/** All that a restore of models does in one database. */
export interface RestorePlan {
  readonly sourceEngine: ModelEngine;
  readonly loads: readonly LoadPlan[];
  /** Tables that are made first, without keys until their rows are there where the engine can do so. */
  readonly creates: readonly Model[];
  /** Tables that are emptied first, children first. */
  readonly flushes: readonly Model[];
  /** Tables whose rows may have other keys in the target, and what names them; absent where there are none. */
  readonly match?: MatchPlan;
}

/** What became of a model's rows. */
export interface ModelCounts {
  readonly model: string;
  readonly inserted: number;
  readonly updated: number;
  readonly skipped: number;
  /** Values that were masked; absent where the model has no masks. */
  readonly masked?: number;
}

/** What a load gives: what became of the rows, or how many of them wait until all are there. */
export type LoadedRows = ModelCounts | { readonly waiting: number };
