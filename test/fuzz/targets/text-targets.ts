// biome-ignore-all lint/suspicious/noTemplateCurlyInString: configurations have variables of their own in plain strings
/** The readers of settings: configurations, schedules, URLs, records of a catalogue. */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { openRecord, publicKeyText, sealRecord } from '../../../src/catalogue/catalogue-record.ts';
import { readConfig } from '../../../src/config/parse-config.ts';
import { redact } from '../../../src/config/redact.ts';
import { HoldfastError } from '../../../src/errors.ts';
import { cronProblem, nextRuns, readSchedule } from '../../../src/policy/schedule.ts';
import { engines } from '../../../src/source/engines.ts';
import { sourceFromUrl } from '../../../src/source/parse-url.ts';
import type { FuzzTarget } from '../target.ts';
import { answerOf } from './archive-targets.ts';

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('utf8');
const secret = 'zq9hidden';

const configs = [
  {
    databases: [{ alias: 'shop', url: `postgres://user:${secret}@host/shop` }],
    files: ['uploads', { path: 'x', name: 'y' }],
  },
  {
    storage: {
      near: { backend: 'local', path: 'a' },
      far: { backend: 's3', bucket: 'b', region: 'eu-1', secretAccessKey: secret },
    },
  },
  {
    schedule: { cron: '0 2 * * *', timezone: 'Europe/Berlin' },
    retention: { keepDaily: 7 },
    notifications: [{ type: 'slack', url: '${URL}' }],
  },
  {
    encryptionKey: '${KEY}',
    hooks: { beforeBackup: ['true'] },
    filenameTemplate: '{database}_{timestamp}',
    catalogue: false,
  },
  {
    media: { a: { fromEnvironment: true } },
    queue: { backend: 'bullmq', url: 'redis://h' },
    web: { port: 80 },
    drill: { checks: [] },
  },
];

/** A configuration is read or refused with its problems; none of them shows a variable's value. */
export const configTarget: FuzzTarget = {
  name: 'config',
  seeds: configs.map((config) => Buffer.from(JSON.stringify(config))),
  words: [
    ...new Set(configs.flatMap((config) => [...JSON.stringify(config).matchAll(/"[^"]+"/g)].map(([word]) => word))),
  ].concat('${KEY}', '$${', '"__proto__"', 'null', '[]', '{}', ':', ',', '1e99'),
  maximumBytes: 4096,
  limitMs: 2000,
  run(bytes) {
    let value: unknown;
    try {
      value = JSON.parse(text(bytes));
    } catch {
      return;
    }
    const read = readConfig(value, { KEY: `${secret}-variable`, URL: `https://host.example/${secret}-variable` });
    if ('config' in read) {
      assert.ok(!JSON.stringify(redact(read.config)).includes(`"encryptionKey":"${secret}`), 'a passphrase is shown');
      return;
    }
    assert.ok(read.problems.length > 0);
    assert.ok(!JSON.stringify(read.problems).includes(`${secret}-variable`), 'a problem shows the value of a variable');
  },
};

/** A pattern is refused, or runs at moments that rise. */
export const cronTarget: FuzzTarget = {
  name: 'cron',
  seeds: ['0 2 * * *', '*/15 9-17 * 1,6 MON-FRI', '0 0 29 2 *', '59 23 L * 5#2', '@daily', '30 2 31 3 7'].map(
    (pattern) => Buffer.from(pattern),
  ),
  words: [
    '*',
    '/',
    '-',
    ',',
    ' ',
    'L',
    'W',
    '#',
    '?',
    '@yearly',
    'JAN',
    'SUN',
    '31',
    '29 2',
    '60',
    '0/0',
    '1-0',
    '99999999999',
  ],
  maximumBytes: 300,
  limitMs: 2000,
  run(bytes) {
    const pattern = text(bytes);
    if (cronProblem(pattern) !== undefined) return;
    const schedule = readSchedule({ cron: pattern, timezone: 'Europe/Berlin' });
    let last = 1_000_000_000_000;
    for (const moment of nextRuns(schedule, last, 5)) {
      assert.ok(Number.isSafeInteger(moment) && moment > last, `${pattern}: ${moment} after ${last}`);
      last = moment;
    }
  },
};

/** A URL of a database names one, or is refused; what refuses it does not show its password. */
export const urlTarget: FuzzTarget = {
  name: 'url',
  seeds: [
    `postgres://user:${secret}@host:5432/shop?sslmode=verify-full&connect_timeout=3`,
    `mysql://user:${secret}@[::1]/shop?ssl-mode=REQUIRED&charset=utf8mb4`,
    `mariadb://user:${secret}@host/shop?socket=/run/x.sock`,
    'sqlite:///srv/shop.db',
    'sqlite:shop.db?mode=ro',
    `postgresql://user:${secret}@/shop?host=/run/postgresql`,
  ].map((url) => Buffer.from(url)),
  words: [
    '://',
    '@',
    ':',
    '/',
    '?',
    '&',
    '=',
    '%00',
    '%2F',
    '%',
    '#',
    '[',
    ']',
    '..',
    'sslmode=disable',
    'host=',
    '\n',
    '-oProxy=',
    ...engines.flatMap(({ name }) => [`${name}://`]),
  ],
  maximumBytes: 500,
  limitMs: 1000,
  async run(bytes) {
    const url = text(bytes);
    // What stands in the place of the password, where there is one.
    const [, password = ''] = /^[a-z]+:\/\/[^/?#@]*?:([^/?#@]*)@/.exec(url) ?? [];
    // Where it stands elsewhere as well it is no password there.
    const hides = password.includes(secret) && url.split(secret).length === 2;
    try {
      const source = await sourceFromUrl(url);
      assert.ok(!source.name.includes('\0'));
      assert.ok(!hides || !source.name.includes(secret), 'a name shows the password');
      await source.close();
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.code === 'operation.failed') throw error;
      const shown = `${error.message} ${error.hint} ${JSON.stringify(error.context)}`;
      assert.ok(!hides || !shown.includes(secret), `an error shows the password: ${shown}`);
    }
  },
};

const { privateKey } = generateKeyPairSync('ed25519');
const sealed = sealRecord(
  {
    format: 1,
    chain: 'ab'.repeat(8),
    publicKey: publicKeyText(privateKey),
    sequence: 2,
    previous: 'cd'.repeat(32),
    atMs: 5,
    event: 'written',
    object: { name: 'a.holdfast', archiveId: 'ef'.repeat(16), digest: '01'.repeat(32), sizeBytes: 9 },
    heads: { ['12'.repeat(8)]: { sequence: 3, hash: '34'.repeat(32), place: 'far' } },
  },
  privateKey,
).text;

/** A record whose bytes are not those that were signed is refused. */
export const recordTarget: FuzzTarget = {
  name: 'record',
  seeds: [Buffer.from(sealed)],
  words: [
    '"event":"removed"',
    '"adopted":true,',
    '\n',
    '{"signature":"',
    '"objects":[]',
    '"__proto__":',
    '"sequence":3',
  ],
  maximumBytes: 8192,
  limitMs: 1000,
  run(bytes) {
    const opened = answerOf(() => openRecord(text(bytes)));
    const [line] = text(bytes).split('\n');
    assert.ok(opened === undefined || line === sealed.split('\n')[0], 'a record that nobody signed is taken');
  },
};
