import { HoldfastError } from '../errors.ts';
import type { Secret } from '../secret.ts';
import { isLoopbackHost } from '../storage/network-error.ts';
import { parseMysqlUrl } from './mysql/mysql-address.ts';
import { parsePostgresUrl } from './postgres/postgres-address.ts';

/**
 * What to add to the URL of a database on another machine whose certificate is not checked, as the engines' own clients do not either unless told:
 * whoever is in between could be its server. Undefined where nobody can be, or the URL is none.
 */
export function missingVerification(url: Secret): string | undefined {
  try {
    if (/^postgres(ql)?:/i.test(url.reveal())) {
      const { host, sslMode } = parsePostgresUrl(url);
      const isNear = host.startsWith('/') || isLoopbackHost(host);
      return isNear || sslMode.startsWith('verify') ? undefined : 'sslmode=verify-full';
    }
    if (/^(mysql|mariadb):/i.test(url.reveal())) {
      const { host, socketPath, sslMode } = parseMysqlUrl(url);
      const isNear = socketPath !== undefined || isLoopbackHost(host);
      return isNear || sslMode.startsWith('VERIFY') ? undefined : 'ssl-mode=VERIFY_IDENTITY';
    }
  } catch (error) {
    // What is wrong with it is told where it is used.
    if (!(error instanceof HoldfastError)) throw error;
  }
  return undefined;
}
