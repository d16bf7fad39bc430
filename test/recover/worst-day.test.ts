/** Every command of the guide for the worst day, run as it stands there: real servers, the recovery script, no Holdfast. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { createBackup, FilesSource, Secret, SqliteSource, sourceFromUrl } from '../../src/index.ts';
import { compareMariadb } from '../databases/compare-mariadb.ts';
import { comparePostgres } from '../databases/compare-postgres.ts';
import { connectPostgres } from '../databases/connect-postgres.ts';
import { makeMariadb } from '../databases/make-mariadb.ts';
import { makePostgres } from '../databases/make-postgres.ts';
import { makeDatabase, makeWorkspace } from '../end-to-end/workspace.ts';
import { makeBucket, plainClient } from '../s3/open-bucket.ts';
import { findProgram, requireProgram } from '../services/find-program.ts';
import { leftOut, type ServiceName } from '../services/service-packages.ts';
import { type MariadbService, startMariadb } from '../services/start-mariadb.ts';
import { type PostgresService, startPostgres } from '../services/start-postgres.ts';
import { startRgw } from '../services/start-rgw.ts';

const run = promisify(execFile);
const guide = readFileSync(join(import.meta.dirname, '../../docs/guides/worst-day.md'), 'utf8');
const script = join(import.meta.dirname, '../../recover/holdfast-recover.mjs');
const workspace = makeWorkspace('worst-day');
const archive = 'shop_20260101_023000_production.holdfast';
const keys = { passphrases: [new Secret('five words that you choose')] };
const uploads = join(workspace, 'uploads');

const blocks = new Map(
  [...guide.matchAll(/^```sh (\S+)\n(.*?)^```$/gms)].map(([, name = '', text = '']) => [name, text]),
);
const used = new Set<string>();

/** Runs commands of the guide in a folder of their own, where the archive and the script are. Gives what they write. */
async function follow(folder: string, names: readonly string[], environment: Record<string, string> = {}) {
  const text = names.map((name) => {
    used.add(name);
    const block = blocks.get(name);
    assert.ok(block !== undefined, `the guide has no commands ${name}`);
    return `(\n${block})`;
  });
  const path = [dirname(process.execPath), process.env['PATH']].join(':');
  const env = { PATH: path, HOME: folder, archive, LANG: 'C.UTF-8', ...environment };
  const options = { cwd: folder, env, maxBuffer: 64 << 20 } as const;
  return (await run(requireProgram('bash'), ['--norc', '-euo', 'pipefail', '-c', text.join('\n')], options)).stdout;
}

/** What is left on the worst day: an archive and the script. */
function newFolder(from?: string): string {
  const folder = mkdtempSync(join(workspace, 'day-'));
  copyFileSync(script, join(folder, 'holdfast-recover.mjs'));
  if (from !== undefined) copyFileSync(from, join(folder, archive));
  return folder;
}

before(() => {
  mkdirSync(uploads);
  copyFileSync(script, join(uploads, 'a.txt'));
  makeDatabase(join(workspace, 'shop.db'), 50);
});

after(() => {
  // Those of servers that this machine lacks were told of.
  const missing = ['postgres', 'mariadb', 'curl', 'rclone', 'rgw16'].filter(
    (name) => leftOut(name as ServiceName) !== false,
  );
  const unused = [...blocks.keys()].filter((name) => !used.has(name) && name !== 'aws');
  if (missing.length === 0) assert.deepEqual(unused, []);
});

test('SQLite and files come out with a passphrase, and with an identity', async () => {
  const { generateIdentity, identityToRecipient } = await import('age-encryption');
  const identity = await generateIdentity();
  const output = join(workspace, 'sqlite.holdfast');
  const sources = [
    new SqliteSource({ path: join(workspace, 'shop.db') }),
    new FilesSource({ path: uploads, name: 'uploads' }),
  ];
  const recipients = [await identityToRecipient(identity)];
  await createBackup({ threads: 1, sources, output, keys: { ...keys, recipients } });
  const rowsIn = (path: string) => {
    using database = new DatabaseSync(path, { readOnly: true });
    const [table] = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1").all();
    return database.prepare(`SELECT * FROM "${table?.['name']}" ORDER BY 1`).all();
  };
  for (const name of ['passphrase', 'identity']) {
    const folder = newFolder(output);
    writeFileSync(join(folder, 'identity.txt'), `${identity}\n`);
    await follow(folder, [name]);
    assert.match(await follow(folder, ['sqlite']), /integrity_check: 'ok'/);
    assert.deepEqual(rowsIn(join(folder, 'shop.db')), rowsIn(join(workspace, 'shop.db')));
    assert.deepEqual(readFileSync(join(folder, 'out/files/uploads/a.txt')), readFileSync(script));
  }
});

