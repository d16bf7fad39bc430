/** Backups in the place of a media storage, or where everybody can read, are refused with the reason. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { LocalStorage } from '../storage/local/local-storage.ts';
import { MemoryStorage } from '../storage/memory/memory-storage.ts';
import { readConfig } from './parse-config.ts';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-misplaced-'));
after(() => rmSync(folder, { recursive: true, force: true }));
mkdirSync(join(folder, 'media'));
symlinkSync('media', join(folder, 'link'));

function problems(config: object, variables: Record<string, string> = {}): string[] {
  const read = readConfig(config, variables, folder);
  return 'problems' in read ? read.problems.map(({ path, message }) => `${path}: ${message}`) : [];
}

const s3 = (settings: object) => ({ backend: 's3', bucket: 'shop', region: 'eu-central-1', ...settings });
const local = (path: string) => ({ backend: 'local', path });

/** Media storage, backup storage, and whether the two go together. */
const pairs: readonly (readonly [object, object, RegExp | undefined])[] = [
  [s3({}), s3({}), /lies in the place of the media storage uploads/],
  [s3({ prefix: 'media' }), s3({ prefix: 'media/backups/' }), /lies in the place/],
  [s3({ prefix: '/media/' }), s3({ prefix: 'media' }), /lies in the place/],
  [s3({ prefix: 'media' }), s3({ prefix: '' }), /the media storage uploads lies in it/],
  [s3({ prefix: 'media' }), s3({}), undefined],
  [s3({ prefix: 'media' }), s3({ prefix: 'media-backups' }), undefined],
  [s3({ prefix: 'media' }), s3({ bucket: 'other', prefix: 'media' }), undefined],
  [s3({ region: 'eu-west-1' }), s3({ endpointUrl: 'https://s3.eu-west-1.amazonaws.com' }), /lies in the place/],
  [s3({ preset: 'spaces-ams3' }), s3({ endpointUrl: 'https://ams3.digitaloceanspaces.com' }), /lies in the place/],
  [s3({ preset: 'spaces-ams3' }), s3({ preset: 'spaces-fra1' }), undefined],
  [
    s3({ prefix: 'media', makeFilesPublic: true, customDomain: 'cdn.example.org' }),
    s3({ prefix: 'backups' }),
    /which is public: the domain in front of it shows all of the bucket/,
  ],
  [s3({ prefix: 'media', customDomain: 'cdn.example.org' }), s3({ prefix: 'backups' }), /which is public/],
  [s3({ makeFilesPublic: true, customDomain: 'cdn.example.org' }), s3({ prefix: 'b' }), /everybody can read there/],
  [s3({ makeFilesPublic: true, customDomain: 'cdn.example.org' }), s3({ bucket: 'other' }), undefined],
  [local('media'), local('media'), /lies in the place/],
  [local('media'), local('link/backups'), /lies in the place/],
  [local('media'), local(join(folder, 'media', 'not', 'there', 'yet')), /lies in the place/],
  [local('media'), local('.'), /lies in it/],
  [local('media'), local('media-backups'), undefined],
  [local('media'), s3({ prefix: 'media' }), undefined],
  [
    { backend: 'sftp', host: 'NAS', user: 'a', agent: '/socket', rootPath: '/srv' },
    { backend: 'sftp', host: 'nas', user: 'b', agent: '/socket', rootPath: '/srv/backups' },
    /lies in the place/,
  ],
  [
    { backend: 'ftp', url: 'ftp://u:p@nas/media' },
    { backend: 'ftp', host: 'nas', username: 'u', password: 'p', rootPath: 'media/b' },
    /lies in the place/,
  ],
  [
    { backend: 'webdav', url: 'https://nas/dav/media' },
    { backend: 'webdav', url: 'https://nas/dav', rootPath: 'media/b' },
    /lies in the place/,
  ],
  [
    { backend: 'gcs', bucket: 'shop', prefix: 'media', customDomain: 'cdn.example.org' },
    { backend: 'gcs', bucket: 'shop', prefix: 'backups' },
    /which is public/,
  ],
  [
    { backend: 'azure', account: 'shop', key: 'k', container: 'media' },
    { backend: 'azure', sasUrl: 'https://shop.blob.core.windows.net/media?sig=x' },
    /lies in the place/,
  ],
];

