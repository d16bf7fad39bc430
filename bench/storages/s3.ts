/**
 * `node bench/storages/s3.ts [--size 1024] [--only write,…]`: writing to and reading from S3 beside `rclone copy` with its default settings, against the
 * same Ceph RGW on the loopback; sizes in MiB. Rates count the bytes that pass the network.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { SeededRandom } from '../../src/testing/seeded-random.ts';
import { makeBucket, plainClient } from '../../test/s3/open-bucket.ts';
import { startRgw } from '../../test/services/start-rgw.ts';
import { measure } from '../measure.ts';
import type { ChildOrder, ChildResult } from './s3-child.ts';

const { values } = parseArgs({
  options: { size: { type: 'string', default: '1024' }, only: { type: 'string' }, version: { type: 'string' } },
});
const mebibyte = 2 ** 20;
const halfBytes = (Number(values.size) / 2) * mebibyte;
const only = values.only?.split(',');
const child = fileURLToPath(new URL('s3-child.ts', import.meta.url));

function makeFile(path: string, sizeBytes: number): void {
  const random = new SeededRandom(1);
  const chunk = random.bytes(mebibyte);
  const file = openSync(path, 'w');
  for (let done = 0; done < sizeBytes; done += chunk.length) {
    chunk.set(random.bytes(16), 0);
    writeSync(file, chunk);
  }
  closeSync(file);
}

function say(name: string, movedBytes: number, durationMs: number, peakBytes: number): void {
  const rate = (movedBytes / mebibyte / (durationMs / 1000)).toFixed(0).padStart(5);
  const moved = (movedBytes / mebibyte).toFixed(0).padStart(5);
  console.log(
    `${name.padEnd(28)} ${moved} MiB ${rate} MiB/s  peak ${(peakBytes / mebibyte).toFixed(0).padStart(4)} MiB`,
  );
}

const workspace = mkdtempSync(join(tmpdir(), 'holdfast-bench-s3-'));
const server = await startRgw({ onDisk: true, version: values.version === '20' ? 20 : 16 });
try {
  const client = plainClient(server);
  const bucket = await makeBucket(client);
  client.destroy();
  const folder = join(workspace, 'tree');
  mkdirSync(folder);
  makeFile(join(folder, 'half'), halfBytes);
  makeFile(join(workspace, 'whole'), 2 * halfBytes);
  execFileSync('sync');
  const { accessKey, secretKey, url } = server;
  const settings = { backend: 's3', bucket, endpointUrl: url, accessKey, secretKey };
  const environment = {
    RCLONE_CONFIG_X_TYPE: 's3',
    RCLONE_CONFIG_X_PROVIDER: 'Ceph',
    RCLONE_CONFIG_X_ENDPOINT: url,
    RCLONE_CONFIG_X_ACCESS_KEY_ID: accessKey,
    RCLONE_CONFIG_X_SECRET_ACCESS_KEY: secretKey,
    RCLONE_CONFIG: join(workspace, 'rclone.conf'),
    // What the machine sets for other programs.
    AWS_CA_BUNDLE: '',
  };
  const rclone = async (name: string, from: string, to: string): Promise<void> => {
    if (only && !only.includes('rclone')) return;
    const { durationMs, peakResidentBytes } = await measure({
      program: 'rclone',
      args: ['copyto', from, to],
      environment,
    });
    say(`rclone copy, ${name}`, 2 * halfBytes, durationMs, peakResidentBytes);
  };
  const holdfast = async (step: ChildOrder['step'], name: string): Promise<void> => {
    if (only && !only.includes(step)) return;
    const order: ChildOrder = { step, settings, folder, file: join(folder, 'half'), name };
    const program = pathToFileURL(process.execPath).pathname;
    const { stdout } = await measure({ program, args: [child, JSON.stringify(order)] });
    const result = JSON.parse(stdout) as ChildResult;
    say(`holdfast, ${step}`, result.movedBytes, result.durationMs, result.peakResidentBytes);
  };
  await rclone('up', join(workspace, 'whole'), `x:${bucket}/rclone`);
  await holdfast('write', 'raw');
  await rclone('down', `x:${bucket}/rclone`, join(workspace, 'down'));
  rmSync(join(workspace, 'down'), { force: true });
  await holdfast('read', 'raw');
  await holdfast('backup', 'a.holdfast');
  await holdfast('verify', 'a.holdfast');
  await holdfast('restore', 'a.holdfast');
} finally {
  await server.stop();
  rmSync(workspace, { recursive: true, force: true });
}
