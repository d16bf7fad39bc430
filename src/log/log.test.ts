// biome-ignore-all lint/style/useNamingConvention: variables of an environment are written in capitals
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Secret } from '../secret.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { type LogFormat, type LogLevel, openLog } from './log.ts';
import { Redactor } from './redact-text.ts';

async function newLog(options: { format?: LogFormat; level?: LogLevel; environment?: Record<string, string> } = {}) {
  const lines: string[] = [];
  const write = (line: string) => void lines.push(line);
  return { lines, log: await openLog({ environment: {}, clock: new FakeClock(), ...options, write }) };
}

test('a line of JSON has the time, the level, the message and the fields', async () => {
  const { lines, log } = await newLog({ format: 'json' });
  log.warn('a\nb', { runId: 'r1', job: 'backup' });
  assert.equal(lines.length, 1);
  const { pid, hostname, ...line } = JSON.parse(lines[0] ?? '');
  assert.deepEqual(line, {
    level: 'warn',
    time: '2026-01-01T00:00:00.000Z',
    runId: 'r1',
    job: 'backup',
    message: 'a\nb',
  });
  assert.equal(pid, process.pid);
  assert.equal(typeof hostname, 'string');
});

test('a line for people is one line, whatever is in it', async () => {
  const { lines, log } = await newLog();
  log.error('no\n\u001b[2Jroom', { runId: 'r1', job: 'backup:crm', error: { code: 'storage.full' } });
  log.info('done');
  assert.deepEqual(lines, [
    '2026-01-01 00:00:00 UTC  error  backup:crm: no\u{fffd}room [storage.full]  run=r1\n',
    '2026-01-01 00:00:00 UTC  info   done\n',
  ]);
});

test('what matters less than the level is left out', async () => {
  for (const format of ['text', 'json'] as const) {
    const { lines, log } = await newLog({ format, level: 'warn' });
    log.debug('1');
    log.info('2');
    log.warn('3');
    log.error('4');
    assert.equal(lines.length, 2);
  }
});

const canary = 'hunter2/x@y';
/** Texts that carry a secret, and where it may not be seen afterwards. */
const hostile: readonly string[] = [
  `cannot reach postgres://backup:${canary}@db.example/app: refused`,
  `two: mysql://a:${canary}@h/x and https://b:${canary}@h/y`,
  `https://s3.example/b?X-Amz-Signature=${canary}&x=1`,
  `https://account.blob.core.windows.net/c?sv=1&sig=${canary}`,
  `PGPASSWORD=${canary} pg_dump`,
  `secretAccessKey="${canary}"`,
  `{"password":"${canary}","user":"me"}`,
  `authorization: Bearer ${canary}abc`,
  `https://hooks.slack.com/services/${canary}`,
  `https://discord.com/api/webhooks/1/${canary}`,
  `https://api.telegram.org/bot1:${canary}/sendMessage`,
  `-----BEGIN OPENSSH PRIVATE KEY-----\n${canary}\n-----END OPENSSH PRIVATE KEY-----`,
];

test('what looks like a secret is in no line', async () => {
  for (const format of ['text', 'json'] as const) {
    const { lines, log } = await newLog({ format });
    for (const text of hostile) {
      log.error(text, { error: { code: 'x', message: text, hint: [text], [text]: 1 } });
      assert.match(lines.at(-1) ?? '', /\[redacted\]/, text);
    }
    assert.doesNotMatch(lines.join(''), /hunter2|x@y/);
  }
});

test('what has the form of a key is in no line', async () => {
  const { lines, log } = await newLog({ format: 'json' });
  log.info('with AKIAIOSFODNN7EXAMPLE and age-secret-key-1QQQ and eyJhbGciOiJI.eyJzdWIi.c2ln');
  assert.equal(JSON.parse(lines[0] ?? '').message, 'with [redacted] and [redacted] and [redacted]');
});

test('fields of secret names, and secrets themselves, are in no line', async () => {
  const { lines, log } = await newLog({ format: 'json' });
  log.info('x', {
    storage: { accessKeyId: 'id', secretAccessKey: canary, deep: [{ passphrase: canary }] },
    kept: new Secret(canary),
    headers: { authorization: canary },
  });
  assert.doesNotMatch(lines.join(''), /hunter2/);
  assert.match(lines[0] ?? '', /"kept":"\[redacted\]"/);
});

test('secrets of the environment are in no line, however they are written', async () => {
  const environment = {
    HOLDFAST_PASSPHRASE: 'five words: a b c',
    AWS_SECRET_ACCESS_KEY: 'wJalrXUtnFEMI/K7MDENG',
    DATABASE_URL: 'postgres://u:p%40ss%2Fword@h/db',
    MYSQL_PWD: 'long-password',
    SHORT_KEY: 'ab',
    HOME: '/home/user',
    PWD: '/home',
    OLDPWD: '/home/user',
  };
  const { lines, log } = await newLog({ environment });
  log.info('five words: a b c | wJalrXUtnFEMI/K7MDENG | wJalrXUtnFEMI%2FK7MDENG | p@ss/word | p%40ss%2Fword');
  log.info('long-password of /home/user, ab');
  const text = lines.join('');
  assert.doesNotMatch(text, /five words|wJalr|ss.?.?.?word|long-password/);
  assert.match(text, /of \/home\/user, ab/);
});

test('what is no secret stays', () => {
  const redactor = new Redactor({});
  for (const text of [
    'cannot connect to postgres://backup@db.example/app',
    'key.wrong: the key does not open this archive',
    's3://bucket/shop_20260101.holdfast: no such key',
    'at 12:30, a@b.example was told of https://host.example/path?page=2',
  ]) {
    assert.equal(redactor.text(text), text);
  }
});

test('a text without end is cut where no half of a secret is left', () => {
  const text = `${'x '.repeat(8190)}postgres://a:${'hunter2'.repeat(10)}@h`;
  const result = new Redactor({}).text(text);
  assert.ok(result.length < 16_400);
  assert.doesNotMatch(result, /hunter/);
});

test('fields that go round in a circle end', async () => {
  const { lines, log } = await newLog({ format: 'json' });
  const circle: Record<string, unknown> = {};
  circle['self'] = circle;
  log.info('x', { circle });
  assert.equal(lines.length, 1);
});
