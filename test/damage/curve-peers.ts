import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { measure, versionOf } from '../../bench/measure.ts';
import { type Peer, peers } from '../../bench/programs.ts';
import { SeededRandom } from '../../src/testing/index.ts';
import type { Contender, Verdict } from './curves.ts';

/** Starting a program and hashing its passphrase takes a second or so. */
const peerTrials = 20;
const par2Trials = 60;
const par2BlockBytes = 4096;
/** Each block of a recovery file stands in a packet with a head of its own. */
const par2PacketBytes = par2BlockBytes + 68;

/** The peers that are installed, each with the same amount of data, which does not compress. */
export async function peerContenders(options: {
  readonly seed: number;
  readonly dataBytes: number;
  /** How large a set of par2 may be: those of the archives beside which it is shown. */
  readonly par2Sizes: readonly { readonly label: string; readonly sizeBytes: number }[];
}): Promise<Contender[]> {
  const data = new SeededRandom(options.seed).bytes(options.dataBytes);
  const contenders: Contender[] = [];
  if (versionOf('par2', ['--version']) !== undefined) {
    for (const { label, sizeBytes } of options.par2Sizes) contenders.push(await par2(data, label, sizeBytes));
  }
  for (const peer of peers) {
    if (versionOf(peer.program, peer.versionArgs) !== undefined) contenders.push(await repository(peer, data));
  }
  return contenders;
}

interface StoredFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** The data and its recovery file, made as large as will fit. */
async function par2(data: Uint8Array, label: string, sizeBytes: number): Promise<Contender> {
  let files: readonly StoredFile[] = [];
  for (let blocks = Math.ceil((sizeBytes - data.length) / par2PacketBytes); ; blocks -= 1) {
    files = await inFolder([{ path: 'data', bytes: data }], async (folder) => {
      const args = ['create', '-q', `-s${par2BlockBytes}`, `-c${blocks}`, '-n1', 'data.par2', 'data'];
      await measure({ program: 'par2', args, folder });
      return readTree(folder);
    });
    if (totalOf(files) <= sizeBytes) break;
  }
  const restore = (folder: string) => exits('par2', ['repair', '-q', 'data.par2'], folder);
  const isRight = (folder: string) => sameFile(join(folder, 'data'), data);
  return contender({
    name: `par2-${label}`,
    label: `par2, size of ${label}`,
    files,
    trials: par2Trials,
    restore,
    isRight,
  });
}

/** A repository of a peer, restored by what a user would type. */
async function repository(peer: Peer, data: Uint8Array): Promise<Contender> {
  const files = await inFolder([{ path: 'in/data', bytes: data }], async (folder) => {
    const place = join(folder, 'repository');
    await measure(peer.init(place));
    await measure(peer.backup(place, join(folder, 'in')));
    return readTree(place);
  });
  const restore = async (folder: string) => {
    mkdirSync(join(folder, 'out'));
    const { program, args, environment, folder: own } = peer.restore(join(folder, 'repository'), join(folder, 'out'));
    return await exits(program, args, own ?? folder, {
      ...environment,
      BORG_RELOCATED_REPO_ACCESS_IS_OK: 'yes',
      BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK: 'yes',
    });
  };
  const placed = files.map(({ path, bytes }) => ({ path: join('repository', path), bytes }));
  const isRight = (folder: string) => sameFile(join(folder, 'out', 'data'), data);
  return contender({ name: peer.name, label: peer.name, files: placed, trials: peerTrials, restore, isRight });
}

/** Stored files are damaged as one run of bytes: as they lie on a disk, one after the other. */
function contender(parts: {
  readonly name: string;
  readonly label: string;
  readonly files: readonly StoredFile[];
  readonly trials: number;
  readonly restore: (folder: string) => Promise<boolean>;
  readonly isRight: (folder: string) => boolean;
}): Contender {
  const { name, label, files, trials } = parts;
  const restore = async ([damaged = new Uint8Array(0)]: readonly Uint8Array[]): Promise<Verdict> => {
    let offset = 0;
    const stored = files.map(({ path, bytes }) => {
      const part = damaged.subarray(offset, offset + bytes.length);
      offset += bytes.length;
      return { path, bytes: part };
    });
    return await inFolder(stored, async (folder) => {
      const isDone = await parts.restore(folder);
      if (parts.isRight(folder)) return 'recovered';
      return isDone ? 'wrong' : 'refused';
    });
  };
  const places = [new Uint8Array(Buffer.concat(files.map(({ bytes }) => bytes)))];
  return { name, label, sizeBytes: totalOf(files), trialsAtMost: trials, places, restore };
}

async function inFolder<Result>(
  files: readonly StoredFile[],
  work: (folder: string) => Promise<Result>,
): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-curves-'));
  try {
    for (const { path, bytes } of files) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), bytes);
    }
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** All files, in the order of their names; empty ones too. */
function readTree(folder: string): StoredFile[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((each) => each.isFile())
    .map((each) => join(each.parentPath, each.name).slice(folder.length + 1))
    .filter((path) => !path.endsWith('.tmp') && !path.includes('lock'))
    .sort()
    .map((path) => ({ path, bytes: readFileSync(join(folder, path)) }));
}

function totalOf(files: readonly StoredFile[]): number {
  return files.reduce((sum, { bytes }) => sum + bytes.length, 0);
}

function sameFile(path: string, data: Uint8Array): boolean {
  try {
    return readFileSync(path).equals(data);
  } catch {
    return false;
  }
}

/** Whether a program ends with 0. One that takes a minute, as on a damaged lock, is ended. */
async function exits(
  program: string,
  args: readonly string[],
  folder: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<boolean> {
  const child = spawn(program, args, {
    cwd: folder,
    env: { ...process.env, ...environment },
    stdio: 'ignore',
    timeout: 60_000,
  });
  return await new Promise((resolve, reject) => {
    child.on('error', reject).on('close', (code) => resolve(code === 0));
  });
}
