import { HoldfastError } from '../../errors.ts';
import type { PostgresAddress } from './postgres-address.ts';
import { PostgresConnection } from './postgres-connection.ts';
import { serverFailure } from './postgres-error.ts';
import { quoteText } from './sql-name.ts';

/** Databases that every server has, for what is done to others. */
const maintenanceDatabases = ['postgres', 'template1'] as const;

/** Connects to the server, not to the database: it may not be there, and it cannot be renamed from within. */
export async function connectControl(
  address: PostgresAddress,
  options: { readonly timeoutMs: number; readonly applicationName: string },
): Promise<PostgresConnection> {
  let failure: unknown;
  for (const database of maintenanceDatabases.filter((name) => name !== address.database)) {
    try {
      return await PostgresConnection.open(address, { ...options, database });
    } catch (error) {
      failure ??= error;
      const code = serverFailure(error)?.code ?? '';
      // Another one may be there, or let us in.
      if (code !== '3D000' && code !== '42501' && code !== '55000' && !code.startsWith('28')) break;
    }
  }
  throw failure;
}

/** Keeps a second restore of the same database away as long as the connection lasts. Throws `target.busy`. */
export async function claimTarget(control: PostgresConnection, address: PostgresAddress): Promise<void> {
  const key = `hashtextextended(${quoteText(`holdfast ${address.database}`)}, 0)`;
  const [row] = await control.rows(`SELECT pg_try_advisory_lock(${key}) AS free`);
  if (row?.['free'] === true) return;
  throw new HoldfastError('target.busy', {
    message: `${address.label} is being restored by another run`,
    hint: 'wait until it has ended',
  });
}
