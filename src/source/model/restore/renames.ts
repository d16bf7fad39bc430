import { HoldfastError } from '../../../errors.ts';

/** What is called otherwise in the target than in the archive. */
export interface Renames {
  /** From the model to the name of the table. */
  readonly tables: ReadonlyMap<string, string>;
  /** From `model.column` to the name of the column; empty for one that is left out. */
  readonly columns: ReadonlyMap<string, string>;
}

/** Reads `invoice=bill` (a table), `invoice.total=amount` (a column), `invoice.note=` (left out). Throws `usage.invalid`. */
export function parseRenames(texts: readonly string[], models: readonly string[]): Renames {
  const tables = new Map<string, string>();
  const columns = new Map<string, string>();
  for (const text of texts) {
    const at = text.indexOf('=');
    const [from, to] = [text.slice(0, Math.max(0, at)), text.slice(at + 1)];
    const isTable = models.includes(from);
    const isColumn = models.some((model) => from.startsWith(`${model}.`));
    if (at <= 0 || (!isTable && !isColumn) || (isTable && to === '')) {
      throw new HoldfastError('usage.invalid', {
        message: `${JSON.stringify(text)} renames nothing of the archive`,
        hint: 'write model=table, model.column=column, or model.column= to leave a column out',
      });
    }
    if (isTable) tables.set(from, to);
    else columns.set(from, to);
  }
  return { tables, columns };
}
