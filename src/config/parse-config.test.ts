// biome-ignore-all lint/suspicious/noTemplateCurlyInString: configurations have variables of their own in plain strings
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HoldfastError } from '../errors.ts';
import { MemoryStorage } from '../storage/memory/memory-storage.ts';
import { chooseStorages, configuredStorages } from './configured-storages.ts';
import { parseConfig, readConfig } from './parse-config.ts';

const file = 'holdfast.config.ts';
const parse = (value: unknown, environment: Record<string, string> = {}) => parseConfig(value, environment, file);

test('a whole configuration is taken as it is', () => {
  const config = {
    databases: [
      { alias: 'shop', url: 'sqlite:shop.db' },
      {
        alias: 'crm',
        url: 'mysql://h/crm',
        enabled: false,
        includeTables: ['a*'],
        excludeTables: ['ab'],
        method: 'dump',
        extraOptions: ['--x'],
        connections: 4,
        roles: true,
        timeoutMs: 1000,
      },
    ],
    commands: [
      {
        alias: 'cache',
        command: ['a', 'b'],
        environment: ['C'],
        endMark: 'd',
        minimumSizeBytes: 0,
        timeoutMs: 1,
        enabled: true,
      },
    ],
    allowedFallPercent: 0,
    files: ['uploads', { path: '/srv/media', name: 'media' }],
    storage: { backend: 'local', path: 'backups' },
    filenameTemplate: '{database}_{timestamp}',
    environment: 'production',
    compression: 'xz',
    encryption: 'aes-256-gcm',
    recipients: ['age1abc'],
    copies: 8,
  };
  assert.deepEqual(parse(config), config);
  assert.deepEqual(parse({}), {});
});

