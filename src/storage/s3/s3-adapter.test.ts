import assert from 'node:assert/strict';
import { test } from 'node:test';
import { s3Adapter } from './s3-adapter.ts';
import { s3PresetNames, s3Presets } from './s3-presets.ts';

const base = { backend: 's3', bucket: 'backups' } as const;
const keys = { accessKey: 'KEY', secretKey: 'canary-of-a-secret' };

async function open(input: object) {
  const storage = await s3Adapter.open(s3Adapter.schema.parse({ ...base, ...input }), { folder: '/' });
  const { properties } = storage;
  await storage.close();
  return properties;
}

test('plain HTTP to another host is warned about, to this one it is not', async () => {
  for (const endpointUrl of ['http://127.0.0.1:9000', 'http://localhost', 'http://[::1]:1', 'https://s3.example.org']) {
    assert.deepEqual((await open({ endpointUrl })).warnings, [], endpointUrl);
  }
  for (const input of [{ endpointUrl: 'http://10.0.0.7:9000' }, { host: 's3.example.org', useSsl: false }]) {
    assert.match((await open(input)).warnings.join(), /in clear/);
  }
  assert.deepEqual((await open({ host: 's3.example.org' })).warnings, []);
});

test('every preset has a reason, and opens with what it lacks', async () => {
  for (const preset of s3PresetNames) {
    assert.ok(s3Presets[preset].reason.length > 20);
    const lacking = {
      r2: { endpointUrl: 'https://account.example.org' },
      minio: { host: 'minio.example.org' },
      b2: { region: 'us-west-004' },
    };
    const { place } = await open({ preset, ...keys, ...(lacking as Record<string, object>)[preset] });
    assert.match(place, /^backups at /);
  }
  assert.match((await open({ preset: 'spaces-ams3' })).place, /ams3\.digitaloceanspaces\.com/);
  assert.match((await open({ preset: 'b2', region: 'us-west-004' })).place, /us-west-004/);
  assert.match(
    (await open({ region: 'eu-central-1', prefix: '/shop//daily/' })).place,
    /^backups\/shop\/daily\/ at Amazon S3/,
  );
});

test('settings that contradict each other, or lack something, are refused', async () => {
  const refused: readonly (readonly [object, RegExp])[] = [
    [{ accessKey: 'KEY' }, /belong together/],
    [{ host: 'a.example.org', endpointUrl: 'https://b.example.org' }, /say the same/],
    [{ useSsl: false }, /needs a host/],
    [{ preset: 'r2' }, /endpoint is missing/],
    [{ preset: 'b2' }, /region is missing/],
    [{ preset: 'minio' }, /knows no server/],
    [{ endpointUrl: 'https://user:word@s3.example.org' }, /user or a password/],
    [{ prefix: 'a/../b' }, /prefix/],
  ];
  for (const [input, message] of refused) {
    await assert.rejects(open(input), { code: 'config.invalid', message });
  }
  for (const input of [
    { storageClass: 'DEEP_ARCHIVE' },
    { encryption: 'SSE-X' },
    { objectLock: { mode: 'GOVERNANCE', days: 0 } },
    { endpointUrl: 'ftp://x' },
    { bucket: 'a' },
    { unknown: 1 },
  ]) {
    assert.equal(s3Adapter.schema.safeParse({ ...base, ...input }).success, false, JSON.stringify(input));
  }
});
