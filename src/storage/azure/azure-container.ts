import { ContainerClient, newPipeline, StorageSharedKeyCredential } from '@azure/storage-blob';
import type { Clock } from '../../clock.ts';
import { HoldfastError } from '../../errors.ts';
import { clearTextWarnings } from '../remote/network-error.ts';
import type { AzureAccess } from './azure-adapter.ts';

/** Requests are repeated by `Attempts`, each with a limit; the client's own tries have none that holds when a connection stalls. */
const pipelineOptions = { retryOptions: { maxTries: 1 } };

/** The client of a container. Throws `config.invalid` for credentials that cannot be any. */
export function azureContainer(access: AzureAccess): ContainerClient {
  try {
    if ('sasUrl' in access) return new ContainerClient(access.sasUrl.reveal(), newPipeline(undefined, pipelineOptions));
    if ('connectionString' in access) {
      return new ContainerClient(access.connectionString.reveal(), access.container, pipelineOptions);
    }
    const credential = new StorageSharedKeyCredential(access.account, access.key.reveal());
    const url = `${access.endpoint.replace(/\/+$/, '')}/${encodeURIComponent(access.container)}`;
    return new ContainerClient(url, newPipeline(credential, pipelineOptions));
  } catch {
    // The client's message has the connection string in it.
    const setting = 'sasUrl' in access ? 'sasUrl' : 'connectionString' in access ? 'connectionString' : 'key';
    const hint = 'copy it again from the Azure portal';
    throw new HoldfastError('config.invalid', { message: `azure: \`${setting}\` cannot be read`, hint });
  }
}

/** The URL without what stands behind the question mark of a SAS. */
export function withoutSas(url: string): string {
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname}`;
}

/** When the SAS of a URL ends, where it has one. */
export function expiryMs(url: string): number | undefined {
  const expiry = new URL(url).searchParams.get('se');
  return expiry === null ? undefined : Date.parse(expiry);
}

const soonMs = 14 * 24 * 60 * 60 * 1000;

/** What is unsafe about how the container is reached, or will be soon. */
export function accessWarnings(url: string, clock: Clock): string[] {
  const warnings = clearTextWarnings(url);
  const expiresMs = expiryMs(url) ?? Number.POSITIVE_INFINITY;
  const leftMs = expiresMs - clock.nowMs();
  if (leftMs < soonMs) {
    const time = new Date(expiresMs).toISOString();
    warnings.push(`the SAS ${leftMs < 0 ? 'has expired' : 'expires'} at ${time}: make a new one`);
  }
  return warnings;
}
