import { systemClock } from '../../clock.ts';
import { HoldfastError } from '../../errors.ts';
import { systemRandom } from '../../random.ts';
import type { UndoChange, UndoOptions } from '../engine.ts';
import { claimTarget, connectControl } from './control-connection.ts';
import { parsePostgresUrl } from './postgres-address.ts';
import { postgresTargetError } from './postgres-error.ts';
import { findSides, newId, restoreName, sideName } from './side-names.ts';
import { swapDatabases } from './swap-databases.ts';

const defaultTimeoutMs = 60_000;

/** Brings back the database that the newest restore or undo replaced, and keeps the one that stands there now. */
export async function undoPostgres(options: UndoOptions): Promise<UndoChange> {
  const { url, dryRun = false, timeoutMs = defaultTimeoutMs } = options;
  const address = parsePostgresUrl(url);
  try {
    const id = newId(options.random ?? systemRandom);
    const control = await connectControl(address, { timeoutMs, applicationName: restoreName(id) });
    try {
      await claimTarget(control, address);
      const sides = await findSides(control, address.database);
      const kept = sides.find(({ kind }) => kind === 'undo');
      if (kept === undefined) {
        throw new HoldfastError('target.no_undo', { message: `nothing is kept of ${address.label}` });
      }
      const rows = await control.rows('SELECT 1 FROM pg_database WHERE datname = $1', [address.database]);
      const away = { name: sideName(address.database, 'undo', id), kind: 'undo' } as const;
      const isReplaced = rows.length > 0;
      const change = { target: address.label, restored: kept.name, ...(isReplaced ? { undo: away.name } : {}) };
      if (dryRun) return change;
      await swapDatabases({
        control,
        address,
        from: kept.name,
        comment: kept.mark?.comment ?? null,
        ...(isReplaced ? { away } : {}),
        atMs: (options.clock ?? systemClock).nowMs(),
        isForced: true,
        timeoutMs,
      });
      return change;
    } finally {
      await control.close();
    }
  } catch (error) {
    throw postgresTargetError(error, address.label);
  }
}
