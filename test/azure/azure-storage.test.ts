import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  AccountSASPermissions,
  BlobServiceClient,
  type ContainerClient,
  ContainerSASPermissions,
  generateAccountSASQueryParameters,
  generateBlobSASQueryParameters,
  StorageSharedKeyCredential,
} from '@azure/storage-blob';
import { openStorage } from '../../src/config/open-storage.ts';
import { Secret } from '../../src/secret.ts';
import { type AzureAccess, azureAdapter } from '../../src/storage/azure/azure-adapter.ts';
import { AzureStorage, type AzureStorageOptions } from '../../src/storage/azure/azure-storage.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { SeededRandom } from '../../src/testing/seeded-random.ts';
import { assertCode, bytesOf, get, listNames, put } from '../../src/testing/storage-case.ts';
import { makeWorkspace } from '../end-to-end/workspace.ts';
import { archiveRoundTrip } from '../network/archive-round-trip.ts';
import { contractOf } from '../network/contract-of.ts';
import { FaultProxy } from '../network/fault-proxy.ts';
import { runFaultTrials } from '../network/fault-trials.ts';
import { guideStorages } from '../network/guide-storages.ts';
import type { Service } from '../services/service.ts';
import { azuriteAccount, azuriteKey, startAzurite } from '../services/start-azurite.ts';

const workspace = makeWorkspace('azure');
const credential = new StorageSharedKeyCredential(azuriteAccount, azuriteKey);
const noWait = async () => undefined;
let server: Service;
let proxy: FaultProxy;
let container: ContainerClient;

before(async () => {
  server = await startAzurite();
  proxy = await FaultProxy.start(server.port);
  container = await makeContainer('archives');
});
after(async () => {
  await proxy.stop();
  await server.stop();
});

async function makeContainer(name: string): Promise<ContainerClient> {
  const { containerClient } = await new BlobServiceClient(server.url, credential).createContainer(name);
  return containerClient;
}

function access(containerName = 'archives', port = server.port): AzureAccess {
  const endpoint = `http://127.0.0.1:${port}/${azuriteAccount}`;
  return { account: azuriteAccount, key: new Secret(azuriteKey), endpoint, container: containerName };
}

function storageWith(options: Partial<AzureStorageOptions> = {}): AzureStorage {
  return new AzureStorage({ access: access(), tries: 2, wait: noWait, ...options });
}

function sasUrl(permissions: string, expiresInMs = 3_600_000, keyUsed = credential): Secret {
  const expiresOn = new Date(Date.now() + expiresInMs);
  const settings = { containerName: 'archives', permissions: ContainerSASPermissions.parse(permissions), expiresOn };
  return new Secret(`${container.url}?${generateBlobSASQueryParameters(settings, keyUsed)}`);
}

async function codeOf(storage: Storage, work = (given: Storage): Promise<unknown> => put(given, 'x', 'y')) {
  return await work(storage).then(
    () => 'passed',
    (error: { code: string }) => error.code,
  );
}

let contractCount = 0;

const contractContainer = () => `contract-${contractCount}`;
/** Every second one is below a prefix. */
const contractPrefix = () => (contractCount % 2 === 0 ? 'a folder/of ours' : undefined);

/** One in a container of its own. */
async function emptyStorage(): Promise<Storage> {
  contractCount += 1;
  await makeContainer(contractContainer());
  return storageWith({ access: access(contractContainer()), prefix: contractPrefix() });
}

/** By the client of the SDK as it comes. */
async function fillContainer(names: readonly string[]): Promise<void> {
  const filled = new BlobServiceClient(server.url, credential).getContainerClient(contractContainer());
  const prefix = contractPrefix() === undefined ? '' : `${contractPrefix()}/`;
  for (const name of names) await filled.getBlockBlobClient(prefix + name).upload('', 0);
}

contractOf(
  'azure',
  emptyStorage,
  {
    'a check runs before the object appears': 'blocks cannot be read before they are committed',
    'an open object is read to its end while it is replaced': 'Azure keeps no replaced blob, unless versions are on',
  },
  fillContainer,
);

test('an archive with two copies goes there and back', () => archiveRoundTrip(storageWith(), workspace));

test('thirty networks that fail', async (t) => {
  const small = () => 256 * 1024;
  const names = await makeContainer('trials');
  const harmed = new AzureStorage({
    ...{ access: access(names.containerName, proxy.port), blockSizeBytes: small, timeoutMs: 700, wait: noWait },
  });
  const direct = new AzureStorage({ access: access(names.containerName) });
  const counts = await runFaultTrials({ proxy, harmed, direct, seeds: 30, sizeBytes: 1_500_000 });
  t.diagnostic(JSON.stringify(counts));
  assert.ok(counts.committed >= 15 && counts.failed >= 5 && counts.faults > 60, JSON.stringify(counts));
});

