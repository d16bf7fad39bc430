import { HoldfastError } from '../../errors.ts';
import type { MysqlAddress } from './mysql-address.ts';
import type { MysqlConnection } from './mysql-connection.ts';
import { lockName } from './side-names.ts';

/**
 * Takes the lock under which one restore or undo at a time works on a database. The server frees it when the connection ends, however that
 * happens, and not before it has done what the connection asked for last. Throws `target.busy`.
 */
export async function lockTarget(control: MysqlConnection, address: MysqlAddress, timeoutMs: number): Promise<void> {
  const waitSeconds = Math.max(1, Math.ceil(timeoutMs / 1000));
  const [row] = await control.rows('SELECT GET_LOCK(?, ?) AS isLocked', [lockName(address.database), waitSeconds]);
  if (Number(row?.['isLocked']) === 1) return;
  throw new HoldfastError('target.busy', {
    message: `another restore or undo of ${address.label} is at work; it was waited for ${waitSeconds} s`,
    hint: 'try again when it has ended',
  });
}
