import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { HoldfastError } from '../../errors.ts';
import { segmentKind } from '../seal/segment-cipher.ts';
import { WorkerPool } from './worker-pool.ts';

const archiveId = new Uint8Array(16);
const shape = { dataBlocks: 10, parityBlocks: 3 };
const setup = { archiveId, shape, codec: 'none' as const, seal: undefined, totalDataBlocks: undefined };

async function withPool(threads: number, work: (pool: WorkerPool) => Promise<void>): Promise<void> {
  const pool = new WorkerPool(threads);
  try {
    await work(pool);
  } finally {
    await pool.close();
  }
}

function settled(promises: readonly Promise<unknown>[]): Promise<string[]> {
  return Promise.all(
    promises.map((promise) =>
      promise.then(
        () => 'ok',
        (error: unknown) => (error instanceof Error ? error.message : String(error)),
      ),
    ),
  );
}

const frame = {
  pieces: [],
  count: 0,
  lost: false,
  firstPosition: 0,
  firstIndex: 0,
  blocks: new Uint8Array(0),
};

function scan(pool: WorkerPool): Promise<unknown> {
  return pool.scan({ bytes: new Uint8Array(10_000), limit: 10_000, archiveId: undefined });
}

/** Does what sends tasks, and gives the threads that they were sent to. */
function threadsOf(send: () => void): Worker[] {
  const threads: Worker[] = [];
  const { postMessage } = Worker.prototype;
  Worker.prototype.postMessage = function (this: Worker, ...message) {
    threads.push(this);
    postMessage.apply(this, message);
  };
  try {
    send();
  } finally {
    Worker.prototype.postMessage = postMessage;
  }
  return threads;
}

test('without threads all is done here, and ends when it is closed', async () => {
  const pool = new WorkerPool(0);
  assert.equal(pool.threadCount, 1);
  assert.deepEqual(await settled([scan(pool), pool.forArchive().runInOrder('frame', frame)]), [
    'ok',
    'the worker was not configured',
  ]);
  const bytes = Buffer.from('abc');
  const hash = pool.newHash();
  const digests = await pool.hash({ bytes, spans: [{ entry: hash, offset: 0, length: 3, last: true }] });
  assert.deepEqual(digests, [{ entry: hash, sha256: createHash('sha256').update(bytes).digest('hex') }]);
  await pool.close();
  await assert.rejects(scan(pool), { code: 'operation.interrupted' });
  await assert.rejects(pool.hash({ bytes, spans: [] }), { code: 'operation.interrupted' });
});

test('a task that throws rejects alone, and the thread goes on', async () => {
  await withPool(1, async (pool) => {
    const tasks = [scan(pool), pool.forArchive().runInOrder('frame', frame), scan(pool)];
    assert.deepEqual(await settled(tasks), ['ok', 'the worker was not configured', 'ok']);
  });
});

test('tasks in order go to one thread, the last one, whatever it has to do', async () => {
  await withPool(3, async (pool) => {
    const archive = pool.forArchive();
    archive.configure(setup);
    const tasks: Promise<unknown>[] = [];
    const inOrder = threadsOf(() => {
      for (let task = 0; task < 4; task++) tasks.push(archive.runInOrder('frame', frame));
    });
    const others = threadsOf(() => {
      for (let task = 0; task < 4; task++) tasks.push(scan(pool));
    });
    assert.equal(new Set(inOrder).size, 1);
    assert.equal(new Set(others).size, 2);
    assert.ok(!others.includes(inOrder[0]!));
    await Promise.all(tasks);
  });
});

test('of threads with as little to do the first is taken, and what is in order is done by the last', async () => {
  await withPool(2, async (pool) => {
    const archive = pool.forArchive();
    archive.configure(setup);
    await scan(pool);
    const [first] = threadsOf(() => void scan(pool));
    await archive.runInOrder('frame', frame);
    const [inOrder] = threadsOf(() => void archive.runInOrder('frame', frame));
    assert.notEqual(first, inOrder);
    await archive.broadcast('configure', setup);
    assert.equal(threadsOf(() => void scan(pool))[0], first);
    await archive.broadcast('configure', setup);
  });
});

test('memory is that of the pool; what is done in this thread has one memory for all, and needs no other thread', async () => {
  const spans = [{ entry: 0, offset: 0, length: 0, last: true }];
  const hash = (pool: WorkerPool) => threadsOf(() => void pool.hash({ bytes: new Uint8Array(0), spans })).length;
  const [one, two, here, there] = [new WorkerPool(1), new WorkerPool(1), new WorkerPool(0), new WorkerPool(0)];
  assert.equal(one.forArchive().memory, one.memory);
  assert.notEqual(one.memory, two.memory);
  assert.ok(here.memory);
  assert.equal(here.memory, there.memory);
  assert.deepEqual([hash(one), hash(here)], [1, 0]);
  await one.hash({ bytes: new Uint8Array(0), spans: [] });
  for (const pool of [one, two, here, there]) await pool.close();
});

