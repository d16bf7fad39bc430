import { readFile } from 'node:fs/promises';
import type { ConnectionOptions } from 'node:tls';
import { HoldfastError } from '../../errors.ts';
import type { PostgresAddress } from './postgres-address.ts';

async function read(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new HoldfastError('usage.invalid', { message: `${path}, which the URL names, cannot be read`, cause });
  }
}

/** How a connection is encrypted; undefined where it is not. */
export async function tlsOptions(address: PostgresAddress): Promise<ConnectionOptions | undefined> {
  const { sslMode, sslRootCertPath, sslCertPath, sslKeyPath } = address;
  if (sslMode === 'disable') return undefined;
  const hasOwnAuthority = sslRootCertPath !== undefined && sslRootCertPath !== 'system';
  return {
    rejectUnauthorized: sslMode.startsWith('verify'),
    // `verify-ca` trusts every server that the authority has signed for.
    ...(sslMode === 'verify-ca' ? { checkServerIdentity: () => undefined } : {}),
    ...(hasOwnAuthority ? { ca: await read(sslRootCertPath) } : {}),
    ...(sslCertPath === undefined ? {} : { cert: await read(sslCertPath) }),
    ...(sslKeyPath === undefined ? {} : { key: await read(sslKeyPath) }),
  };
}
