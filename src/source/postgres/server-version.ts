import { HoldfastError } from '../../errors.ts';
import type { PostgresConnection } from './postgres-connection.ts';

/** A server by its version. */
export interface ServerVersion {
  /** `15.18` */
  readonly version: string;
  /** `15` */
  readonly major: number;
}

const oldestMajor = 12;

/** Throws `tool.failed` for a server that is older than what is supported. */
export async function readVersion(connection: PostgresConnection): Promise<ServerVersion> {
  const [row] = await connection.rows(`SELECT current_setting('server_version_num')::int AS number`);
  const number = Number(row?.['number']);
  const major = Math.floor(number / 10_000);
  if (major < oldestMajor) {
    throw new HoldfastError('tool.failed', {
      message: `the server is PostgreSQL ${major}; the oldest that is supported is ${oldestMajor}`,
      hint: 'upgrade the server',
    });
  }
  return { version: `${major}.${number % 10_000}`, major };
}
