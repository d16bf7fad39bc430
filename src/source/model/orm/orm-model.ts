import type { ModelDescription } from '../model-description.ts';

/** A model as an ORM describes it. */
export interface OrmModel extends ModelDescription {
  /** What the application's code has for it: its class, its schema, its table object. A registration may name any of them. */
  readonly sources: readonly unknown[];
}
