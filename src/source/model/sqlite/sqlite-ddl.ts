import type { Model, ModelColumn } from '../model.ts';
import { quoteName } from './discover-sqlite.ts';

const bracketed = (columns: readonly string[]) => `(${columns.map(quoteName).join(', ')})`;

/** The statement that makes a table, with all its keys. */
export function tableStatement(model: Model): string {
  const { primaryKey, uniqueKeys, foreignKeys, columns, table } = model;
  const [only] = primaryKey?.columns ?? [];
  const numbered = columns.find(
    ({ name, identity, type }) =>
      identity !== undefined && type.kind === 'integer' && primaryKey?.columns.length === 1 && only === name,
  );
  const columnText = (column: ModelColumn) => {
    const { name, nativeType, isNullable, defaultSql } = column;
    if (column === numbered) {
      // What was numbered beyond the rows that there are is not given out again.
      return `${quoteName(name)} INTEGER PRIMARY KEY${column.identity?.next === undefined ? '' : ' AUTOINCREMENT'}`;
    }
    // An expression stands in brackets.
    const value = defaultSql === undefined ? '' : ` DEFAULT (${defaultSql})`;
    // Outside of a strict table, ANY means numbers.
    return `${quoteName(name)}${/^(ANY)?$/i.test(nativeType) ? '' : ` ${nativeType}`}${isNullable ? '' : ' NOT NULL'}${value}`;
  };
  const parts = [
    ...columns.map(columnText),
    ...(primaryKey === undefined || numbered !== undefined ? [] : [`PRIMARY KEY ${bracketed(primaryKey.columns)}`]),
    ...uniqueKeys.map((key) => `UNIQUE ${bracketed(key.columns)}`),
    ...foreignKeys.map(({ columns: own, references, onDelete, onUpdate }) => {
      const target = references.columns.length === 0 ? '' : ` ${bracketed(references.columns)}`;
      const actions = `${onDelete === undefined ? '' : ` ON DELETE ${onDelete}`}${onUpdate === undefined ? '' : ` ON UPDATE ${onUpdate}`}`;
      return `FOREIGN KEY ${bracketed(own)} REFERENCES ${quoteName(references.table.name)}${target}${actions}`;
    }),
  ];
  return `CREATE TABLE ${quoteName(table.name)} (${parts.join(', ')})`;
}
