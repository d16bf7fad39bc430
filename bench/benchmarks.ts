import { copyFileSync, linkSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { databaseBenchmarks } from './databases/benchmarks.ts';
import { limitOfBackup } from './limit.ts';
import { type Command, dropFromCache, measure, readIntoCache, syncDisk } from './measure.ts';
import { holdfast, type Peer, removeRepository } from './programs.ts';
import { type Bench, type Contestant, mebibyte, race, residentMebibytes, seconds, seriesOf } from './race.ts';
import type { Row } from './row.ts';

const shortRepetitions = 5;
const startRepetitions = 21;
const listedArchives = 10_000;

/** The archive that the later benchmarks read; made by the first that needs it. */
function archivePath(bench: Bench): string {
  return join(bench.workFolder, 'bench.holdfast');
}

function repositoryPath(bench: Bench, peer: Peer): string {
  return join(bench.workFolder, `repository-${peer.name}`);
}

function backupCommand(bench: Bench): Command {
  return holdfast('backup', '--files', bench.dataFolder, '--output', archivePath(bench), '--json');
}

async function fillRepository(bench: Bench, peer: Peer): Promise<void> {
  const repository = repositoryPath(bench, peer);
  removeRepository(repository);
  await measure(peer.init(repository));
}

async function ensureArchive(bench: Bench): Promise<void> {
  if (!readdirSync(bench.workFolder).includes(basename(archivePath(bench)))) await measure(backupCommand(bench));
}

async function benchBackup(bench: Bench): Promise<Row[]> {
  const own: Contestant = {
    name: 'holdfast',
    prepare: () => rmSync(archivePath(bench), { force: true }),
    command: backupCommand(bench),
  };
  const others = bench.peers.map((peer) => ({
    name: peer.name,
    prepare: () => fillRepository(bench, peer),
    command: peer.backup(repositoryPath(bench, peer), bench.dataFolder),
  }));
  const results = await race(bench, [own, ...others], bench.repetitions);
  const [time, peerTimes] = seriesOf(results, seconds);
  const [rate, peerRates] = seriesOf(results, (measurement) => bench.dataSizeBytes / mebibyte / seconds(measurement));
  const [memory, peerMemories] = seriesOf(results, residentMebibytes);
  const sizes = { name: 'holdfast', values: [statSync(archivePath(bench)).size / mebibyte] };
  const peerSizes = bench.peers.map((peer) => ({
    name: peer.name,
    values: [treeSize(repositoryPath(bench, peer)) / mebibyte],
  }));
  return [
    {
      id: 'backup.time',
      title: 'backup',
      unit: 's',
      own: time,
      peers: peerTimes,
      target: { kind: 'at most', bound: 0.625, ratioTo: 'restic' },
      note: 'encrypted, two copies, parity, all of it read back; the peers write one copy without parity and read nothing back',
    },
    {
      id: 'backup.rate',
      title: 'backup, rate of source data',
      unit: 'MiB/s',
      own: rate,
      peers: peerRates,
      target: { kind: 'at least', bound: 60 },
    },
    {
      id: 'backup.memory',
      title: 'backup, peak resident memory',
      unit: 'MiB',
      own: memory,
      peers: peerMemories,
      target: { kind: 'at most', bound: 250 },
    },
    { id: 'backup.size', title: 'size of what was written', unit: 'MiB', own: sizes, peers: peerSizes },
  ];
}

/** What else packs a tree into one file: it neither encrypts nor repeats, and reads nothing back. */
async function benchTar(bench: Bench): Promise<Row[]> {
  const packed = join(bench.workFolder, 'packed.tar.zst');
  const own = {
    name: 'holdfast',
    prepare: () => rmSync(archivePath(bench), { force: true }),
    command: backupCommand(bench),
  };
  const script = 'tar -C "$1" -cf - . | zstd -3 -T2 -q > "$2"';
  const tar = {
    name: 'tar | zstd',
    prepare: () => rmSync(packed, { force: true }),
    command: { program: 'sh', args: ['-c', script, 'sh', bench.dataFolder, packed] },
  };
  const [time, others] = seriesOf(await race(bench, [own, tar], bench.repetitions), seconds);
  const [durableTime, durableOthers] = seriesOf(
    await race(bench, [own, tar], bench.repetitions, { durable: true }),
    seconds,
  );
  rmSync(packed);
  const limit = await limitOfBackup(bench, statSync(archivePath(bench)).size);
  return [
    {
      id: 'tar.time',
      title: 'backup, beside tar | zstd -3 -T2',
      unit: 's',
      own: time,
      peers: others,
      target: { kind: 'at most', bound: 1.15, ratioTo: 'tar | zstd' },
      note: 'tar | zstd makes one copy, in memory: it neither encrypts nor adds parity, writes no second copy, and reads nothing back',
    },
    {
      id: 'tar.durable',
      title: 'the same, until it is on the disk',
      unit: 's',
      own: durableTime,
      peers: durableOthers,
    },
    {
      id: 'tar.limit',
      title: 'backup, beside the least that this machine needs for it',
      unit: 's',
      own: time,
      peers: [{ name: 'the least', values: [limit.seconds] }],
      limit,
    },
  ];
}

function treeSize(folder: string): number {
  let sizeBytes = 0;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) sizeBytes += statSync(join(entry.parentPath, entry.name)).size;
  }
  return sizeBytes;
}

