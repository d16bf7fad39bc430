/** One step of the S3 benchmark, in a process of its own, so that its memory can be told. The order is JSON on the command line. */
import { createReadStream, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { createBackup, FilesSource, restoreBackup, type Storage, validateBackup } from '../../src/index.ts';
import { s3Adapter } from '../../src/storage/s3/s3-adapter.ts';

export interface ChildOrder {
  readonly step: 'write' | 'read' | 'backup' | 'verify' | 'restore';
  readonly settings: unknown;
  readonly folder: string;
  readonly file: string;
  readonly name: string;
}

export interface ChildResult {
  readonly durationMs: number;
  readonly movedBytes: number;
  readonly peakResidentBytes: number;
}

/** Reads as large, and as many at once, as a reader of archives asks for. */
const readBytes = 2 * 2 ** 20;
const readsAtOnce = 6;

/** The file, twice: what a backup with two copies sends. */
async function write(storage: Storage, { file, name }: ChildOrder): Promise<number> {
  // Without a size one copy is sent, and the server makes the other.
  const writer = await storage.writer(name, { copies: 2, expectedSizeBytes: statSync(file).size });
  for await (const chunk of createReadStream(file, { highWaterMark: 2 ** 20 })) await writer.write(chunk);
  return (await writer.commit()).sizeBytes;
}

async function read(storage: Storage, { name }: ChildOrder): Promise<number> {
  const access = await storage.open(name);
  let next = 0;
  const readOn = async (): Promise<void> => {
    const into = new Uint8Array(new SharedArrayBuffer(readBytes));
    while (next < access.sizeBytes) {
      const offset = next;
      next += readBytes;
      await access.read(offset, into);
    }
  };
  await Promise.all(Array.from({ length: readsAtOnce }, readOn));
  await access.close();
  return access.sizeBytes;
}

async function archive(storage: Storage, order: ChildOrder): Promise<number> {
  const { name, folder, step } = order;
  const location = { storage, name };
  if (step === 'backup') {
    const sources = [new FilesSource({ path: folder })];
    const report = await createBackup({ sources, output: location, encryption: 'none', verify: 'none' });
    return report.sizeBytes;
  }
  if (step === 'verify') return (await validateBackup({ archive: location })).sizeBytes;
  await restoreBackup({ archive: location, filesTo: join(folder, '../restored'), overwrite: true });
  // Of an intact archive one copy is read.
  return (await storage.stat(name)).sizeBytes / 2;
}

// As the command line does.
setFlagsFromString('--semi-space-growth-factor=1');
const order: ChildOrder = JSON.parse(process.argv[2] ?? '');
const storage = await s3Adapter.open(s3Adapter.schema.parse(order.settings), { folder: '/' });
const steps = { write, read, backup: archive, verify: archive, restore: archive };
const startMs = performance.now();
const movedBytes = await steps[order.step](storage, order);
const durationMs = performance.now() - startMs;
await storage.close();
const peak = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
const result: ChildResult = { durationMs, movedBytes, peakResidentBytes: Number(peak ?? 0) * 1024 };
console.log(JSON.stringify(result));
