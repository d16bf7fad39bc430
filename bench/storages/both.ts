/**
 * `node bench/storages/both.ts [MIB]`: one backup to S3 and SFTP at once, from the command line, over Ceph RGW and OpenSSH on the loopback. MIB is
 * what each storage gets, 4096 unless given: two copies of random bytes. Tells time, rate and the peak memory of the process.
 */
import { chmodSync, closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SeededRandom } from '../../src/testing/seeded-random.ts';
import { makeBucket, plainClient } from '../../test/s3/open-bucket.ts';
import { startRgw } from '../../test/services/start-rgw.ts';
import { startSshd } from '../../test/services/start-sshd.ts';
import { measure } from '../measure.ts';
import { holdfast } from '../programs.ts';

const mebibyte = 2 ** 20;
const sizeMib = Number(process.argv[2] ?? 4096) / 2;
const workspace = mkdtempSync(join(tmpdir(), 'holdfast-bench-both-'));
const rgw = await startRgw({ onDisk: true, version: 16 });
const sshd = await startSshd();
try {
  const client = plainClient(rgw);
  const bucket = await makeBucket(client);
  client.destroy();
  mkdirSync(join(workspace, 'tree'));
  const random = new SeededRandom(1);
  const chunk = random.bytes(mebibyte);
  const file = openSync(join(workspace, 'tree/file'), 'w');
  for (let done = 0; done < sizeMib; done += 1) {
    chunk.set(random.bytes(64), 0);
    writeSync(file, chunk);
  }
  closeSync(file);
  const { accessKey, secretKey, url } = rgw;
  writeFileSync(join(workspace, 'known_hosts'), `${sshd.knownHosts.join('\n')}\n`);
  const storage = {
    cloud: { backend: 's3', bucket, endpointUrl: url, accessKey, secretKey, pathStyle: true },
    host: {
      backend: 'sftp',
      host: sshd.host,
      port: sshd.port,
      user: sshd.user,
      key: sshd.keyPath,
      knownHosts: join(workspace, 'known_hosts'),
      rootPath: join(workspace, 'sftp'),
    },
  };
  // The server runs as another user.
  chmodSync(workspace, 0o755);
  mkdirSync(join(workspace, 'sftp'));
  chmodSync(join(workspace, 'sftp'), 0o777);
  writeFileSync(join(workspace, 'holdfast.config.json'), JSON.stringify({ files: ['tree'], storage }));
  const command = { ...holdfast('backup', '--json'), folder: workspace };
  const { durationMs, peakResidentBytes, stdout } = await measure(command);
  const { outputs, sizeBytes } = JSON.parse(stdout);
  const rate = ((outputs.length * sizeBytes) / mebibyte / (durationMs / 1000)).toFixed(0);
  const peak = (peakResidentBytes / mebibyte).toFixed(0);
  console.log(
    `${outputs.length} storages, ${(sizeBytes / mebibyte).toFixed(0)} MiB each: ${(durationMs / 1000).toFixed(1)} s, ${rate} MiB/s in all, peak ${peak} MiB`,
  );
} finally {
  await rgw.stop();
  await sshd.stop();
  rmSync(workspace, { recursive: true, force: true });
}