async function benchVerify(bench: Bench): Promise<Row[]> {
  await ensureArchive(bench);
  const archive = archivePath(bench);
  const contestants: Contestant[] = [
    { name: 'holdfast', command: holdfast('verify', archive, '--level', 'structure', '--json') },
    { name: 'openssl', command: { program: 'openssl', args: ['dgst', '-sha256', archive] } },
  ];
  const cold = contestants.map((contestant) => ({ ...contestant, prepare: () => dropFromCache(archive) }));
  const [own, others] = seriesOf(await race(bench, cold, shortRepetitions), seconds);
  readIntoCache(archive);
  const [warm, warmOthers] = seriesOf(await race(bench, contestants, shortRepetitions), seconds);
  return [
    {
      id: 'verify.time',
      title: 'verify --level structure, beside openssl dgst -sha256: both read the disk',
      unit: 's',
      own,
      peers: others,
      target: { kind: 'at most', bound: 1, ratioTo: 'openssl' },
    },
    {
      id: 'verify.warm',
      title: 'the same where the archive is in memory too',
      unit: 's',
      own: warm,
      peers: warmOthers,
      note: 'openssl reads memory then; verify still reads the disk, since what stands there is what it has to prove',
    },
  ];
}

async function benchRestore(bench: Bench): Promise<Row[]> {
  await ensureArchive(bench);
  const target = join(bench.workFolder, 'restored');
  function clear(): void {
    rmSync(target, { recursive: true, force: true });
  }
  for (const peer of bench.peers) {
    if (readdirSync(bench.workFolder).includes(basename(repositoryPath(bench, peer)))) continue;
    await fillRepository(bench, peer);
    await measure(peer.backup(repositoryPath(bench, peer), bench.dataFolder));
  }
  const restore = holdfast('restore', archivePath(bench), '--files-to', target, '--yes', '--json');
  const others = bench.peers.map((peer) => ({
    name: peer.name,
    prepare: () => {
      clear();
      mkdirSync(target);
    },
    command: { folder: target, ...peer.restore(repositoryPath(bench, peer), target) },
  }));
  const contestants: Contestant[] = [{ name: 'holdfast', prepare: clear, command: restore }, ...others];
  readIntoCache(archivePath(bench));
  const results = await race(bench, contestants, bench.repetitions);
  const places = [archivePath(bench), ...bench.peers.map((peer) => repositoryPath(bench, peer))];
  const cold = contestants.map((contestant, index) => ({
    ...contestant,
    prepare: async () => {
      await contestant.prepare?.();
      // Written before it is dropped: what is not on the disk stays.
      syncDisk();
      dropFromCache(places[index] ?? '');
    },
  }));
  const coldResults = await race(bench, cold, bench.repetitions, { durable: true });
  clear();
  const [coldTime, coldPeerTimes] = seriesOf(coldResults, seconds);
  const [time, peerTimes] = seriesOf(results, seconds);
  const [memory, peerMemories] = seriesOf(results, residentMebibytes);
  return [
    {
      id: 'restore.time',
      title: 'restore of an archive that is in memory',
      unit: 's',
      own: time,
      peers: peerTimes,
      target: { kind: 'at most', bound: 0.5, ratioTo: 'restic' },
    },
    {
      id: 'restore.cold',
      title: 'restore of an archive that is not in memory, until the files are on the disk',
      unit: 's',
      own: coldTime,
      peers: coldPeerTimes,
      target: { kind: 'at most', bound: 0.5, ratioTo: 'restic' },
      note: 'the page cache holds nothing of what is read, and the disk is synced within the time; above, restic and borg leave the files in memory',
    },
    {
      id: 'restore.memory',
      title: 'restore, peak resident memory',
      unit: 'MiB',
      own: memory,
      peers: peerMemories,
      target: { kind: 'at most', bound: 250 },
    },
  ];
}

