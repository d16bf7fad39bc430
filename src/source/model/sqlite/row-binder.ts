import type { StatementSync } from 'node:sqlite';
import type { LineRow } from '../read-lines.ts';
import { type WrittenField, writtenFields } from '../restore/convert-rows.ts';
import { digitsOf } from '../restore/convert-value.ts';
import { refusedValue } from '../restore/refused-value.ts';
import type { LoadPlan } from '../restore/restore-plan.ts';
import { type LineValue, textOf } from '../tagged-value.ts';
import { decodeValue, type SqliteValue } from './sqlite-value.ts';

/** Digits that a number of SQLite always keeps. */
const keptDigits = 15;
const isWhole = /^[-+]?\d+$/;

type Bound = Parameters<StatementSync['run']>;

/** What a row of the archive is bound as. Throws `target.incompatible` for a value that would not be stored as it is. */
export function rowBinder(
  load: LoadPlan,
  options: { readonly isFromSqlite: boolean },
): (line: LineRow, row: number) => Bound {
  const fields = writtenFields(load);
  return (line, row) =>
    fields.map((field) => {
      const value = line[field.index] ?? null;
      const bound = boundValue(value, field, options.isFromSqlite);
      if (bound !== undefined) return bound;
      const text = value === null ? '' : textOf(value);
      throw refusedValue({ table: load.target.name, field, row, value: text });
    }) as Bound;
}

function boundValue(value: LineValue, field: WrittenField, isFromSqlite: boolean): SqliteValue | undefined {
  const { source, target, convert } = field;
  const kind = target.type.kind === 'any' ? source.type.kind : target.type.kind;
  if (typeof value !== 'string') return decodeValue(kind, value);
  const text = convert === undefined ? value : convert(value);
  if (text === undefined) return undefined;
  // A point and a sign are no digits: a shorter text has no more of them.
  const isLong = kind === 'decimal' && !isFromSqlite && text.length > keptDigits;
  if (isLong && !isWhole.test(text) && digitsOf(text) > keptDigits) return undefined;
  return decodeValue(kind, text);
}
