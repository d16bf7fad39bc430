/**
 * Throughput of SFTP beside `rclone copy` with its default settings, to the same OpenSSH on the loopback, in memory (/dev/shm): bytes of
 * payload by second, the median of some rounds. And the memory and time of a whole backup. `node bench/storages/sftp.ts [MIB] [ROUNDS]`.
 */
import { execFileSync, fork } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createBackup, FilesSource } from '../../src/index.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { findProgram } from '../../test/services/find-program.ts';
import { type SshdService, startSshd } from '../../test/services/start-sshd.ts';
import { openSftp } from '../../test/sftp/open-sftp.ts';

const mebibyte = 1024 * 1024;
const megabytes = Number(process.argv[2] ?? 1024);
const rounds = Number(process.argv[3] ?? 3);

async function seconds(step: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await step();
  return (performance.now() - start) / 1000;
}

async function makeFile(path: string): Promise<void> {
  const file = await open(path, 'w');
  const bytes = new Uint8Array(mebibyte);
  for (let index = 0; index < megabytes; index += 1) await file.write(randomFillSync(bytes));
  await file.close();
}

async function put(storage: Storage, name: string, path: string, copies: number): Promise<void> {
  const writer = await storage.writer(name, { copies });
  const file = await open(path);
  const buffer = new Uint8Array(mebibyte);
  for (;;) {
    const { bytesRead } = await file.read(buffer);
    if (bytesRead === 0) break;
    await writer.write(buffer.subarray(0, bytesRead));
  }
  await file.close();
  await writer.commit();
}

async function get(storage: Storage, name: string, path: string): Promise<void> {
  const stored = await storage.open(name);
  const file = await open(path, 'w');
  const buffers = [0, 1, 2, 3].map(() => new Uint8Array(mebibyte));
  let next = 0;
  const lane = async (buffer: Uint8Array) => {
    while (next < stored.sizeBytes) {
      const offset = next;
      next += buffer.length;
      const length = await stored.read(offset, buffer);
      await file.write(buffer, 0, length, offset);
    }
  };
  await Promise.all(buffers.map(lane));
  await file.close();
  await stored.close();
}

function remoteOf({ host, port, user, keyPath, folder }: SshdService, name: string): string {
  return `:sftp,host=${host},port=${port},user=${user},key_file=${keyPath}:${folder}/${name}`;
}

function rclone(from: string, to: string): void {
  execFileSync(findProgram('rclone') ?? 'rclone', ['copyto', '--config', '/dev/null', from, to], { stdio: 'pipe' });
}

function report(name: string, times: readonly number[], sentMebibytes: number): void {
  const sorted = [...times].sort((one, other) => one - other);
  const rates = sorted.map((time) => Math.round(sentMebibytes / time));
  console.log(
    `${name.padEnd(44)} ${String(rates[Math.floor(rates.length / 2)]).padStart(5)} MiB/s   (${rates.join(', ')})`,
  );
}

async function transfers(server: SshdService, work: string): Promise<void> {
  const source = join(work, 'source');
  const target = join(work, 'target');
  await makeFile(source);
  const storage = openSftp(server, server.folder);
  const hasRclone = findProgram('rclone') !== undefined;
  const times: Record<string, number[]> = {};
  const time = async (name: string, step: () => Promise<unknown>) => {
    times[name] = [...(times[name] ?? []), await seconds(step)];
  };
  for (let round = 0; round < rounds; round += 1) {
    await time('put, holdfast', () => put(storage, 'one', source, 1));
    await time('get, holdfast', () => get(storage, 'one', target));
    execFileSync('cmp', [source, target]);
    await rm(target);
    if (hasRclone) {
      await time('put, rclone copyto', async () => rclone(source, remoteOf(server, 'other')));
      await time('get, rclone copyto', async () => rclone(remoteOf(server, 'other'), target));
      await rm(target);
      await storage.delete('other');
    }
    await time('put twice, second copy by the server', () => put(storage, 'two', source, 2));
    await storage.delete('one');
    await storage.delete('two');
  }
  await storage.close();
  for (const [name, each] of Object.entries(times)) report(name, each, megabytes);
}

/** In a process of its own, so that its memory is that of a backup. */
async function backup(server: SshdService, source: string): Promise<void> {
  const child = fork(import.meta.filename, ['backup', JSON.stringify(server), source], { stdio: 'inherit' });
  await once(child, 'exit');
}

async function backupChild(server: SshdService, path: string): Promise<void> {
  const storage = openSftp(server, server.folder);
  const sources = [new FilesSource({ path })];
  const start = performance.now();
  const made = await createBackup({ sources, output: { storage, name: 'x.holdfast' }, encryption: 'none', copies: 2 });
  const took = (performance.now() - start) / 1000;
  await storage.close();
  const peak = Math.round(process.resourceUsage().maxRSS / 1024);
  const sent = Math.round(made.sizeBytes / mebibyte);
  console.log(
    `a whole backup, two copies, verified: ${sent} MiB in ${took.toFixed(1)} s, at most ${peak} MiB of memory`,
  );
}

async function main(): Promise<void> {
  if (existsSync('/dev/shm')) process.env['TMPDIR'] = '/dev/shm';
  const server = await startSshd();
  const work = mkdtempSync(join(process.env['TMPDIR'] ?? '/tmp', 'holdfast-bench-'));
  try {
    console.log(`${megabytes} MiB, OpenSSH ${server.version}, Node ${process.version}`);
    await transfers(server, work);
    await backup(server, join(work, 'source'));
    console.log(`${statSync(join(work, 'source')).size / mebibyte} MiB backed up`);
  } finally {
    await server.stop();
    rmSync(work, { recursive: true, force: true });
  }
}

if (process.argv[2] === 'backup') await backupChild(JSON.parse(process.argv[3] ?? ''), process.argv[4] ?? '');
else await main();
