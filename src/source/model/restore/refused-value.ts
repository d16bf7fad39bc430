import { HoldfastError } from '../../../errors.ts';
import { typeText } from '../model-type.ts';
import type { FieldPlan } from './restore-plan.ts';

const shownLength = 60;

/** A value that the target cannot hold, by table, column and value. */
export function refusedValue(options: {
  readonly table: string;
  readonly field: FieldPlan;
  readonly row: number;
  readonly value: string;
}): HoldfastError {
  const { table, field, row, value } = options;
  const column = field.target?.name ?? field.source.name;
  const shown = value.length > shownLength ? `${value.slice(0, shownLength)}…` : value;
  const type = field.target === undefined ? '' : `${field.target.nativeType || typeText(field.target.type)}`;
  return new HoldfastError('target.incompatible', {
    message: `${table}.${column}, row ${row}: ${JSON.stringify(shown)} cannot be held by ${type || 'the column'} as it is`,
    hint: 'change the type of the column, or mend the value and back up again; nothing was changed',
    context: { table, column, row },
  });
}
