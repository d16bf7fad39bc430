import { type Model, storedColumns } from '../model.ts';
import { type LineRow, readLines } from '../read-lines.ts';
import { textOf } from '../tagged-value.ts';
import type { FileReferences } from './file-references.ts';
import type { NamingColumn } from './file-trees.ts';

/** Where what rows name goes. */
export interface RowTap {
  readonly model: Model;
  readonly columns: readonly NamingColumn[];
  readonly references: FileReferences;
  /** A value that names nothing that can be kept. */
  onRefused(refused: {
    readonly row: string;
    readonly column: string;
    readonly value: string;
    readonly reason: string;
  }): void;
}

/** Passes rows on, and notes the files that they name. Memory: that of a chunk, or of the longest line. */
export async function* tapRows(bytes: AsyncIterable<Uint8Array>, tap: RowTap): AsyncGenerator<Uint8Array> {
  const { model } = tap;
  const stored = storedColumns(model);
  const passed: Buffer[] = [];
  async function* copied() {
    for await (const chunk of bytes) {
      passed.push(Buffer.from(chunk));
      yield chunk;
    }
  }
  const take = rowTaker(
    tap,
    stored.map(({ name }) => name),
  );
  for await (const rows of readLines(copied(), { model: model.name, columnCount: stored.length })) {
    for (const row of rows) take(row);
    for (let chunk = passed.shift(); chunk !== undefined; chunk = passed.shift()) yield chunk;
  }
  yield* passed;
}

function rowTaker({ model, columns, references, onRefused }: RowTap, names: readonly string[]): (row: LineRow) => void {
  const key = (model.primaryKey?.columns ?? []).map((name) => names.indexOf(name));
  const places = columns.map((column) => ({ column, at: names.indexOf(column.column) })).filter(({ at }) => at >= 0);
  let number = 0;
  const rowName = (row: LineRow) =>
    key.length === 0
      ? `row ${number} of ${model.name}`
      : `${model.name}:${key.map((at) => textOf(row[at] ?? '')).join(',')}`;
  return (row) => {
    number += 1;
    for (const { column, at } of places) {
      const value = row[at];
      const text = value === null || value === undefined ? '' : textOf(value);
      // Applications write an empty text where there is no file.
      if (text === '') continue;
      const named = column.nameOf(text);
      const where = { row: rowName(row), column: column.column };
      if ('path' in named) references.add(column.tree.index, named.path, where);
      else onRefused({ ...where, value: text, reason: named.reason });
    }
  };
}
