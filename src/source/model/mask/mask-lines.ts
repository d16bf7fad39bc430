import { HoldfastError } from '../../../errors.ts';
import { chunkLines } from '../chunk-lines.ts';
import { storedColumns } from '../model.ts';
import type { ModelType } from '../model-type.ts';
import { type LineRow, readLines } from '../read-lines.ts';
import type { LoadPlan } from '../restore/restore-plan.ts';
import { type LineValue, textOf } from '../tagged-value.ts';
import { createMasker } from './create-masker.ts';
import type { ModelMasks } from './plan-masks.ts';

/** What is done to the lines of a model on their way into a database. */
export interface ChangedLines {
  /** JSON Lines as the archive has them become such as the plan wants them. Memory: that of a chunk, or of the longest line. */
  apply(bytes: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>;
  /** Values that were masked so far. */
  readonly maskedCount: number;
}

/**
 * Masks values, and adds those of columns that were left out of the backup. Undefined where there is nothing to do, and bytes go as they are.
 *
 * @param masks With their key, from `maskKey`.
 */
export function changedLines(
  load: LoadPlan,
  masks: { readonly model: ModelMasks; readonly key: Uint8Array } | undefined,
): ChangedLines | undefined {
  const fillers = load.fields.flatMap(({ filler }) => (filler === undefined ? [] : [filler]));
  if (masks === undefined && fillers.length === 0) return undefined;
  const columns = storedColumns(load.source);
  const model = load.source.name;
  const mask = masks === undefined ? undefined : maskRow(load, masks);
  const state = { maskedCount: 0 };
  const options = { model, columnCount: columns.length };
  async function* lines(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
    for await (const rows of readLines(bytes, options)) {
      const made = rows.map((row) => {
        const masked = mask === undefined ? { row, count: 0 } : mask(row);
        state.maskedCount += masked.count;
        return JSON.stringify([...masked.row, ...fillers]);
      });
      yield made.join('\n');
    }
  }
  return {
    apply: (bytes) => chunkLines(lines(bytes)),
    get maskedCount() {
      return state.maskedCount;
    },
  };
}

function maskRow(
  { source }: LoadPlan,
  { model, key }: { readonly model: ModelMasks; readonly key: Uint8Array },
): (row: LineRow) => { readonly row: LineRow; readonly count: number } {
  const columns = storedColumns(source);
  const apply = createMasker({ model: source.name, fields: model.fields, fieldNames: model.fieldNames, key });
  const masked = model.fields.map((field) => {
    const index = columns.findIndex(({ name }) => name === field.column);
    return { index, column: columns[index], name: `${source.name}.${field.field}` };
  });
  return (row) => {
    const values = Object.fromEntries(columns.map(({ name }, index) => [name, plainValue(row[index] ?? null)]));
    const made = apply(values);
    const changed: LineValue[] = [...row];
    let count = 0;
    for (const { index, column, name } of masked) {
      if (column === undefined) continue;
      const [before = null, value] = [row[index], made[column.name]];
      const after = lineValue(value, column.type, name);
      // A value whose class is not that of its column's type stays one of its own class.
      changed[index] = typeof before === 'object' && before !== null && after !== null ? { text: after } : after;
      if (before !== null || after !== null) count += 1;
    }
    return { row: changed, count };
  };
}

/** What a mask sees. */
function plainValue(value: LineValue): string | null {
  return value === null ? null : textOf(value);
}

/** What a mask gives, as it stands in a line. Throws `mask.failed` for what does not. */
function lineValue(value: unknown, type: ModelType, name: string): string | null {
  if (value === null) return null;
  if (typeof value === 'string' && value.isWellFormed()) return value;
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  if (typeof value === 'boolean') {
    if (['boolean', 'text', 'any'].includes(type.kind)) return value ? 't' : 'f';
    return value ? '1' : '0';
  }
  throw new HoldfastError('mask.failed', {
    message: `the mask of ${name} gives ${typeof value === 'string' ? 'a text that is no Unicode' : `a ${typeof value}`}, which no column holds`,
    hint: 'give a text as values stand in the archive, a number, a boolean or null',
    context: { field: name },
  });
}
