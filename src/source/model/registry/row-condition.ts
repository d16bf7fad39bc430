import { HoldfastError } from '../../../errors.ts';

/** What a column can be compared with. */
export type ConditionValue = string | number | bigint | boolean | Date;

/** How a column's value is compared. All that is given has to hold; null never fulfils a comparison, as in SQL. */
export interface Comparisons<Value> {
  readonly not?: Value | null;
  readonly in?: readonly Value[];
  readonly lt?: Value;
  readonly lte?: Value;
  readonly gt?: Value;
  readonly gte?: Value;
}

/**
 * What a field can be compared with: its own type, or anything where that is not known. SQLite has no dates: there a Date is compared with as the
 * column holds it, a text or a number.
 */
type Comparable<Value> = unknown extends Value
  ? ConditionValue
  : Extract<Value, ConditionValue> | (Extract<Value, Date> extends never ? never : string | number);

/**
 * Which rows of a model are backed up: those for which every field is as said.
 *
 * @example { tenantId: 7, status: { in: ['open', 'paid'] }, createdAt: { gte: new Date('2026-01-01') }, deletedAt: null }
 */
export type Where<Row> = {
  readonly [Field in keyof Row & string]?: Comparable<Row[Field]> | null | Comparisons<Comparable<Row[Field]>>;
};

/** One comparison. `in` has a list of values; `is null` and `is not null` have none. */
export type RowCondition =
  | { readonly column: string; readonly operator: '=' | '<>' | '<' | '<=' | '>' | '>='; readonly value: ConditionValue }
  | { readonly column: string; readonly operator: 'in'; readonly values: readonly ConditionValue[] }
  | { readonly column: string; readonly operator: 'is null' | 'is not null' };

const operators = { lt: '<', lte: '<=', gt: '>', gte: '>=' } as const;

function isValue(value: unknown): value is ConditionValue {
  if (typeof value === 'number') return Number.isFinite(value);
  if (value instanceof Date) return !Number.isNaN(value.getTime());
  return ['string', 'bigint', 'boolean'].includes(typeof value);
}

function requireValue(value: unknown, place: string): ConditionValue {
  if (isValue(value)) return value;
  throw new HoldfastError('config.invalid', {
    message: `${place} cannot be compared with ${value === null ? 'null' : typeof value}`,
    hint: 'compare it with a text, a finite number, a bigint, a boolean or a valid Date; with null as { field: null } or { field: { not: null } }',
  });
}

/** The comparisons of one field: a value stands for equality, null for absence. */
function comparisonsOf(column: string, given: unknown, place: string): RowCondition[] {
  if (given === null) return [{ column, operator: 'is null' }];
  if (typeof given !== 'object' || given instanceof Date) {
    return [{ column, operator: '=', value: requireValue(given, place) }];
  }
  return Object.entries(given).map(([name, value]): RowCondition => {
    if (name === 'not' && value === null) return { column, operator: 'is not null' };
    if (name === 'not') return { column, operator: '<>', value: requireValue(value, place) };
    if (name === 'in' && Array.isArray(value)) {
      return { column, operator: 'in', values: value.map((one) => requireValue(one, place)) };
    }
    if (Object.hasOwn(operators, name)) {
      return { column, operator: operators[name as keyof typeof operators], value: requireValue(value, place) };
    }
    throw new HoldfastError('config.invalid', {
      message: `${place} has no comparison ${name}`,
      hint: 'there are not, in (a list), lt, lte, gt and gte',
    });
  });
}

/**
 * The conditions on columns that `where` stands for.
 *
 * @param columnOf The column of a field; throws for one that is not there.
 * @throws `config.invalid` for a comparison that there is not.
 */
export function rowConditions(
  where: Readonly<Record<string, unknown>>,
  model: string,
  columnOf: (field: string) => string,
): RowCondition[] {
  return Object.entries(where)
    .filter(([, given]) => given !== undefined)
    .flatMap(([field, given]) => comparisonsOf(columnOf(field), given, `${model}.${field}`));
}
