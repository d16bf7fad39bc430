import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LoadedConfig } from '../../config/load-config.ts';
import type { History } from '../../history/history.ts';
import { systemRandom } from '../../random.ts';
import { Secret } from '../../secret.ts';
import { FactorSeal } from './factor-seal.ts';
import { factorKeyPath, openFactorSeal } from './factor-secrets.ts';

const secrets = ['a', 'b'].map((letter) => new Secret(letter.repeat(32)));
const [first, second] = secrets as [Secret, Secret];
const factor = 'JBSWY3DPEHPK3PXP';
const sealOf = (...keys: Secret[]) => new FactorSeal(keys, systemRandom);

test('what is sealed opens with the same secret, for the same user', () => {
  const sealed = sealOf(first).seal('anna', factor);
  assert.match(sealed, /^sealed1:[0-9a-f]{8}:[A-Za-z0-9+/]+=*$/);
  assert.equal(sealed.includes(factor), false);
  assert.notEqual(sealOf(first).seal('anna', factor), sealed, 'never twice alike');
  assert.equal(sealOf(first).open('anna', sealed), factor);
  assert.throws(() => sealOf(first).open('bert', sealed), {
    code: 'access.factor_locked',
    message: /bert was changed/,
  });
  const [head = '', id = '', text = ''] = sealed.split(':');
  const bytes = Buffer.from(text, 'base64');
  for (const at of [0, 12, bytes.length - 1]) {
    const changed = Buffer.from(bytes);
    changed[at] = (changed[at] ?? 0) ^ 1;
    const row = `${head}:${id}:${changed.toString('base64')}`;
    assert.throws(() => sealOf(first).open('anna', row), { code: 'access.factor_locked' }, `byte ${at}`);
  }
  for (const row of [`${head}:${id}:`, `${head}:${id}`, `${head}:${id}:AAAA`]) {
    assert.throws(() => sealOf(first).open('anna', row), { code: 'access.factor_locked' }, row);
  }
});

test('a secret takes the place of another while both are known', () => {
  const old = sealOf(first).seal('anna', factor);
  const both = sealOf(second, first);
  assert.equal(both.open('anna', old), factor);
  assert.deepEqual([both.isCurrent(old), both.isCurrent(both.seal('anna', factor))], [false, true]);
  assert.throws(() => sealOf(second).open('anna', old), { code: 'access.factor_locked', message: /is not here/ });
});

test('without a secret nothing is sealed, and what was never sealed is read', () => {
  assert.throws(() => sealOf().seal('anna', factor), { code: 'access.factor_locked', hint: /web\.secret/ });
  assert.equal(sealOf().open('anna', factor), factor);
  assert.equal(sealOf(first).isCurrent(factor), false);
});

test('a history that machines share has no key file: the configuration has to say the secret', async () => {
  const config = { history: { url: 'postgres://holdfast@db.internal/holdfast' } };
  const loaded = { file: '/srv/holdfast.config.ts', config, environment: {} } as unknown as LoadedConfig;
  assert.equal(factorKeyPath(loaded), undefined);
  const history = {} as Pick<History, 'database'>;
  const open = async (given: LoadedConfig) =>
    await openFactorSeal({ loaded: given, history, random: systemRandom, log: () => undefined });
  const without = await open(loaded);
  assert.throws(() => without.seal('anna', factor), { code: 'access.factor_locked', hint: /set web\.secret/ });
  const secret = 's'.repeat(32);
  const one = await open({ ...loaded, config: { ...config, web: { secret } } } as LoadedConfig);
  const other = await open({
    ...loaded,
    config: { ...config, web: { secret: [secret, 'x'.repeat(32)] } },
  } as LoadedConfig);
  assert.equal(other.open('anna', one.seal('anna', factor)), factor, 'another machine with the same secret');
});
