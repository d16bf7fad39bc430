import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { leftOut } from './service-packages.ts';
import { type RedisService, startRedis } from './start-redis.ts';

const skip = leftOut('redis');

function ask({ programFolder, port, password }: RedisService, ...command: string[]): string {
  const env = { ...process.env, REDISCLI_AUTH: password ?? '' };
  const options = { encoding: 'utf8', env, stdio: 'pipe' } as const;
  return execFileSync(join(programFolder, 'redis-cli'), ['-p', String(port), ...command], options).trim();
}

test('it answers, asks for the password, and forgets all when restarted', { skip }, async (context) => {
  const service = await startRedis({ password: 's3cret' });
  context.after(() => service.stop());
  assert.match(ask(service, 'INFO', 'server'), new RegExp(`redis_version:${service.version}`));
  assert.equal(ask(service, 'SET', 'a', '1'), 'OK');
  assert.equal(ask(service, 'GET', 'a'), '1');
  assert.match(ask({ ...service, password: 'wrong' }, 'GET', 'a'), /NOAUTH/);
  await service.kill();
  await service.restart();
  assert.equal(ask(service, 'GET', 'a'), '');
});

test('a durable one keeps what it took', { skip }, async (context) => {
  const service = await startRedis({ durable: true });
  context.after(() => service.stop());
  assert.equal(ask(service, 'SET', 'a', '1'), 'OK');
  await service.restart();
  assert.equal(ask(service, 'GET', 'a'), '1');
});
