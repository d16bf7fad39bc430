import { HoldfastError } from '../../../errors.ts';
import { postgresTargetError } from '../../postgres/postgres-error.ts';
import { takenKeyHint } from '../restore/taken-key.ts';

interface RowFailure {
  readonly code: string;
  readonly message: string;
  readonly detail?: string;
  readonly constraint?: string;
  readonly column?: string;
  readonly table?: string;
  /** `COPY invoice, line 5, column total: "abc"` */
  readonly where?: string;
}

const shownLength = 160;

/**
 * What the server says of a row, in the terms of the model: which table, key, column and value. Other errors are as everywhere.
 */
export function rowError(cause: unknown, table: string, label: string): unknown {
  if (!(cause instanceof Error) || cause instanceof HoldfastError || !('code' in cause)) {
    return postgresTargetError(cause, `${label}: ${table}`);
  }
  const failure = cause as unknown as RowFailure;
  const { code, constraint = '', column } = failure;
  const where = failure.table ?? table;
  const context = { table: where, error: code, ...(constraint === '' ? {} : { constraint }) };
  const [, columns = '', values = ''] = /^Key \((.*)\)=\((.*)\) /.exec(failure.detail ?? '') ?? [];
  const key = columns === '' ? 'a row' : `${columns} = ${values.slice(0, shownLength)}`;
  switch (code) {
    case '23505':
      return new HoldfastError('target.exists', {
        message: `${where}: ${key} is there already, and the key ${constraint} is unique`,
        hint: takenKeyHint,
        context,
      });
    case '23503':
      return new HoldfastError('target.invalid', {
        message: `${where}: ${key} names a row that is not there (${constraint})`,
        hint: 'restore the table that it names too; nothing was changed',
        context,
      });
    case '23502':
      return new HoldfastError('target.incompatible', {
        message: `${where}.${column ?? ''} takes no NULL, and a row has one`,
        context,
      });
    case '23514':
      return new HoldfastError('target.incompatible', {
        message: `${where}: a row fails the check ${constraint}`,
        context,
      });
    default:
      return valueError(failure, table) ?? postgresTargetError(cause, `${label}: ${table}`);
  }
}

function valueError({ code, message, where = '' }: RowFailure, table: string): HoldfastError | undefined {
  if (!code.startsWith('22')) return undefined;
  const [, row, column, value] = /^COPY .*?, line (\d+)(?:, column ([^:]+))?(?:: "([\s\S]*)")?/.exec(where) ?? [];
  const place = `${table}${column === undefined ? '' : `.${column}`}${row === undefined ? '' : `, row ${row}`}`;
  const shown = value === undefined ? '' : `${JSON.stringify(value.slice(0, shownLength))}: `;
  return new HoldfastError('target.incompatible', {
    message: `${place}: ${shown}${message}`,
    hint: 'change the type of the column, or mend the value and back up again; nothing was changed',
    context: { table, error: code, ...(column === undefined ? {} : { column }) },
  });
}
