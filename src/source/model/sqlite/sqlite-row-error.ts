import { HoldfastError } from '../../../errors.ts';
import { sqliteResultCode } from '../../sqlite/sqlite-error.ts';
import { targetError } from '../../system-error.ts';
import { takenKeyHint } from '../restore/taken-key.ts';

/** Extended result codes (sqlite.org/rescode.html). */
const constraints = { unique: 2067, primaryKey: 1555, rowId: 2579, notNull: 1299, check: 275, dataType: 3091 } as const;
const busyCodes = [5, 6];

/** What SQLite says of a row, in the terms of the model. */
export function sqliteRowError(cause: unknown, options: { readonly table: string; readonly path: string }): unknown {
  if (cause instanceof HoldfastError) return cause;
  const code = sqliteResultCode(cause);
  if (code === undefined || !(cause instanceof Error)) return targetError(cause, options.path);
  const { table, path } = options;
  const of = /failed: (.*)$/.exec(cause.message)?.[1] ?? '';
  const context = { table, error: code };
  if (code === constraints.unique || code === constraints.primaryKey || code === constraints.rowId) {
    return new HoldfastError('target.exists', {
      message: `${table}: a row with the same ${of} is there already, and that key is unique`,
      hint: takenKeyHint,
      context,
    });
  }
  if (code === constraints.notNull || code === constraints.check || code === constraints.dataType) {
    return new HoldfastError('target.incompatible', {
      message: `${table}: a row is refused: ${cause.message}`,
      context,
    });
  }
  if (busyCodes.includes(code & 0xff))
    return new HoldfastError('target.busy', { message: `${path} is locked`, context, cause });
  return new HoldfastError(code === 13 ? 'storage.full' : 'target.invalid', {
    message: `${path}: ${table}: ${cause.message}`,
    context,
    cause,
  });
}