test('an error keeps its code, message, hint and context across threads', async () => {
  await withPool(1, async (pool) => {
    const seal = { key: undefined, fixedDigest: new Uint8Array(32) };
    const archive = pool.forArchive();
    archive.configure({ ...setup, codec: 'zstd', seal, totalDataBlocks: 1 });
    const load = {
      layers: [],
      firstData: 0,
      count: 1,
      patches: [{ index: 0, payload: new Uint8Array(4032) }],
      offset: 0,
      length: 100,
      number: 7,
      kind: 0 as const,
      maximumPlainBytes: 10,
      compressed: true,
      into: new Uint8Array(10),
    };
    await assert.rejects(archive.run('load', load), (error: unknown) => {
      assert.ok(error instanceof HoldfastError);
      assert.equal(error.code, 'archive.damaged');
      assert.match(error.message, /segment 7 does not authenticate/);
      assert.deepEqual(error.context, { segment: 7 });
      assert.ok(error.hint.length > 0);
      return true;
    });
  });
});

test('an error tells its own hint, or where in the thread it was thrown', async () => {
  const { PATH } = process.env;
  // A thread has the environment of when it began.
  process.env['PATH'] = '/nowhere';
  const pool = new WorkerPool(1);
  process.env['PATH'] = PATH;
  const archive = pool.forArchive();
  const unconfigured = archive.runInOrder('frame', frame);
  await assert.rejects(unconfigured, ({ stack }: Error) => stack?.includes('task-runner') === true);
  const seal = { key: undefined, fixedDigest: new Uint8Array(32) };
  archive.configure({ ...setup, codec: 'bz2', seal });
  const segments = [{ number: 0, offset: 0, length: 10 }];
  const sealing = archive.run('seal', { kind: 0, segments, plain: new Uint8Array(10), into: new Uint8Array(1000) });
  await assert.rejects(sealing, { code: 'tool.not_found', hint: 'install bzip2, or choose --compression zstd' });
  await pool.close();
});

test('a thread that dies rejects what was pending and all that comes, and nothing hangs', async () => {
  await withPool(1, async (pool) => {
    const tasks: Promise<unknown>[] = [];
    const [thread] = threadsOf(() => {
      for (let task = 0; task < 50; task++) tasks.push(scan(pool));
    });
    const outcomes = settled(tasks);
    await thread?.terminate();
    assert.equal((await outcomes).at(-1), 'a worker thread ended');
    await assert.rejects(scan(pool), /a worker thread ended/);
    pool.forArchive().configure(setup);
    await assert.rejects(scan(pool), /a worker thread ended/);
    // The thread of the hashes lives.
    assert.deepEqual(await pool.hash({ bytes: new Uint8Array(0), spans: [] }), []);
  });
});

test('where one of several threads has died, a task may fail, but none waits for ever', async () => {
  await withPool(2, async (pool) => {
    const [thread] = threadsOf(() => void scan(pool).catch(() => undefined));
    await thread?.terminate();
    for (const outcome of await settled([scan(pool), scan(pool), scan(pool)])) {
      assert.match(outcome, /^ok$|a worker thread ended/);
    }
    await assert.rejects(pool.forArchive().broadcast('configure', setup), /a worker thread ended/);
  });
});

test('closing rejects what is pending and all that comes', async () => {
  const pool = new WorkerPool(2);
  const tasks = Array.from({ length: 20 }, () => scan(pool));
  const outcomes = settled(tasks);
  await pool.close();
  for (const outcome of await outcomes) assert.match(outcome, /^ok$|were stopped/);
  await assert.rejects(scan(pool), { code: 'operation.interrupted' });
  await assert.rejects(pool.forArchive().broadcast('configure', setup), { code: 'operation.interrupted' });
  await assert.rejects(pool.hash({ bytes: new Uint8Array(0), spans: [] }), { code: 'operation.interrupted' });
  await pool.close();
});

test('threads that are compressing when the pool is closed end with it, and the process goes on', async () => {
  const fixedDigest = new Uint8Array(32);
  const segments = Array.from({ length: 64 }, (_, number) => ({ number, offset: number * 10, length: 10 }));
  // Of small segments a thread spends most of its time on making what compresses them.
  for (let round = 0; round < 60; round++) {
    const pool = new WorkerPool(1);
    const workers = pool.forArchive({ ...setup, codec: 'zstd', seal: { key: undefined, fixedDigest } });
    const seal = () => {
      const into = new Uint8Array(new SharedArrayBuffer(64 * 200));
      return workers.run('seal', { plain: new Uint8Array(640), segments, kind: segmentKind.data, into });
    };
    const [first, ...others] = Array.from({ length: 500 }, seal);
    const outcomes = settled(others);
    await first;
    await pool.close();
    const ended = await outcomes;
    assert.ok(ended.every((outcome) => /^ok$|were stopped/.test(outcome)) && ended.at(-1) !== 'ok');
  }
});

test('hashes go on over tasks, several at once, and end when told', async () => {
  await withPool(1, async (pool) => {
    const [first, second] = [pool.newHash(), pool.newHash()];
    assert.notEqual(first, second);
    const bytes = Buffer.from('abcdef');
    const span = (entry: number, offset: number, length: number, last = false) => ({ entry, offset, length, last });
    assert.deepEqual(await pool.hash({ bytes, spans: [span(first, 0, 2), span(second, 2, 1)] }), []);
    const digests = await pool.hash({ bytes, spans: [span(second, 3, 3, true), span(first, 0, 0, true)] });
    const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
    assert.deepEqual(digests, [
      { entry: second, sha256: sha256('cdef') },
      { entry: first, sha256: sha256('ab') },
    ]);
  });
});
