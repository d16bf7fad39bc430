/** A Redis server by its own programs: its dump as the output of one, and the input of another; over real servers. */
import assert from 'node:assert/strict';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  type BackupOptions,
  CommandSource,
  createBackup,
  HoldfastError,
  inspectArchive,
  restoreBackup,
} from '../../src/index.ts';
import { makeRedis, type RedisServer } from '../redis/redis-server.ts';
import { leaveOutWithout } from '../services/service-packages.ts';
import { makeWorkspace } from './workspace.ts';

leaveOutWithout('redis');

const workspace = makeWorkspace('redis');
const password = 'canary-s3cret';
const keyCount = 20_000;
let live: RedisServer;
let other: RedisServer;

before(async () => {
  process.env['REDISCLI_AUTH'] = password;
  live = await makeRedis(password);
  other = await makeRedis(password);
  await live.start();
  const lines = Array.from({ length: keyCount }, (_, key) => `SET key:${key} "value ${(key * 7919) % 104_729}"\n`);
  live.run(['--pipe'], lines.join(''));
  live.run(['ZADD', 'scores', '1.5', 'a', '-2', 'b']);
  live.run(['HSET', 'hash', 'f\u00e4', 'v']);
  live.run(['XADD', 'stream', '*', 'f', 'v']);
  live.run(['SETEX', 'later', '100000', 'v']);
});
after(async () => {
  delete process.env['REDISCLI_AUTH'];
  await live.stop();
  await other.stop();
});

/** `LD_LIBRARY_PATH` is for programs that were unpacked, not installed. */
const environment = ['REDISCLI_AUTH', ...(process.env['LD_LIBRARY_PATH'] === undefined ? [] : ['LD_LIBRARY_PATH'])];

function source(): CommandSource {
  return new CommandSource({
    name: 'cache',
    command: ['redis-cli', '-p', String(live.port), '--rdb', '-'],
    environment,
  });
}

async function backUp(output: string, more: Partial<BackupOptions> = {}) {
  return await createBackup({
    threads: 1,
    encryption: 'none',
    sources: [source()],
    output: join(workspace, output),
    ...more,
  });
}

test('a dump goes into an archive, and out of it into another server, which then holds the same', async () => {
  const report = await backUp('cache.holdfast');
  const { entries = [] } = await inspectArchive({ archive: report.output });
  assert.deepEqual(
    entries.map(({ path, kind, metadata }) => [path, kind, metadata]),
    [['databases/cache/stream', 'stream', { engine: 'command', program: 'redis-cli' }]],
  );
  const dump = join(other.folder, 'dump.rdb');
  const commands = { cache: { command: ['sh', '-c', `cat > ${dump}`] } };
  const restored = await restoreBackup({ archive: report.output, commands, threads: 1 });
  assert.equal(statSync(dump).size, entries[0]?.sizeBytes);
  assert.deepEqual(
    restored.actions.map(({ kind, action, target }) => [kind, action, target]),
    [['command', 'run', 'sh']],
  );
  await other.start();
  assert.equal(other.run(['DBSIZE']), String(keyCount + 4));
  assert.equal(other.run(['DEBUG', 'DIGEST']), live.run(['DEBUG', 'DIGEST']));
  assert.doesNotMatch(JSON.stringify([report, restored, entries]), /canary/);
});

test('a server that was emptied makes a suspect archive', async () => {
  await backUp('daily-1.holdfast');
  live.run(['FLUSHALL']);
  const { suspect, comparison } = await backUp('daily-2.holdfast');
  assert.equal(suspect, true);
  assert.equal(comparison.falls[0]?.path, 'databases/cache/stream');
});

test('a wrong password, and a server that is gone, make no archive', async () => {
  const fails = async (pattern: RegExp) => {
    await assert.rejects(backUp('bad.holdfast'), (error) => {
      assert.ok(error instanceof HoldfastError && error.code === 'tool.failed', String(error));
      assert.match(error.message, pattern);
      assert.doesNotMatch(error.message, /canary/);
      return true;
    });
    assert.equal(existsSync(join(workspace, 'bad.holdfast')), false);
  };
  process.env['REDISCLI_AUTH'] = 'canary-wrong';
  await fails(/WRONGPASS/);
  process.env['REDISCLI_AUTH'] = password;
  await live.kill();
  await fails(/Connection refused/);
});
