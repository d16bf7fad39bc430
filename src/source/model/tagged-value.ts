/**
 * A value of SQLite whose storage class is not the one that its column's type has, where every value has a class of its own
 * (sqlite.org/datatype3.html): its class and its text. A value of every other engine is its text alone.
 */
export interface TaggedValue {
  readonly integer?: string;
  readonly real?: string;
  readonly text?: string;
  /** `\x` and hex digits. */
  readonly blob?: string;
}

/** A value as it stands in a line. */
export type LineValue = string | null | TaggedValue;

/** The text of a value, whatever its class. */
export function textOf(value: string | TaggedValue): string {
  if (typeof value === 'string') return value;
  return value.integer ?? value.real ?? value.text ?? value.blob ?? '';
}