describe('ways to sign in', () => {
  test('a SAS URL with all rights it needs', async () => {
    const storage = new AzureStorage({ access: { sasUrl: sasUrl('racwdl') } });
    const writer = await storage.writer('by sas', { copies: 2 });
    await writer.write(bytesOf('x'));
    await writer.commit(async () => undefined);
    assert.equal(await get(storage, 'by sas'), 'xx');
    await storage.delete('by sas');
    assert.ok(!storage.url('by sas').includes('sig='));
    assert.ok(!JSON.stringify(storage.properties).includes('sig='));
    assert.deepEqual(
      storage.properties.warnings.map((each) => each.slice(0, 15)),
      ['the SAS expires'],
    );
  });

  test('a connection string with a SAS of the account', async () => {
    const expiresOn = new Date(Date.now() + 90 * 86_400_000);
    const settings = { permissions: 'rwdlac', services: 'b', resourceTypes: 'co', expiresOn };
    const sas = generateAccountSASQueryParameters(
      { ...settings, permissions: AccountSASPermissions.parse('rwdlac') },
      credential,
    );
    const text = new Secret(`BlobEndpoint=${server.url};SharedAccessSignature=${sas}`);
    const storage = new AzureStorage({ access: { connectionString: text, container: 'archives' } });
    assert.deepEqual(storage.properties.warnings, []);
    for (const content of ['old', 'new']) {
      const writer = await storage.writer('by account sas', { copies: 2 });
      await writer.write(bytesOf(content));
      await writer.commit(async () => undefined);
    }
    assert.equal(await get(storage, 'by account sas'), 'newnew');
    await storage.delete('by account sas');
  });

  test('a connection string, and a prefix', async () => {
    const text = `DefaultEndpointsProtocol=http;AccountName=${azuriteAccount};AccountKey=${azuriteKey};BlobEndpoint=${server.url};`;
    const settings = { backend: 'azure', connectionString: text, container: 'archives', prefix: '/deep/er/' };
    const storage = await azureAdapter.open(azureAdapter.schema.parse(settings), { folder: '/' });
    await put(storage, 'named', 'x');
    assert.deepEqual(await listNames(storage), ['named']);
    assert.deepEqual(await listNames(storageWith(), 'deep/'), ['deep/er/named']);
    await storage.delete('named');
  });

  test('what contradicts itself is refused before anything is sent', async () => {
    const bad: Record<string, string>[] = [
      {},
      { account: 'a', key: 'aw==', container: 'abc', sasUrl: 'https://x.test/y?sig=1' },
      { account: 'a', container: 'abc' },
      { key: 'aw==', container: 'abc' },
      { account: 'a', key: 'aw==' },
      { sasUrl: 'https://x.test/y?sig=1', container: 'abc' },
      { sasUrl: 'https://x.test/y?sig=1', endpoint: 'https://y.test' },
      { connectionString: 'canary-of-a-secret', container: 'abc' },
    ];
    for (const settings of bad) {
      const parsed = azureAdapter.schema.parse({ backend: 'azure', ...settings });
      const opened = azureAdapter.open(parsed, { folder: '/' });
      await assert.rejects(opened, (error: Error & { code: string }) => {
        assert.ok(!JSON.stringify([error.message, error.cause]).includes('canary'));
        return error.code === 'config.invalid';
      });
    }
  });

  test('a plain-text endpoint off this machine is warned about', () => {
    const options = { access: { ...access(), endpoint: 'http://storage.example/account' } };
    assert.match(
      new AzureStorage(options).properties.warnings[0] ?? '',
      /pass in clear over the network to storage\.example/,
    );
    assert.deepEqual(storageWith().properties.warnings, []);
  });
});

test('the configuration of the guide works', async () => {
  const environment = { AZURE_STORAGE_KEY: azuriteKey };
  const { offsite } = await guideStorages('storage-azure.md', { environment, folder: workspace });
  assert.equal(offsite?.backend, 'azure');
  assert.equal(
    (await openStorage({ ...offsite })).url('x'),
    'https://shopbackups.blob.core.windows.net/archives/shop/x',
  );
  const storage = await openStorage({ ...offsite, account: azuriteAccount, endpoint: server.url });
  await put(storage, 'x', 'y');
  assert.deepEqual(await listNames(storageWith(), 'shop/'), ['shop/x']);
  await storage.delete('x');
});