const mistakes: [unknown, string | RegExp][] = [
  [undefined, 'is not set, and has to be (object)'],
  [{ databses: [] }, 'databses: there is no such setting (did you mean databases?)'],
  [{ storages: {} }, 'storages: there is no such setting (did you mean storage?)'],
  [
    { databases: [{ alias: 'a', url: 'sqlite:x', storages: {} }] },
    /: there is no such setting( \(did you mean storage\?\))?$/,
  ],
  [{ colour: 'red' }, 'colour: there is no such setting'],
  [
    { databases: [{ alias: 'a', ulr: 'x', url: 'sqlite:x' }] },
    'databases[0].ulr: there is no such setting (did you mean url?)',
  ],
  [{ files: [{ path: 'a', nmae: 'b' }] }, 'files[0].nmae: there is no such setting (did you mean name?)'],
  [{ files: [7] }, 'files[0]: Invalid input, not 7'],
  [{ databases: [{ alias: 'a/b', url: 'sqlite:x' }] }, 'databases[0].alias: must not be empty or hold a /, not "a/b"'],
  [
    { commands: [{ alias: 'a', command: 'redis-cli' }] },
    'commands[0].command: Invalid input: expected array, received string, not "redis-cli"',
  ],
  [
    { commands: [{ alias: 'a', comand: [], command: ['x'] }] },
    'commands[0].comand: there is no such setting (did you mean command?)',
  ],
  [
    { databases: [{ alias: 'a', url: 'sqlite:x', method: 'fast' }] },
    'databases[0].method: Invalid option: expected one of "copy"|"dump", not "fast"',
  ],
  [{ allowedFallPercent: 101 }, 'allowedFallPercent: Too big: expected number to be <=100, not 101'],
  [
    { databases: [{ alias: 'a', url: 'sqlite:x' }], commands: [{ alias: 'a', command: ['x'] }] },
    'commands[0].alias: a is the alias of another database',
  ],
  [{ copies: 0 }, 'copies: Too small: expected number to be >=1, not 0'],
  [{ copies: 9 }, 'copies: Too big: expected number to be <=8, not 9'],
  [{ copies: 1.5 }, 'copies: Invalid input: expected int, received number, not 1.5'],
  [{ recipients: ['age2x'] }, 'recipients[0]: must be an age recipient (age1…), not "age2x"'],
  [
    { storage: { backend: 's4', path: 'x' } },
    /^storage\.backend: there is no backend "s4" \((did you mean|there are) /,
  ],
  [{ storage: { backend: 'loca', path: 'x' } }, 'storage.backend: there is no backend "loca" (did you mean local?)'],
  [{ storage: { backend: 'sftp', user: 'u' } }, /^storage.host: is not set, and has to be \(string\)/],
  [
    { storage: { near: { backend: 'local', path: 'x', throtle: 7 } } },
    'storage.near.throtle: there is no such setting (did you mean throttle?)',
  ],
  [{ storage: { near: { path: 'x' } } }, /^storage\.near\.backend: say which it is: local/],
  [{ storage: { near: 'x' } }, 'storage.near: it is no storage'],
  [
    { storage: { 'a/b': { backend: 'local', path: 'x' } } },
    'storage.a/b: a name has letters, digits, dots, hyphens and underscores',
  ],
  [{ storage: {} }, 'storage: there is no storage in it'],
  [{ storage: 'backups' }, 'storage: must be a storage, or several by name'],
  [
    { storage: { backend: 'local', path: 'x', copies: 9 } },
    'storage.copies: Too big: expected number to be <=8, not 9',
  ],
  [
    { storage: { backend: 's3', bucket: 'backups', secretKey: 7 } },
    'storage.secretKey: Invalid input: expected string, received number',
  ],
  [{ queue: { backend: 'bullmq' } }, 'queue.url: is not set, and has to be (string)'],
  [{ queue: 'memry' }, 'queue: Invalid input: expected "memory", not "memry" (did you mean memory?)'],
  [
    { schedule: { timezone: 'Europe/Berln' } },
    'schedule.timezone: there is no time zone "Europe/Berln" (did you mean Europe/Berlin?)',
  ],
  [
    { databases: [{ alias: 'a', url: 'shop.db' }] },
    /^databases\[0\]\.url: a database is named by a URL; supported are sqlite:/,
  ],
  [
    { databases: [{ alias: 'a', url: 'mongodb://u:canary@h/d' }] },
    /^databases\[0\]\.url: databases of the kind "mongodb" are not supported; supported are [^@]+@host\/database, [^@]+@host\/database$/,
  ],
  [
    { databases: [1, 2].map(() => ({ alias: 'a', url: 'sqlite:x' })) },
    'databases[1].alias: a is the alias of another database',
  ],
];

test('a mistake is named with its path, and a misspelt name with the nearest one', () => {
  for (const [value, message] of mistakes) {
    assert.throws(
      () => parse(value),
      (error: HoldfastError) => {
        assert.equal(error.code, 'config.invalid');
        if (typeof message === 'string') assert.equal(error.message, `${file}: ${message}`);
        else assert.match(error.message.slice(`${file}: `.length), message);
        return true;
      },
    );
  }
});

test('one storage or several by name, with settings, variables and objects', () => {
  const near = { backend: 'local', path: '/mnt/${DISK}' };
  const own = new MemoryStorage();
  const settings = { enabled: false, copies: 1, throttle: { writeBytesPerSecond: 1000 }, readOnly: true, retry: false };
  const config = parse({ storage: { near: { ...near, ...settings }, own } }, { DISK: 'a' });
  const [first, second] = configuredStorages(config);
  assert.deepEqual(first, {
    name: 'near',
    given: { ...near, path: '/mnt/a', ...settings },
    enabled: false,
    copies: 1,
    parityBlocks: undefined,
  });
  assert.equal(second?.given, own);
  assert.deepEqual(
    chooseStorages(config, undefined).map(({ name }) => name),
    ['own'],
  );
  assert.deepEqual(
    chooseStorages(config, ['near', 'near']).map(({ name }) => name),
    ['near'],
  );
  assert.throws(() => chooseStorages(config, ['nera']), { code: 'usage.invalid', hint: 'did you mean near?' });
  const names = (value: unknown) => configuredStorages(parse(value)).map(({ name }) => name);
  assert.deepEqual(names({}), ['local']);
  assert.deepEqual(names({ storage: { backend: 'local', path: 'x' } }), ['local']);
  assert.deepEqual(names({ storage: own }), ['memory']);
  const off = parse({ storage: { backend: 'local', path: 'x', enabled: false } });
  assert.throws(() => chooseStorages(off, undefined), { code: 'config.invalid' });
});

test('the message counts further mistakes, and the context lists all', () => {
  assert.throws(
    () => parse({ copies: 0, colour: 'red' }),
    (error: HoldfastError) => {
      assert.match(error.message, /copies: .* \(and 1 more\)$/);
      assert.equal((error.context['problems'] as unknown[]).length, 2);
      return true;
    },
  );
});

test('variables are put into strings, and only what is written as a variable', () => {
  const environment = { SHOP_DB: '/srv/$1/${OTHER}', EMPTY: '' };
  const url = (text: string) => parse({ databases: [{ alias: 'a', url: text }] }, environment).databases?.[0]?.url;
  assert.equal(url('sqlite:${SHOP_DB}'), 'sqlite:/srv/$1/${OTHER}');
  assert.equal(url('sqlite:${EMPTY}x'), 'sqlite:x');
  assert.equal(url('sqlite:$${SHOP_DB}$SHOP_DB'), 'sqlite:${SHOP_DB}$SHOP_DB');
});

test('a variable that is not set is named, with the place that uses it', () => {
  assert.throws(
    () => parse({ databases: [{ alias: 'a', url: 'sqlite:${SHOP_DB}' }] }),
    (error: HoldfastError) => {
      assert.equal(error.code, 'config.invalid');
      assert.equal(
        error.message,
        `${file}: databases[0].url: the variable SHOP_DB is not set: set $SHOP_DB, or change databases[0].url`,
      );
      return true;
    },
  );
});

test('a problem shows variables as they are written, not what is in them', () => {
  const problemsOf = (value: object) => {
    const read = readConfig(value, { KEY: 'canary', LONG: 'canary-and-more', ONE: '1' });
    return 'problems' in read ? read.problems.map(({ path, message }) => `${path}: ${message}`) : [];
  };
  const there = '(there are database, timestamp, env)';
  assert.deepEqual(problemsOf({ filenameTemplate: '{database}{timestamp}{a${LONG}${KEY}${ONE}}' }), [
    `filenameTemplate: there is no placeholder {a\${LONG}\${KEY}1} ${there}`,
  ]);
  const databases = ['${KEY}', '${KEY}'].map((alias) => ({ alias, url: 'sqlite:a.db' }));
  assert.deepEqual(problemsOf({ databases }), ['databases[1].alias: ${KEY} is the alias of another database']);
  // What another setting says is its own.
  assert.deepEqual(problemsOf({ environment: '${KEY}', filenameTemplate: '{database}{timestamp}{canary}' }), [
    `filenameTemplate: there is no placeholder {canary} ${there}`,
  ]);
});

test('a queue and a history are in one place, which is said without its password', () => {
  const problems = (value: object) => {
    const read = readConfig(value, {});
    return 'problems' in read ? read.problems.map(({ path, message }) => `${path}: ${message}`) : [];
  };
  const url = 'postgres://a:canary@db/history';
  const queue = { backend: 'bullmq', url: 'redis://:canary@queue' };
  assert.deepEqual(problems({ queue: 'memory', history: { path: 'runs.db' } }), []);
  assert.deepEqual(problems({ queue: { ...queue, prefix: 'shop' }, history: { url, schema: 'shop' } }), []);
  assert.deepEqual(problems({ schedule: { queue: 'nightly' } }), []);
  for (const mistake of [
    { history: { url, path: 'runs.db' } },
    { history: { schema: 'shop' } },
    { history: { url: 'mysql://a:canary@db/history' } },
    { queue: { ...queue, url: 'http://:canary@queue' } },
    { queue: { ...queue, stalledAfterMs: 999 } },
    { queue: { ...queue, prefix: 'a:b' } },
    { queue: 'redis' },
    { schedule: { queue: 'a:b' } },
  ]) {
    const told = problems(mistake);
    assert.equal(told.length, 1, JSON.stringify(mistake));
    assert.ok(!told.join().includes('canary'), told.join());
  }
});
