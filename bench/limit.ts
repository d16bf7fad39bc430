import { spawnSync } from 'node:child_process';
import { readdirSync, rmSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { measure, median, readIntoCache, syncDisk } from './measure.ts';
import { type Bench, mebibyte } from './race.ts';
import type { Limit, Part } from './row.ts';

const repetitions = 3;
/** Each block is hashed once for both copies, and in each of them when they are read back. */
const blockHashes = 3;

/** Bytes a second of one core, by OpenSSL's own measurement. */
function opensslRate(algorithm: string): number {
  const args = ['speed', '-seconds', '1', '-bytes', `${mebibyte}`, '-evp', algorithm];
  const { stdout } = spawnSync('openssl', args, { encoding: 'utf8' });
  const thousands = /([\d.]+)k\s*$/.exec(stdout)?.[1];
  if (thousands === undefined) throw new Error(`openssl speed -evp ${algorithm} told no rate`);
  return Number(thousands) * 1000;
}

/** The processor's time of a shell's command, which it has to `exec`. */
async function processorSeconds(script: string, args: readonly string[]): Promise<number> {
  const values: number[] = [];
  for (let run = 0; run < repetitions; run++) {
    values.push((await measure({ program: 'sh', args: ['-c', script, 'sh', ...args] })).processorMs / 1000);
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
    spawnSync('sh', ['-c', 'out="$1"; shift; zstd -3 -T2 -q -c "$@" > "$out"', 'sh', compressed, ...files]);
    const sealedBytes = statSync(compressed).size;
    const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(2)} GB`;
    const [hashRate, cipherRate] = [opensslRate('sha256'), opensslRate('aes-256-gcm')];
    const encoder = await measure({ program: process.execPath, args: [join(import.meta.dirname, 'reed-solomon.ts')] });
    const parityRate = Number(/^239 \+ 16 blocks.*: ([\d.]+) GB\/s/m.exec(encoder.stdout)?.[1]) * 1e9;
    const kernel = await measure({ program: process.execPath, args: [join(import.meta.dirname, 'block-hash.ts')] });
    const blockHashRate = Number(/([\d.]+) GB\/s/.exec(kernel.stdout)?.[1]) * 1e9;
    const derive = await measure({ program: process.execPath, args: ['-e', deriveKey] });
    const count = `count=${Math.ceil(archiveBytes / (2 * mebibyte))}`;
    const parts: Part[] = [
      {
        title: `reading ${gigabytes(bench.dataSizeBytes)} from the page cache, and compressing them`,
        foundBy: 'zstd -3 -T1',
        seconds: await processorSeconds('exec zstd -3 -T1 -q -c "$@" > /dev/null', files),
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
        seconds: (2 * Number(derive.stdout)) / 1000,
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
