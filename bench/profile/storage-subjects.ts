import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { BlobServiceClient, StorageSharedKeyCredential } from '@azure/storage-blob';
import { makeBucket, plainClient } from '../../test/s3/open-bucket.ts';
import { azuriteAccount, azuriteKey, startAzurite } from '../../test/services/start-azurite.ts';
import { startFtp } from '../../test/services/start-ftp.ts';
import { startRgw } from '../../test/services/start-rgw.ts';
import { startSshd } from '../../test/services/start-sshd.ts';
import { startWebdav } from '../../test/services/start-webdav.ts';
import { makeData } from '../make-data.ts';
import { filesTo, type Subject } from './subject.ts';

/** What is kept on a storage that needs a server. */

function configure(folder: string, sizeBytes: number, storage: Readonly<Record<string, unknown>>): void {
  const config = { files: [makeData(folder, sizeBytes)], storage: { far: storage } };
  writeFileSync(join(folder, 'holdfast.config.json'), JSON.stringify(config));
}

export async function s3(folder: string, sizeBytes: number): Promise<Subject> {
  const server = await startRgw({ onDisk: true, version: 16 });
  const client = plainClient(server);
  const bucket = await makeBucket(client);
  client.destroy();
  const { accessKey, secretKey, url: endpointUrl } = server;
  configure(folder, sizeBytes, { backend: 's3', bucket, endpointUrl, accessKey, secretKey, pathStyle: true });
  return { from: [], to: filesTo, storage: 'far', stop: () => server.stop() };
}

/** Files of users in one bucket, with another one that they are restored to; the archive is a file. */
export async function media(folder: string, sizeBytes: number): Promise<Subject> {
  const server = await startRgw({ onDisk: true, version: 16 });
  const client = plainClient(server);
  const [uploads, fresh] = [await makeBucket(client), await makeBucket(client)];
  const tree = makeData(folder, sizeBytes);
  for (const path of readdirSync(tree, { recursive: true, encoding: 'utf8' })) {
    const file = join(tree, path);
    if (!statSync(file).isFile()) continue;
    await client.send(new PutObjectCommand({ Bucket: uploads, Key: path, Body: readFileSync(file) }));
  }
  client.destroy();
  const { accessKey, secretKey, url: endpointUrl } = server;
  const settings = { backend: 's3', endpointUrl, accessKey, secretKey, pathStyle: true };
  const storages = { uploads: { ...settings, bucket: uploads }, fresh: { ...settings, bucket: fresh } };
  writeFileSync(join(folder, 'holdfast.config.json'), JSON.stringify({ media: storages }));
  return { from: ['--media', 'uploads'], to: ['--media-to', 'uploads=fresh'], stop: () => server.stop() };
}

export async function sftp(folder: string, sizeBytes: number): Promise<Subject> {
  const server = await startSshd();
  const knownHosts = join(folder, 'known_hosts');
  writeFileSync(knownHosts, `${server.knownHosts.join('\n')}\n`);
  const rootPath = join(folder, 'sftp');
  // The server runs as another user.
  chmodSync(folder, 0o755);
  mkdirSync(rootPath);
  chmodSync(rootPath, 0o777);
  const { host, port, user, keyPath: key } = server;
  configure(folder, sizeBytes, { backend: 'sftp', host, port, user, key, knownHosts, rootPath });
  return { from: [], to: filesTo, storage: 'far', stop: () => server.stop() };
}

export async function ftp(folder: string, sizeBytes: number): Promise<Subject> {
  const server = await startFtp({ server: 'proftpd' });
  const { host, port, user: username, password, certificatePath: ca } = server;
  configure(folder, sizeBytes, { backend: 'ftp', host, port, username, password, secure: true, ca });
  return { from: [], to: filesTo, storage: 'far', stop: () => server.stop() };
}

export async function webdav(folder: string, sizeBytes: number): Promise<Subject> {
  const server = await startWebdav();
  const { url, user: username, password } = server;
  configure(folder, sizeBytes, { backend: 'webdav', url, username, password });
  return { from: [], to: filesTo, storage: 'far', stop: () => server.stop() };
}

export async function azure(folder: string, sizeBytes: number): Promise<Subject> {
  const server = await startAzurite();
  const credential = new StorageSharedKeyCredential(azuriteAccount, azuriteKey);
  await new BlobServiceClient(server.url, credential).createContainer('archives');
  const access = { account: azuriteAccount, key: azuriteKey, endpoint: server.url };
  configure(folder, sizeBytes, { backend: 'azure', container: 'archives', ...access });
  return { from: [], to: filesTo, storage: 'far', stop: () => server.stop() };
}
