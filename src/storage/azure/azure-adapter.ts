import { z } from 'zod';
import { HoldfastError } from '../../errors.ts';
import { Secret } from '../../secret.ts';
import type { StorageAdapter } from '../storage-adapter.ts';

const azureSettings = z.strictObject({
  backend: z.literal('azure'),
  /** The storage account; with `key`. */
  account: z.string().min(1).optional(),
  /** One of the account's two keys. */
  key: z.string().min(1).optional(),
  /** Instead of `account` and `key`: as the portal shows it, with a key or a SAS. */
  connectionString: z.string().min(1).optional(),
  /** Instead of `account`, `key` and `container`: the SAS URL of the container. */
  sasUrl: z.url().optional(),
  /** The container, which must exist. */
  container: z.string().min(3).max(63).optional(),
  /** A folder in the container. */
  prefix: z.string().optional(),
  /** With `account` and `key`: `https://ACCOUNT.blob.core.windows.net` unless set. */
  endpoint: z.url().optional(),
  /** The account's default unless set. `Archive` is not one of them: what is in it cannot be read back. */
  accessTier: z.enum(['Hot', 'Cool', 'Cold']).optional(),
  /** Limit of one request: 120,000 unless set. */
  timeoutMs: z.int().min(100).optional(),
});

type AzureSettings = z.output<typeof azureSettings>;

/** How a container is reached. */
export type AzureAccess =
  | { readonly account: string; readonly key: Secret; readonly endpoint: string; readonly container: string }
  | { readonly connectionString: Secret; readonly container: string }
  | { readonly sasUrl: Secret };

function invalid(message: string, hint: string): HoldfastError {
  return new HoldfastError('config.invalid', { message, hint });
}

function accessOf({ account, key, connectionString, sasUrl, container, endpoint }: AzureSettings): AzureAccess {
  const ways = [account ?? key, connectionString, sasUrl].filter((way) => way !== undefined);
  if (ways.length !== 1) {
    throw invalid(
      `azure: ${ways.length === 0 ? 'nothing says how to sign in' : 'there is more than one way to sign in'}`,
      'give `account` with `key`, or `connectionString`, or `sasUrl`',
    );
  }
  if (endpoint !== undefined && account === undefined) {
    throw invalid('azure: `endpoint` belongs to `account` and `key`', 'leave it out: the other ways say where to go');
  }
  if (sasUrl !== undefined) {
    if (container !== undefined) throw invalid('azure: `sasUrl` names the container already', 'leave out `container`');
    return { sasUrl: new Secret(sasUrl) };
  }
  if (container === undefined) throw invalid('azure: `container` is missing', 'name the container');
  if (connectionString !== undefined) return { connectionString: new Secret(connectionString), container };
  if (account === undefined) throw invalid('azure: `account` is missing', 'name the storage account of `key`');
  if (key === undefined) throw invalid('azure: `key` is missing', 'give a key of the account, or `sasUrl`');
  return {
    account,
    key: new Secret(key),
    endpoint: endpoint ?? `https://${account}.blob.core.windows.net`,
    container,
  };
}

/** Azure Blob Storage, and what speaks its protocol. */
export const azureAdapter: StorageAdapter<typeof azureSettings> = {
  backend: 'azure',
  schema: azureSettings,
  async open(settings, { clock, random, wait }) {
    const access = accessOf(settings);
    const { AzureStorage } = await import('./azure-storage.ts');
    const { prefix, accessTier, timeoutMs } = settings;
    return new AzureStorage({ access, prefix, accessTier, timeoutMs, clock, random, wait });
  },
  placeOf({ account, connectionString, sasUrl, container = '', prefix = '' }) {
    const ofConnection = /AccountName=([^;]+)/i.exec(connectionString ?? '')?.[1];
    const ofSas = sasUrl === undefined ? undefined : new URL(sasUrl);
    const name = account ?? ofConnection ?? ofSas?.hostname.split('.')[0] ?? '';
    const place = ofSas === undefined ? container : ofSas.pathname.replaceAll(/^\/|\/$/g, '');
    return { service: `${name}/${place}`, folder: prefix };
  },
};
