import { HoldfastError } from '../../../errors.ts';
import { mysqlTargetError, serverFailure } from '../../mysql/mysql-error.ts';
import { takenKeyHint } from '../restore/taken-key.ts';

const duplicate = 1062;
const missingParent = [1451, 1452];
const noNull = [1048, 1364];
/** Out of range, truncated, not a value, too long, a check. */
const values = [1264, 1265, 1292, 1366, 1406, 3819, 4025, 1416];

/** What the server says of a row, in the terms of the model. `firstRow`: of the statement, in the archive. */
export function mysqlRowError(
  cause: unknown,
  options: { readonly table: string; readonly label: string; readonly firstRow?: number },
): unknown {
  const failure = serverFailure(cause);
  const { table, label, firstRow } = options;
  if (failure === undefined) return cause;
  const { number, message } = failure;
  const context = { table, error: failure.name, number };
  if (number === duplicate) {
    const [, value = '', key = ''] = /Duplicate entry '(.*)' for key '(.*)'/.exec(message) ?? [];
    return new HoldfastError('target.exists', {
      message: `${table}: a row with ${JSON.stringify(value)} is there already, and the key ${key} is unique`,
      hint: takenKeyHint,
      context,
    });
  }
  if (missingParent.includes(number)) {
    return new HoldfastError('target.invalid', { message: `${table}: a row names a row that is not there`, context });
  }
  if (noNull.includes(number) || values.includes(number)) {
    const column = /column (?:`[^`]*`\.`[^`]*`\.)?[`'](.*?)[`']/i.exec(message)?.[1];
    const at = /at row (\d+)$/.exec(message)?.[1];
    const row = at === undefined || firstRow === undefined ? '' : `, row ${firstRow + Number(at) - 1}`;
    return new HoldfastError('target.incompatible', {
      message: `${table}${column === undefined ? '' : `.${column}`}${row}: ${message.replace(/ at row \d+$/, '')}`,
      hint: 'change the type of the column, or mend the value and back up again; nothing was changed',
      context,
    });
  }
  return mysqlTargetError(cause, { what: `${label}: ${table}` });
}
