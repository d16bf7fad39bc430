import { after, before } from 'node:test';
import { BlobServiceClient, StorageSharedKeyCredential } from '@azure/storage-blob';
import { Secret } from '../../src/secret.ts';
import { AzureStorage } from '../../src/storage/azure/azure-storage.ts';
import { contractOf } from '../network/contract-of.ts';
import type { Service } from '../services/service.ts';
import { azuriteAccount, azuriteKey, startAzurite } from '../services/start-azurite.ts';

let server: Service;
let count = 0;

before(async () => {
  server = await startAzurite();
});
after(() => server.stop());

/** One in a container of its own. */
async function makeStorage(): Promise<AzureStorage> {
  count += 1;
  const container = `contract-${count}`;
  const credential = new StorageSharedKeyCredential(azuriteAccount, azuriteKey);
  await new BlobServiceClient(server.url, credential).createContainer(container);
  const access = { account: azuriteAccount, key: new Secret(azuriteKey), endpoint: server.url, container };
  return new AzureStorage({ access, ...(count % 2 === 0 ? { prefix: 'a folder/of ours' } : {}) });
}

contractOf('azure', makeStorage, {
  'a check runs before the object appears': 'blocks cannot be read before they are committed',
  'an open object is read to its end while it is replaced': 'Azure keeps no replaced blob, unless versions are on',
});