for (const [index, [media, backup, expected]] of pairs.entries()) {
  test(`pair ${index + 1}: ${expected === undefined ? 'goes together' : expected.source}`, () => {
    const several = problems({ media: { uploads: media }, storage: { offsite: backup, spare: local('spare') } });
    const alone = problems({ media: { uploads: media }, storage: backup });
    if (expected === undefined) {
      assert.deepEqual([several, alone], [[], []]);
      return;
    }
    for (const [found, path] of [
      [several, 'storage.offsite: '],
      [alone, 'storage: '],
    ] as const) {
      assert.equal(found.length, 1);
      assert.match(found[0] ?? '', expected);
      assert.ok(found[0]?.startsWith(path));
    }
  });
}

test('the folder that is used where none is set is looked at too, and objects that are storages', () => {
  assert.match(problems({ media: { uploads: local('backups') } })[0] ?? '', /^storage: it lies in the place/);
  const root = new LocalStorage({ root: join(folder, 'media') });
  assert.match(problems({ media: { uploads: root }, storage: local('link') })[0] ?? '', /lies in the place/);
  const memory = new MemoryStorage();
  assert.match(
    problems({ media: { uploads: memory }, storage: memory })[0] ?? '',
    /is the media storage uploads itself/,
  );
  assert.deepEqual(problems({ media: { uploads: memory }, storage: new MemoryStorage() }), []);
});

test('what the environment says is looked at as well', () => {
  const variables = {
    STORAGES_MODE: 'do',
    STORAGE_BUCKET_NAME: 'shop',
    STORAGE_MAKE_FILES_PUBLIC: 'true',
    AWS_S3_CUSTOM_DOMAIN: 'cdn.example.org',
    AWS_ACCESS_KEY_ID: 'key',
    AWS_SECRET_ACCESS_KEY: 'secret',
  };
  const config = {
    media: { uploads: { fromEnvironment: true } },
    storage: s3({ preset: 'spaces-ams3', prefix: 'backups', region: undefined }),
  };
  assert.match(problems(config, variables)[0] ?? '', /everybody can read there/);
  assert.match(problems(config, { ...variables, STORAGE_MAKE_FILES_PUBLIC: 'no' })[0] ?? '', /lies in the place/);
  assert.deepEqual(problems(config, { ...variables, DO_REGION: 'fra1' }), []);
  const { STORAGE_BUCKET_NAME: _, AWS_SECRET_ACCESS_KEY: _secret, ...lacking } = variables;
  assert.deepEqual(problems(config, lacking), [
    'media.uploads: STORAGE_BUCKET_NAME is not set: it names the bucket',
    'media.uploads: AWS_SECRET_ACCESS_KEY is not set: Spaces needs it',
  ]);
});

test('a storage of backups has no public ACL', () => {
  const [problem] = problems({ storage: s3({ defaultAcl: 'public-read' }) });
  assert.match(problem ?? '', /^storage.defaultAcl: would let anybody read what is kept here, and is refused/);
});

test('mistakes in the settings of a media storage have their place and an advice', () => {
  const check = (media: unknown) => problems({ media: { uploads: media } });
  assert.match(check(s3({ makeFilesPublic: true }))[0] ?? '', /^media.uploads.customDomain: is missing/);
  assert.match(
    check(s3({ customDomain: 'https://cdn.example' }))[0] ?? '',
    /^media.uploads.customDomain: must be a domain/,
  );
  assert.match(check(s3({ makeFilePublic: true }))[0] ?? '', /did you mean makeFilesPublic\?/);
  assert.match(check(s3({ copies: 2 }))[0] ?? '', /^media.uploads.copies: is for archives/);
  assert.match(check(s3({ urlExpiresSeconds: 604_801 }))[0] ?? '', /^media.uploads.urlExpiresSeconds: /);
  assert.match(check({ backend: 's4' })[0] ?? '', /did you mean s3\?/);
  assert.match(check({ fromEnvironment: true, bucket: 'b' })[0] ?? '', /^media.uploads.bucket: beside fromEnvironment/);
  assert.match(check({ fromEnvironment: false })[0] ?? '', /^media.uploads.fromEnvironment: must be true/);
  assert.match(check('uploads')[0] ?? '', /^media.uploads: must be the settings/);
  assert.match(problems({ media: { 'a b': local('x') } })[0] ?? '', /^media.a b: a name has letters/);
  assert.match(problems({ media: ['x'] })[0] ?? '', /^media: must be media storages by name/);
});
