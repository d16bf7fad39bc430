/** Backups to S3 over a network that fails: an archive stands there and verifies, or nothing does. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { S3Client } from '@aws-sdk/client-s3';
import {
  createBackup,
  FilesSource,
  HoldfastError,
  MemoryStorage,
  restoreBackup,
  validateBackup,
} from '../../src/index.ts';
import type { S3Storage } from '../../src/storage/s3/s3-storage.ts';
import { SeededRandom } from '../../src/testing/seeded-random.ts';
import { listNames, readAll } from '../../src/testing/storage-case.ts';
import { describeTree, makeWorkspace } from '../end-to-end/workspace.ts';
import { type ByteFault, type FaultyProxy, type HttpFault, startHttpProxy } from '../services/faulty-proxy.ts';
import { leaveOutWithout } from '../services/service-packages.ts';
import { type RgwService, startRgw } from '../services/start-rgw.ts';
import { makeBucket, openBucket, plainClient, type S3Input } from './open-bucket.ts';

leaveOutWithout('rgw16');

const trials = 60;
const trialsAtOnce = 4;
/** Far above what a trial takes: one that hangs is found, not waited for. */
const limitMs = 120_000;
/** A busy machine answers within that. */
const idleMs = 1000;
const workspace = makeWorkspace('s3-faults');
const name = 'shop.holdfast';
let server: RgwService;
let client: S3Client;
/** One goes by one request, the other one in parts. */
const treeBytes = { small: 300_000, large: 10 * 2 ** 20 };
type Tree = keyof typeof treeBytes;
const archives: Record<Tree, Uint8Array> = { small: new Uint8Array(0), large: new Uint8Array(0) };
const plain = { encryption: 'none', compression: 'none', threads: 1 } as const;

before(async () => {
  const random = new SeededRandom(11);
  const memory = new MemoryStorage();
  for (const tree of ['small', 'large'] as const) {
    const path = join(workspace, tree);
    mkdirSync(path);
    writeFileSync(join(path, 'noise'), random.bytes(treeBytes[tree]));
    await createBackup({ ...plain, sources: [new FilesSource({ path })], output: { storage: memory, name: tree } });
    archives[tree] = await readAll(await memory.open(tree));
  }
  server = await startRgw();
  client = plainClient(server);
});
after(async () => {
  client.destroy();
  await server.stop();
});

function slowDown(): HttpFault {
  const body = '<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>';
  return { how: 'answer', status: 503, body };
}

/** A fault that may happen to any request. */
function someFault(random: SeededRandom): HttpFault {
  const direction: ByteFault['direction'] = random.integer(2) === 0 ? 'to server' : 'to client';
  const bytes = (how: ByteFault['how']): HttpFault => ({ how, direction, afterBytes: random.integer(400_000) });
  const internal = '<?xml version="1.0"?><Error><Code>InternalError</Code></Error>';
  const faults: readonly (() => HttpFault)[] = [
    () => bytes('cut'),
    () => bytes('reset'),
    () => bytes('stall'),
    () => bytes('slow'),
    () => bytes('flip'),
    slowDown,
    () => ({ how: 'answer', status: 500, body: internal }),
    () => ({ how: 'answer', status: 503 }),
    () => ({ how: 'lose answer' }),
    () => ({ how: 'wrong length', byBytes: random.integer(2000) - 1000 }),
  ];
  return faults[random.integer(faults.length)]?.() ?? slowDown();
}

interface Trial {
  readonly outcome: 'committed' | 'failed';
  readonly faultCount: number;
}

interface Order {
  readonly proxy: FaultyProxy;
  readonly bucket: string;
  readonly tree: Tree;
  /** Makes the archive anew, instead of writing the bytes of one that was made before. */
  readonly isWhole: boolean;
}

async function backUp({ proxy, bucket, tree, isWhole }: Order): Promise<void> {
  const input: S3Input = { endpointUrl: `http://127.0.0.1:${proxy.port}` };
  const storage = await openBucket(server, bucket, { input, patience: { idleMs } });
  const signal = AbortSignal.timeout(limitMs);
  try {
    if (isWhole) {
      const sources = [new FilesSource({ path: join(workspace, tree) })];
      await createBackup({ ...plain, sources, output: { storage, name }, signal });
      return;
    }
    const writer = await storage.writer(name, { copies: 2, signal });
    await writer.write(archives[tree].subarray(0, archives[tree].length / 2));
    await writer.commit(async (stored) => {
      if (!isSame(await readAll(stored), archives[tree])) throw new HoldfastError('archive.verify_failed');
    });
  } finally {
    await storage.close();
  }
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0;
}

