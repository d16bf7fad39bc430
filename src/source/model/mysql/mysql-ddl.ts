import { quoteName } from '../../mysql/sql-text.ts';
import type { Model, ModelColumn } from '../model.ts';

const bracketed = (columns: readonly string[]) => `(${columns.map(quoteName).join(', ')})`;

/**
 * The statement that makes a table, with all its keys. `isForeign`: it comes from an engine that tells texts apart by their bytes, and so
 * does the table.
 */
export function tableStatement(model: Model, isForeign: boolean): string {
  const { primaryKey, uniqueKeys, foreignKeys, columns, table } = model;
  // Only the first column of a key can be numbered.
  const isNumbered = ({ name, identity, type }: ModelColumn) =>
    identity !== undefined &&
    type.kind === 'integer' &&
    [primaryKey, ...uniqueKeys].some((key) => key?.columns[0] === name);
  const numbered = columns.find(isNumbered);
  const columnText = (column: ModelColumn) => {
    const { name, nativeType, isNullable, defaultSql, generatedSql, type } = column;
    if (generatedSql !== undefined)
      return `${quoteName(name)} ${nativeType} GENERATED ALWAYS AS (${generatedSql}) VIRTUAL`;
    const isTimestamp = /^timestamp/i.test(nativeType);
    const more = [
      isNullable ? (isTimestamp ? ' NULL' : '') : ' NOT NULL',
      column === numbered ? ' AUTO_INCREMENT' : '',
      defaultSql !== undefined && column !== numbered ? ` DEFAULT ${defaultSql}` : '',
    ];
    const collation = isForeign && type.kind === 'text' ? ' CHARACTER SET utf8mb4 COLLATE utf8mb4_bin' : '';
    return `${quoteName(name)} ${nativeType}${collation}${more.join('')}`;
  };
  const parts = [
    ...columns.map(columnText),
    ...(primaryKey === undefined ? [] : [`PRIMARY KEY ${bracketed(primaryKey.columns)}`]),
    ...uniqueKeys.map((key) => `UNIQUE KEY ${isForeign ? '' : quoteName(key.name)} ${bracketed(key.columns)}`),
    ...foreignKeys.map(({ columns: own, references, onDelete, onUpdate }) => {
      const actions = `${onDelete === undefined ? '' : ` ON DELETE ${onDelete}`}${onUpdate === undefined ? '' : ` ON UPDATE ${onUpdate}`}`;
      return `FOREIGN KEY ${bracketed(own)} REFERENCES ${quoteName(references.table.name)} ${bracketed(references.columns)}${actions}`;
    }),
  ];
  const more = isForeign ? ' DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin' : '';
  return `CREATE TABLE ${quoteName(table.name)} (${parts.join(', ')}) ENGINE=InnoDB${more}`;
}
