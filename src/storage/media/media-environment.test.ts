import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mediaStorageFromEnvironment } from '../../config/open-media-storage.ts';
import { HoldfastError } from '../../errors.ts';
import { mediaSettingsFromEnvironment, readMediaEnvironment } from './media-environment.ts';

const keys = { AWS_ACCESS_KEY_ID: 'key', AWS_SECRET_ACCESS_KEY: 'the secret' };

test('a bucket of Amazon with what its SDK finds is all that the name alone means', () => {
  assert.deepEqual(mediaSettingsFromEnvironment({ STORAGE_BUCKET_NAME: 'media' }), { backend: 's3', bucket: 'media' });
  assert.deepEqual(mediaSettingsFromEnvironment({ STORAGE_BUCKET_NAME: 'media', AWS_REGION: 'eu-west-1', ...keys }), {
    backend: 's3',
    bucket: 'media',
    region: 'eu-west-1',
    accessKey: 'key',
    secretKey: 'the secret',
  });
});

test('Spaces in Amsterdam unless another region is set; the region of Amazon does not matter there', () => {
  const spaces = { STORAGES_MODE: 'do', STORAGE_BUCKET_NAME: 'media', AWS_REGION: 'eu-west-1', ...keys };
  const { endpointUrl, region } = mediaSettingsFromEnvironment(spaces);
  assert.deepEqual([endpointUrl, region], ['https://ams3.digitaloceanspaces.com', 'us-east-1']);
  const other = mediaSettingsFromEnvironment({ ...spaces, DO_REGION: 'blr1' });
  assert.equal(other.endpointUrl, 'https://blr1.digitaloceanspaces.com');
});

test('public files have their domain; of others it is passed over', () => {
  const bucket = { STORAGE_BUCKET_NAME: 'media', AWS_S3_CUSTOM_DOMAIN: 'cdn.example.org' };
  for (const yes of ['true', 'True', '1', 'yes', 'on']) {
    const settings = mediaSettingsFromEnvironment({ ...bucket, STORAGE_MAKE_FILES_PUBLIC: yes });
    assert.deepEqual([settings.makeFilesPublic, settings.customDomain], [true, 'cdn.example.org']);
  }
  for (const no of ['false', 'FALSE', '0', 'no', 'off', '', undefined]) {
    const settings = mediaSettingsFromEnvironment({ ...bucket, STORAGE_MAKE_FILES_PUBLIC: no });
    assert.deepEqual(settings, { backend: 's3', bucket: 'media' });
  }
});

test('every variable that is wrong is told at once, by its name, and no secret', () => {
  const read = readMediaEnvironment({
    STORAGES_MODE: 'gcs',
    STORAGE_MAKE_FILES_PUBLIC: 'maybe',
    AWS_SECRET_ACCESS_KEY: 'the secret',
  });
  assert.ok('problems' in read);
  assert.deepEqual(
    read.problems.map(({ variable }) => variable),
    ['STORAGES_MODE', 'STORAGE_BUCKET_NAME', 'STORAGE_MAKE_FILES_PUBLIC', 'AWS_ACCESS_KEY_ID'],
  );
  assert.throws(
    () =>
      mediaSettingsFromEnvironment({
        STORAGES_MODE: 'do',
        DO_REGION: 'evil.example/',
        STORAGE_MAKE_FILES_PUBLIC: 'true',
      }),
    (error) => {
      assert.ok(error instanceof HoldfastError && error.code === 'config.invalid');
      for (const name of [
        'STORAGE_BUCKET_NAME',
        'AWS_S3_CUSTOM_DOMAIN',
        'DO_REGION',
        'AWS_ACCESS_KEY_ID',
        'AWS_SECRET_ACCESS_KEY',
      ]) {
        assert.match(error.message, new RegExp(name));
      }
      return true;
    },
  );
  const url = {
    STORAGE_BUCKET_NAME: 'b',
    STORAGE_MAKE_FILES_PUBLIC: 'true',
    AWS_S3_CUSTOM_DOMAIN: 'https://cdn.example',
  };
  assert.throws(() => mediaSettingsFromEnvironment(url), /AWS_S3_CUSTOM_DOMAIN must be a domain/);
});

test('what the environment describes is opened without a request, and makes URLs', async () => {
  const environment = { STORAGES_MODE: 'do', STORAGE_BUCKET_NAME: 'media', ...keys };
  await using closed = await mediaStorageFromEnvironment(environment);
  const url = new URL(await closed.url('a b.png', { expiresSeconds: 60 }));
  assert.equal(url.origin + url.pathname, 'https://media.ams3.digitaloceanspaces.com/a%20b.png');
  assert.equal(url.searchParams.get('X-Amz-Expires'), '60');
  assert.ok(!url.href.includes('secret'));
  await using open = await mediaStorageFromEnvironment({
    ...environment,
    STORAGE_MAKE_FILES_PUBLIC: 'true',
    AWS_S3_CUSTOM_DOMAIN: 'cdn.example.org',
  });
  assert.equal(await open.url('a b.png'), 'https://cdn.example.org/a%20b.png');
  assert.equal(open.isPublic, true);
});
