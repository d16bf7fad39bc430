// biome-ignore-all lint/suspicious/noTemplateCurlyInString: configurations have variables of their own in plain strings
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryStorage } from '../storage/memory/memory-storage.ts';
import { redact } from './redact.ts';

const canary = 'canary-4711';

test('no secret of a configuration is shown, and all else is', () => {
  const config = {
    encryptionKey: canary,
    openpgpKeys: ['keys/ops.asc'],
    recipients: ['age1abc'],
    databases: [
      { alias: 'a', url: `postgres://user:${canary}@db:5432/shop?sslmode=require` },
      { alias: 'b', url: `mysql://db/shop?password=${canary}&charset=utf8` },
      { alias: 'c', url: '${DATABASE_URL}' },
      { alias: 'd', url: `postgres://user:un/coded?${canary}@db/shop` },
    ],
    storage: {
      far: { backend: 's3', bucket: 'b', accessKey: canary, secretKey: canary, sessionToken: canary },
      near: { backend: 'sftp', password: canary, privateKeyPath: 'id_ed25519', privateKey: canary },
      own: new MemoryStorage(),
    },
    notifications: [
      { type: 'slack', url: `https://hooks.example/${canary}` },
      { type: 'telegram', botToken: canary, chatId: '-7' },
      { type: 'webhook', url: `https://h.example/${canary}`, secret: canary, headers: { 'x-auth': canary } },
      { type: 'email', host: 'smtp.example', user: 'u', password: canary, to: ['ops@example.com'] },
    ],
    hooks: { afterBackup: () => canary },
  };
  const shown = JSON.stringify(redact(config));
  assert.ok(!shown.includes(canary), shown);
  for (const text of [
    'keys/ops.asc',
    'age1abc',
    '${DATABASE_URL}',
    'postgres://user:[redacted]@db:5432/shop?sslmode=require',
    'id_ed25519',
    'smtp.example',
    'ops@example.com',
    '[function]',
    '[storage memory]',
    'charset=utf8',
  ]) {
    assert.ok(shown.includes(text), text);
  }
});

test('URLs of a queue and a history are shown without their passwords', () => {
  const shown = redact({
    queue: { backend: 'bullmq', url: 'rediss://:canary@queue.example:6379/1' },
    history: { url: 'postgres://backup:canary@db.example/history', schema: 'shop' },
  });
  assert.deepEqual(shown, {
    queue: { backend: 'bullmq', url: 'rediss://:[redacted]@queue.example:6379/1' },
    history: { url: 'postgres://backup:[redacted]@db.example/history', schema: 'shop' },
  });
});
