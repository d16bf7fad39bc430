import { spawnSync } from 'node:child_process';
import { readdirSync, rmSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { type Measurement, measure, median, readIntoCache, syncDisk } from './measure.ts';
import { type Bench, mebibyte } from './race.ts';
import type { Limit, Part } from './row.ts';

const repetitions = 3;
/** Each block is hashed once for both copies, and in each of them when they are read back. */
const blockHashes = 3;

/** Runs a command on every processor at once: beside others each gets less done than alone, as they share memory, caches, or a core. */
function onAllProcessors(program: string, args: readonly string[]): Promise<Measurement[]> {
  return Promise.all(Array.from({ length: availableParallelism() }, () => measure({ program, args })));
}

/** A number that a command prints, of one processor while all of them run it. */
async function printed(pattern: RegExp, program: string, args: readonly string[]): Promise<number> {
  const values = (await onAllProcessors(program, args)).map(({ stdout }) => Number(pattern.exec(stdout)?.[1]));
  if (values.some(Number.isNaN)) throw new Error(`${program} ${args.join(' ')} did not print what was measured`);
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Bytes a second of one processor, by OpenSSL's own measurement. */
async function opensslRate(algorithm: string): Promise<number> {
  const args = ['speed', '-seconds', '1', '-bytes', `${mebibyte}`, '-evp', algorithm];
  return (await printed(/([\d.]+)k\s*$/, 'openssl', args)) * 1000;
}

/** How long one processor takes for a shell's command while all of them run it. */
async function processorSeconds(script: string, args: readonly string[]): Promise<number> {
  const values: number[] = [];
  for (let run = 0; run < repetitions; run++) {
    const all = await onAllProcessors('sh', ['-c', script, 'sh', ...args]);
    values.push(Math.max(...all.map(({ durationMs }) => durationMs)) / 1000);
  }
  return median(values);
}

async function clockSeconds(script: string, args: readonly string[], prepare: () => void = () => {}): Promise<number> {
  const values: number[] = [];
  for (let run = 0; run < repetitions; run++) {
    prepare();
    syncDisk();
    values.push((await measure({ program: 'sh', args: ['-c', script, 'sh', ...args] })).durationMs / 1000);
  }
  return median(values);
}

/** Milliseconds of one key from a passphrase, as an archive asks for it. */
const deriveKey = `const { argon2Sync } = require('node:crypto');
const options = { message: 'a', nonce: Buffer.alloc(16), parallelism: 4, tagLength: 32, memory: 65536, passes: 3 };
const start = process.cpuUsage();
argon2Sync('argon2id', options);
const { user, system } = process.cpuUsage(start);
console.log((user + system) / 1000);`;

/**
 * The least that a sealed, doubled, verified backup can take on this machine: each part of its work as long as the fastest program for it takes. What
 * Node, JavaScript and moving bytes between the parts cost is left out.
 */
export async function limitOfBackup(bench: Bench, archiveBytes: number): Promise<Limit> {
  const files = readdirSync(bench.dataFolder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  for (const file of files) readIntoCache(file);
  const compressed = join(bench.workFolder, 'limit.zst');
  const scratch = join(bench.workFolder, 'limit.bin');
  try {
    spawnSync('sh', ['-c', 'out="$1"; shift; zstd -1 -q -c "$@" > "$out"', 'sh', compressed, ...files]);
    const sealedBytes = statSync(compressed).size;
    const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(2)} GB`;
    const hashRate = await opensslRate('sha256');
    const cipherRate = await opensslRate('aes-256-gcm');
    const own = (pattern: RegExp, script: string) =>
      printed(pattern, process.execPath, [join(import.meta.dirname, script)]);
    const parityRate = (await own(/^239 \+ 16 blocks.*: ([\d.]+) GB\/s/m, 'reed-solomon.ts')) * 1e9;
    const blockHashRate = (await own(/([\d.]+) GB\/s/, 'block-hash.ts')) * 1e9;
    const keyMs = await printed(/([\d.]+)/, process.execPath, ['-e', deriveKey]);
    const count = `count=${Math.ceil(archiveBytes / (2 * mebibyte))}`;
    const parts: Part[] = [
      {
        title: `reading ${gigabytes(bench.dataSizeBytes)} from the page cache, and compressing them`,
        foundBy: 'zstd -1, as fast as an archive is compressed',
        seconds: await processorSeconds('exec zstd -1 --single-thread -q -c "$@" > /dev/null', files),
      },
      {
        title: `expanding ${gigabytes(sealedBytes)} again`,
        foundBy: 'zstd -d',
        seconds: await processorSeconds('exec zstd -d -q -c "$1" > /dev/null', [compressed]),
      },
      {
        title: 'SHA-256 of all data, as they are read and as they come back',
        foundBy: 'openssl speed',
        seconds: (2 * bench.dataSizeBytes) / hashRate,
      },
      {
        title: 'AES-256-GCM, sealing and opening',
        foundBy: 'openssl speed',
        seconds: (2 * sealedBytes) / cipherRate,
      },
      {
        title: 'parity',
        foundBy: 'bench/reed-solomon.ts',
        seconds: sealedBytes / parityRate,
      },
      {
        title: 'hashes of blocks: made once, compared in both copies',
        foundBy: 'bench/block-hash.ts',
        seconds: (blockHashes * archiveBytes) / 2 / blockHashRate,
      },
      {
        title: 'the key, made and proven',
        foundBy: 'argon2id of OpenSSL, 64 MiB, 3 passes, twice',
        seconds: (2 * keyMs) / 1000,
      },
      {
        title: `writing ${gigabytes(archiveBytes)} past the page cache, until they are on the disk`,
        foundBy: 'dd oflag=direct conv=fsync',
        isOfDisk: true,
        seconds: await clockSeconds(
          'exec dd if=/dev/zero "$1" "$2" bs=2M oflag=direct conv=fsync status=none',
          [`of=${scratch}`, count],
          () => rmSync(scratch, { force: true }),
        ),
      },
      {
        title: 'reading them back from the disk',
        foundBy: 'dd iflag=direct',
        isOfDisk: true,
        seconds: await clockSeconds('exec dd "$1" of=/dev/null bs=2M iflag=direct status=none', [`if=${scratch}`]),
      },
    ];
    return { parts, seconds: longest(parts) };
  } finally {
    for (const path of [compressed, scratch]) rmSync(path, { force: true });
  }
}

function longest(parts: readonly Part[]): number {
  const sum = (some: readonly Part[]) => some.reduce((total, { seconds }) => total + seconds, 0);
  const ofDisk = sum(parts.filter(({ isOfDisk }) => isOfDisk === true));
  return Math.max(ofDisk, sum(parts.filter(({ isOfDisk }) => isOfDisk !== true)) / availableParallelism());
}