async function benchOneFile(bench: Bench): Promise<Row[]> {
  await ensureArchive(bench);
  const target = join(bench.workFolder, 'one-file');
  const path = 'media/7.bin';
  const only = `files/${basename(bench.dataFolder)}/${path}`;
  const command = holdfast('restore', archivePath(bench), '--files-to', target, '--only', only, '--yes', '--json');
  const clear = () => rmSync(target, { recursive: true, force: true });
  const results = await race(bench, [{ name: 'holdfast', prepare: clear, command }], shortRepetitions);
  const [time] = seriesOf(results, seconds);
  const [read] = seriesOf(
    results,
    (measurement) => (JSON.parse(measurement.stdout) as { readBytes: number }).readBytes / mebibyte,
  );
  const fileMebibytes = statSync(join(bench.dataFolder, path)).size / mebibyte;
  const note = `the file has ${fileMebibytes.toFixed(2)} MiB, the archive ${(statSync(archivePath(bench)).size / mebibyte).toFixed(0)} MiB`;
  const bound = { kind: 'at most', bound: 12 } as const;
  return [
    {
      id: 'one-file.read',
      title: 'one file: bytes read of the archive',
      unit: 'MiB',
      own: read,
      peers: [],
      target: bound,
      note,
    },
    { id: 'one-file.time', title: 'one file: time', unit: 's', own: time, peers: [] },
  ];
}

/** `bench/reed-solomon.ts` prints a line for each shape, the default one first. */
async function benchReedSolomon(bench: Bench): Promise<Row[]> {
  const command = { program: process.execPath, args: [join(import.meta.dirname, 'reed-solomon.ts')] };
  const results = await race(bench, [{ name: 'holdfast', command }], bench.repetitions);
  const [own] = seriesOf(results, ({ stdout }) => Number(/^239 \+ 16 blocks.*: ([\d.]+) GB\/s/m.exec(stdout)?.[1]));
  const target = { kind: 'at least', bound: 1 } as const;
  return [
    {
      id: 'reed-solomon.rate',
      title: 'Reed–Solomon encoding, one core, 239 + 16',
      unit: 'GB/s',
      own,
      peers: [],
      target,
    },
  ];
}

async function benchStart(bench: Bench): Promise<Row[]> {
  const quiet = { ...bench, say: () => {} };
  const node = { name: 'node -e 0', command: { program: process.execPath, args: ['-e', '0'] } };
  const results = await race(quiet, [{ name: 'holdfast', command: holdfast('--version') }, node], startRepetitions);
  const [own, others] = seriesOf(results, (measurement) => measurement.durationMs);
  const target = { kind: 'at most', bound: 1.5, ratioTo: 'node -e 0' } as const;
  return [{ id: 'start.time', title: 'holdfast --version, beside node -e 0', unit: 'ms', own, peers: others, target }];
}

async function benchList(bench: Bench): Promise<Row[]> {
  const small = join(bench.workFolder, 'small');
  const folder = join(bench.workFolder, 'archives');
  mkdirSync(small);
  mkdirSync(folder);
  writeFileSync(join(small, 'file.txt'), 'a small archive\n');
  const original = join(bench.workFolder, 'small.holdfast');
  await measure(holdfast('backup', '--files', small, '--output', original, '--json'));
  for (let number = 0; number < listedArchives; number += 1) {
    const name = join(folder, `shop_${String(number).padStart(5, '0')}.holdfast`);
    // Links: ten thousand names, one file's bytes. Some file systems allow fewer links than that.
    try {
      linkSync(original, name);
    } catch {
      copyFileSync(original, name);
    }
  }
  const results = await race(
    bench,
    [{ name: 'holdfast', command: holdfast('list', folder, '--json') }],
    shortRepetitions,
  );
  rmSync(folder, { recursive: true });
  const [own] = seriesOf(results, seconds);
  const target = { kind: 'at most', bound: 2 } as const;
  const note = 'hard links to one archive: each is opened and its header read, from the page cache';
  return [
    {
      id: 'list.time',
      title: `list of ${listedArchives.toLocaleString('en-US')} archives`,
      unit: 's',
      own,
      peers: [],
      target,
      note,
    },
  ];
}

/** By the names that `--only` takes, in the order in which they run. */
export const benchmarks: Readonly<Record<string, (bench: Bench) => Promise<Row[]>>> = {
  backup: benchBackup,
  tar: benchTar,
  verify: benchVerify,
  restore: benchRestore,
  'one-file': benchOneFile,
  'reed-solomon': benchReedSolomon,
  start: benchStart,
  list: benchList,
  ...databaseBenchmarks,
};