test('PostgreSQL with every type and object is loaded by psql', { skip: leftOut('postgres') }, async () => {
  const server: PostgresService = await startPostgres();
  try {
    await makePostgres(await server.createDatabase('app'));
    const output = join(workspace, 'postgres.holdfast');
    await createBackup({ threads: 1, sources: [await sourceFromUrl(server.urlOf('app'))], output, keys });
    const client = await connectPostgres(server.urlOf('postgres'));
    await client.query('ALTER DATABASE app RENAME TO before');
    await client.end();
    const folder = newFolder(output);
    const shown = await follow(folder, ['passphrase', 'postgres-roles', 'postgres'], {
      PATH: [dirname(process.execPath), server.programFolder, process.env['PATH']].join(':'),
      PGHOST: server.host,
      PGPORT: String(server.port),
      PGUSER: server.user,
      ...(server.password === undefined ? {} : { PGPASSWORD: server.password }),
    });
    const differences = await comparePostgres(server.urlOf('before'), server.urlOf('app'));
    // Two names hold the end of a line, which psql has no words for: the script says so.
    assert.match(shown, /^passed .*two%0Alines/m);
    assert.deepEqual(
      differences.filter((difference) => !/^rows of (?:"Sch\.ema |public\."two\n)/.test(difference)),
      [],
    );
    assert.equal(differences.length, 2);
  } finally {
    await server.stop();
  }
});

test('MariaDB with every type and object is loaded by its client', { skip: leftOut('mariadb') }, async () => {
  const [server, other]: MariadbService[] = await Promise.all([startMariadb(), startMariadb()]);
  assert.ok(server && other);
  try {
    const url = await server.createDatabase('shop');
    await makeMariadb(url, { blobSizeBytes: 100_000 });
    const output = join(workspace, 'mariadb.holdfast');
    await createBackup({ threads: 1, sources: [await sourceFromUrl(url)], output, keys });
    const folder = newFolder(output);
    writeFileSync(join(folder, '.my.cnf'), `[client]\nsocket=${other.socketPath}\nuser=root\n`);
    const shown = await follow(folder, ['passphrase', 'mariadb']);
    assert.match(shown, /\n(\d+)\n\1\n$/);
    const differences = await compareMariadb(url, other.urlOf('shop'));
    // The guide says so.
    assert.deepEqual(
      differences.filter((difference) => !difference.startsWith('order of trigger ')),
      [],
    );
    assert.equal(differences.length, 2);
  } finally {
    await Promise.all([server.stop(), other.stop()]);
  }
});

const hasS3 = leftOut('rgw16') || leftOut('rclone') || leftOut('curl');

test('an archive comes from S3 by aws, rclone and curl', { skip: hasS3 }, async (t) => {
  const server = await startRgw();
  try {
    const client = plainClient(server);
    const bucket = await makeBucket(client);
    const body = readFileSync(script);
    await client.send(new PutObjectCommand({ Bucket: bucket, Key: archive, Body: body }));
    client.destroy();
    const environment = {
      AWS_ACCESS_KEY_ID: server.accessKey,
      AWS_SECRET_ACCESS_KEY: server.secretKey,
      endpoint: server.url,
      region: 'us-east-1',
      bucket,
    };
    for (const program of ['aws', 'rclone', 'curl']) {
      if (findProgram(program) === undefined) {
        // Its package is a hundred megabytes: it is tried where it is.
        t.diagnostic(`${program} is not here, and was not tried`);
        continue;
      }
      const folder = newFolder();
      const shown = await follow(folder, [program], environment);
      if (program !== 'curl') assert.match(shown, new RegExp(archive), program);
      assert.deepEqual(readFileSync(join(folder, archive)), body, program);
    }
  } finally {
    await server.stop();
  }
});