describe('errors', () => {
  test('each says why', async () => {
    const other = new StorageSharedKeyCredential(azuriteAccount, Buffer.alloc(64).toString('base64'));
    const found = {
      'no container': await codeOf(storageWith({ access: access('nowhere') })),
      'wrong key': await codeOf(storageWith({ access: { ...access(), key: new Secret('d3Jvbmc=') } as AzureAccess })),
      'SAS that only reads': await codeOf(storageWith({ access: { sasUrl: sasUrl('r') } })),
      'SAS of another key': await codeOf(storageWith({ access: { sasUrl: sasUrl('racwdl', 3_600_000, other) } })),
      'SAS that has expired': await codeOf(storageWith({ access: { sasUrl: sasUrl('racwdl', -60_000) } })),
      'nothing listens': await codeOf(storageWith({ access: access('archives', 1) })),
    };
    assert.deepEqual(found, {
      'no container': 'storage.container_not_found',
      'wrong key': 'storage.signature',
      'SAS that only reads': 'storage.unauthorized',
      'SAS of another key': 'storage.signature',
      'SAS that has expired': 'storage.credentials',
      'nothing listens': 'storage.unavailable',
    });
  });

  test('a blob that another program leased is locked', async () => {
    const storage = storageWith();
    await put(storage, 'leased', 'old');
    const lease = container.getBlobClient('leased').getBlobLeaseClient();
    await lease.acquireLease(-1);
    assert.equal(await codeOf(storage, (given) => put(given, 'leased', 'new')), 'storage.locked');
    assert.equal(await codeOf(storage, (given) => given.delete('leased')), 'storage.locked');
    assert.equal(await get(storage, 'leased'), 'old');
    await lease.breakLease(0);
    await storage.delete('leased');
  });

  test('what is replaced while it is read ends the reading, and may be repeated', async () => {
    const storage = storageWith();
    await put(storage, 'moving', 'old');
    const open = await storage.open('moving');
    await put(storage, 'moving', 'new');
    await assertCode(open.read(0, new Uint8Array(3)), 'storage.unavailable');
    await storage.delete('moving');
    await assertCode(open.read(0, new Uint8Array(3)), 'storage.unavailable');
  });
});

describe('what stands there', () => {
  const failing = async (): Promise<void> => {
    throw new Error('check');
  };

  test('a failed check brings the old object back, whole, and leaves no snapshot', async () => {
    const storage = storageWith({ blockSizeBytes: () => 100_000 });
    const old = new SeededRandom(1).bytes(350_000);
    const writeIt = async (bytes: Uint8Array, check?: () => Promise<void>) => {
      const writer = await storage.writer('kept', { copies: 1 });
      await writer.write(bytes);
      await writer.commit(check);
    };
    await writeIt(old);
    await assert.rejects(writeIt(new Uint8Array(500_000), failing), /check/);
    const access = await storage.open('kept');
    const bytes = new Uint8Array(access.sizeBytes);
    await access.read(0, bytes);
    assert.equal(Buffer.compare(bytes, old), 0);
    const left: (string | undefined)[] = [];
    for await (const blob of container.listBlobsFlat({ prefix: 'kept', includeSnapshots: true }))
      left.push(blob.snapshot);
    assert.deepEqual(left.filter(Boolean), []);
    await storage.delete('kept');
  });

  test('a failed check leaves what another program wrote meanwhile', async () => {
    const storage = storageWith();
    const writer = await storage.writer('raced', { copies: 1 });
    await writer.write(bytesOf('mine'));
    const check = async () => {
      await put(storageWith(), 'raced', 'theirs');
      await failing();
    };
    await assert.rejects(writer.commit(check));
    assert.equal(await get(storage, 'raced'), 'theirs');
    await storage.delete('raced');
  });

  test('blocks that another writer of the name swept away are a conflict, and its object stays', async () => {
    const storage = storageWith({ blockSizeBytes: () => 10 });
    const first = await storage.writer('swept', { copies: 1 });
    await first.write(new Uint8Array(100));
    await put(storage, 'swept', 'second');
    await assertCode(first.commit(), 'storage.conflict');
    assert.equal(await get(storage, 'swept'), 'second');
    await storage.delete('swept');
  });

  test('a commit whose answer is lost is found out, or taken back', async () => {
    proxy.reset({ seed: 1, faults: 0, rate: 0 });
    proxy.loses.pattern = /comp=blocklist/;
    const written: Record<string, string> = {};
    for (const [tries, old] of [
      [1, 'old'],
      [1, ''],
      [3, 'old'],
      [3, ''],
    ] as const) {
      const name = `lost ${tries} ${old}`;
      if (old !== '') await put(storageWith(), name, old);
      const writer = await storageWith({ access: access('archives', proxy.port), tries }).writer(name, { copies: 1 });
      await writer.write(bytesOf('new'));
      proxy.loses.count = 1;
      const outcome = await writer
        .commit(async () => undefined)
        .then(
          () => 'committed',
          (error: { code: string }) => error.code,
        );
      assert.equal(proxy.loses.count, 0);
      written[name] = `${outcome}, ${await get(storageWith(), name).catch(() => 'nothing')}`;
      await storageWith().delete(name);
    }
    assert.deepEqual(written, {
      'lost 1 old': 'storage.unavailable, old',
      'lost 1 ': 'storage.unavailable, nothing',
      'lost 3 old': 'committed, new',
      'lost 3 ': 'committed, new',
    });
  });

  test('the access tier is set', async () => {
    const storage = storageWith({ accessTier: 'Cool' });
    await put(storage, 'cool', 'x');
    assert.equal((await container.getBlobClient('cool').getProperties()).accessTier, 'Cool');
    await storage.delete('cool');
  });
});
