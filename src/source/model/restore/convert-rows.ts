import { readLines } from '../read-lines.ts';
import { type LineValue, textOf } from '../tagged-value.ts';
import { refusedValue } from './refused-value.ts';
import type { FieldPlan, LoadPlan } from './restore-plan.ts';

/** A field whose values are written. */
export interface WrittenField extends FieldPlan {
  readonly target: NonNullable<FieldPlan['target']>;
  /** Its place in a line. */
  readonly index: number;
}

/** The fields that have a target, in their order. */
export function writtenFields({ fields }: LoadPlan): readonly WrittenField[] {
  return fields.flatMap((field, index) =>
    field.target === undefined ? [] : [{ ...field, target: field.target, index }],
  );
}

/** The columns that an update of a row that is there changes: not its key, nor what was left out of the backup. */
export function updatedColumns(load: LoadPlan): readonly string[] {
  const key = load.target.primaryKey?.columns ?? [];
  return writtenFields(load)
    .filter(({ target, filler }) => filler === undefined && !key.includes(target.name))
    .map(({ target }) => target.name);
}

/** The rows of a model with the texts that the target takes, those of a chunk at a time. Throws `archive.corrupt`, `target.incompatible`. */
export async function* convertRows(
  load: LoadPlan,
  bytes: AsyncIterable<Uint8Array>,
): AsyncGenerator<readonly (readonly (string | null)[])[]> {
  const fields = writtenFields(load);
  let row = 0;
  for await (const lines of readLines(bytes, { model: load.source.name, columnCount: load.fields.length })) {
    yield lines.map((line) => {
      row += 1;
      return fields.map((field) => convertValue(line[field.index] ?? null, field, load, row));
    });
  }
}

function convertValue(value: LineValue, field: WrittenField, load: LoadPlan, row: number): string | null {
  if (value === null) return null;
  const text = textOf(value);
  const isBlob = typeof value !== 'string' && value.blob !== undefined;
  // A blob is no text of anything, and what is no blob is none of its bytes.
  const isMixed = isBlob !== (field.target.type.kind === 'bytes') && typeof value !== 'string';
  const made = isMixed ? undefined : field.convert === undefined ? text : field.convert(text);
  if (made !== undefined) return made;
  throw refusedValue({ table: load.target.name, field, row, value: text });
}
