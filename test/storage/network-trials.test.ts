/** Seeded trials: connections to real servers are cut and stalled anywhere. What is there afterwards is whole, old or new. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  createBackup,
  FilesSource,
  HoldfastError,
  MemoryStorage,
  type Storage,
  validateBackup,
} from '../../src/index.ts';
import { SeededRandom } from '../../src/testing/index.ts';
import { makeWorkspace } from '../end-to-end/workspace.ts';
import { leftOut } from '../services/service-packages.ts';
import { startFtp } from '../services/start-ftp.ts';
import { startWebdav } from '../services/start-webdav.ts';
import { type ConnectionFault, FaultProxy } from './fault-proxy.ts';
import { makeTree } from './remote-archive.ts';
import { ftpStorage, webdavStorage } from './remote-storages.ts';

const workspace = makeWorkspace('trials');
const trialCount = 40;
const atOnce = 10;
/** Of the tries to connect, the waits between them, and the silences. */
const limitMs = 300_000;

async function archiveBytes(): Promise<Uint8Array> {
  const tree = join(workspace, 'tree');
  makeTree(tree, 1);
  const storage = new MemoryStorage();
  const output = { storage, name: 'x' };
  await createBackup({ threads: 1, sources: [new FilesSource({ path: tree })], output, encryption: 'none', copies: 2 });
  const both = await readAll(storage, 'x');
  return both.subarray(0, both.length / 2);
}

async function readAll(storage: Storage, name: string): Promise<Uint8Array> {
  const access = await storage.open(name);
  const bytes = new Uint8Array(access.sizeBytes);
  await access.read(0, bytes);
  await access.close();
  return bytes;
}

async function put(storage: Storage, name: string, bytes: Uint8Array): Promise<void> {
  const writer = await storage.writer(name, { copies: 2 });
  try {
    for (let offset = 0; offset < bytes.length; offset += 300_000)
      await writer.write(bytes.subarray(offset, offset + 300_000));
    await writer.commit(async (stored) => {
      const back = new Uint8Array(stored.sizeBytes);
      await stored.read(0, back);
      assert.ok(Buffer.concat([bytes, bytes]).equals(back));
    });
  } finally {
    await writer.abort().catch(() => undefined);
  }
}

const skip = leftOut('proftpd') || leftOut('apache');

test(`${trialCount} seeded trials leave the old object or the new one, whole, and none hangs`, { skip }, async () => {
  const ftp = await startFtp({ server: 'proftpd' });
  const webdav = await startWebdav();
  const bytes = await archiveBytes();
  const old = new Uint8Array(70_000).fill(1);
  const closing: (() => unknown)[] = [];
  const outcomes = { committed: 0, failed: 0 };
  const trial = async (seed: number): Promise<void> => {
    const random = new SeededRandom(seed);
    const isFtp = seed % 2 === 0;
    const rootPath = `trial-${seed}`;
    const direct = isFtp ? ftpStorage(ftp, { rootPath }) : webdavStorage(webdav, { rootPath });
    await put(direct, 'x', old);
    const rate = random.float() / 2;
    const faultOf = (): ConnectionFault | undefined => {
      if (random.float() > rate) return undefined;
      const afterBytes = random.float() < 0.3 ? random.integer(2000) : random.integer(3 * bytes.length);
      return { afterBytes, kind: random.float() < 0.3 ? 'stall' : 'cut' };
    };
    const proxy = await FaultProxy.start({ port: isFtp ? ftp.port : webdav.port, ftp: isFtp, faultOf });
    const access = { rootPath, port: proxy.port, timeoutMs: 1000 };
    const storage = isFtp ? ftpStorage(ftp, access) : webdavStorage(webdav, access);
    closing.push(
      () => storage.close(),
      () => direct.close(),
      () => proxy.stop(),
    );
    let failure: unknown;
    const start = performance.now();
    await put(storage, 'x', bytes).catch((error: unknown) => {
      failure = error;
    });
    assert.ok(performance.now() - start < limitMs, `seed ${seed} took too long`);
    if (failure !== undefined) {
      assert.ok(failure instanceof HoldfastError, `seed ${seed}: ${String(failure)}`);
      assert.ok(failure.retryable, `seed ${seed}: ${failure.code} ${failure.message}`);
    }
    outcomes[failure === undefined ? 'committed' : 'failed'] += 1;
    const names: string[] = [];
    for await (const { name } of direct.list()) names.push(name);
    assert.deepEqual(names, ['x'], `seed ${seed}`);
    const found = Buffer.from(await readAll(direct, 'x'));
    const isNew = found.equals(Buffer.concat([bytes, bytes]));
    // A failure after the object was published is one whose answer was lost.
    assert.ok(isNew || (failure !== undefined && found.equals(Buffer.concat([old, old]))), `seed ${seed}`);
    if (isNew) {
      const { state } = await validateBackup({
        archive: { storage: direct, name: 'x' },
        threads: 1,
        level: 'structure',
      });
      assert.equal(state, 'intact', `seed ${seed}`);
    }
  };
  try {
    for (let seed = 1; seed <= trialCount; seed += atOnce) {
      await Promise.all(Array.from({ length: atOnce }, (_, index) => trial(seed + index)));
    }
  } finally {
    for (const close of closing) await close();
    await Promise.all([ftp.stop(), webdav.stop()]);
  }
  assert.ok(outcomes.committed >= 5 && outcomes.failed >= 5, JSON.stringify(outcomes));
});