/** Whether what stands there is the archive: the one that was written, or one that verifies. */
async function verify(storage: S3Storage, { tree, isWhole }: Order): Promise<void> {
  if (isWhole) {
    const report = await validateBackup({ archive: { storage, name }, threads: 1 });
    assert.equal(report.state, 'intact');
    return;
  }
  const access = await storage.open(name);
  assert.ok(isSame(await readAll(access), archives[tree]));
  await access.close();
}

async function runTrial(seed: number): Promise<Trial> {
  const random = new SeededRandom(seed);
  const tree: Tree = seed % 5 === 0 ? 'large' : 'small';
  const firstFault = random.integer(tree === 'large' ? 20 : 8);
  // More than a request is tried again, or fewer.
  const faults = [1, 2, 3, 6][random.integer(4)] ?? 1;
  const bucket = await makeBucket(client);
  const plan = ({ index }: { index: number }) =>
    index >= firstFault && index < firstFault + faults ? someFault(random) : undefined;
  await using proxy = await startHttpProxy(server.port, plan);
  const order: Order = { proxy, bucket, tree, isWhole: seed % 10 === 1 };
  let failure: unknown;
  try {
    await backUp(order);
  } catch (error) {
    failure = error;
  }
  const { faultCount } = proxy;
  const direct = await openBucket(server, bucket);
  try {
    const names = await listNames(direct);
    if (failure === undefined) {
      assert.deepEqual(names, [name]);
      await verify(direct, order);
      await direct.delete(name);
      return { outcome: 'committed', faultCount };
    }
    assert.ok(failure instanceof HoldfastError, String(failure));
    assert.match(failure.code, /^(storage\.|archive\.verify_failed)/, `${failure.message}`);
    assert.deepEqual(names, [], `failed by ${failure.message}, and left it`);
    return { outcome: 'failed', faultCount };
  } finally {
    await direct.close();
  }
}

test(`${trials} backups over a failing network commit what verifies, or leave nothing`, async (context) => {
  const found = { committed: 0, failed: 0, faults: 0 };
  let next = 1;
  const runOnes = async (): Promise<void> => {
    while (next <= trials) {
      const seed = next;
      next += 1;
      let trial: Trial;
      try {
        trial = await runTrial(seed);
      } catch (error) {
        throw new Error(`seed ${seed}`, { cause: error });
      }
      found[trial.outcome] += 1;
      found.faults += trial.faultCount;
    }
  };
  // They mostly wait.
  await Promise.all(Array.from({ length: trialsAtOnce }, runOnes));
  context.diagnostic(JSON.stringify(found));
  // How many depends on which of several requests comes first.
  assert.ok(found.committed > trials / 2 && found.faults > trials / 2, JSON.stringify(found));
});

test('reading goes on where answers are cut, slow, or less than was told', async () => {
  const bucket = await makeBucket(client);
  const direct = await openBucket(server, bucket);
  const sources = [new FilesSource({ path: join(workspace, 'large') })];
  await createBackup({ sources, output: { storage: direct, name }, encryption: 'none', threads: 1, verify: 'none' });
  await direct.close();
  const random = new SeededRandom(3);
  const faulty = (index: number): HttpFault | undefined => (index % 3 === 1 ? someFault(random) : undefined);
  await using proxy = await startHttpProxy(server.port, ({ index }) => faulty(index));
  const input: S3Input = { endpointUrl: `http://127.0.0.1:${proxy.port}` };
  const storage = await openBucket(server, bucket, { input, patience: { idleMs, attempts: 8 } });
  const filesTo = join(workspace, 'restored');
  await restoreBackup({ archive: { storage, name }, filesTo, threads: 1 });
  await storage.close();
  assert.ok(proxy.faultCount > 0);
  const times = { times: false };
  assert.deepEqual(
    (await describeTree(join(filesTo, 'large'), times)).slice(1),
    (await describeTree(join(workspace, 'large'), times)).slice(1),
  );
});

test('a gateway that is killed while it takes an archive leaves nothing, or one try later the archive', async () => {
  const bucket = await makeBucket(client);
  const storage = await openBucket(server, bucket, { patience: { attempts: 30, firstDelayMs: 50 } });
  const writer = await storage.writer(name, { copies: 2 });
  const bytes = new SeededRandom(1).bytes(12 * 2 ** 20);
  const writing = writer.write(bytes);
  await server.kill();
  const restarted = server.restart();
  await writing;
  await restarted;
  await writer.commit();
  const access = await storage.open(name);
  const copy = new Uint8Array(bytes.length);
  for (const offset of [0, bytes.length]) {
    assert.equal(await access.read(offset, copy), copy.length);
    assert.equal(Buffer.compare(copy, bytes), 0);
  }
  await access.close();
  await storage.close();
});
