/** Plain dumps, with the real `gpg` and compressors both ways. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  checkPlainBackup,
  createPlainBackup,
  HoldfastError,
  MemoryStorage,
  plainSourceFromUrl,
  restorePlainBackup,
  Secret,
  type Source,
} from '../../src/index.ts';
import { isPlainDump } from '../../src/operation/plain-restore.ts';
import { FaultyStorage } from '../../src/testing/index.ts';
import { dumpDatabase, emptyFolder, entriesSource, makeDatabase, makeWorkspace } from '../end-to-end/workspace.ts';
import { leaveOutWithout } from '../services/service-packages.ts';
import { Gpg } from './gpg.ts';

leaveOutWithout('gnupg');

const workspace = makeWorkspace('plain');
const database = join(workspace, 'shop.db');
const passphrase = 'correct horse battery staple';
const keys = { passphrases: [new Secret(passphrase)] };
let gpg: Gpg;

before(() => {
  makeDatabase(database, 500);
  gpg = new Gpg();
});
after(() => gpg.close());

const shop = () => plainSourceFromUrl(`sqlite:${database}`);
const extensions = { gzip: '.gz', bz2: '.bz2', xz: '.xz', zstd: '.zst', none: '' } as const;
const tools = { gzip: 'gzip', bz2: 'bzip2', xz: 'xz', zstd: 'zstd' } as const;

function expand(codec: keyof typeof extensions, bytes: Buffer): Buffer {
  return codec === 'none' ? bytes : execFileSync(tools[codec], ['-d', '-c'], { input: bytes, maxBuffer: 64 << 20 });
}

function pack(codec: keyof typeof extensions, bytes: Buffer): Buffer {
  return codec === 'none' ? bytes : execFileSync(tools[codec], ['-c'], { input: bytes, maxBuffer: 64 << 20 });
}

async function namesIn(storage: MemoryStorage): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of storage.list()) names.push(name);
  return names;
}

function decrypt(path: string, secret = passphrase): Buffer {
  return gpg.run(['--passphrase', secret, '--decrypt', path]);
}

function refuses(code: string, text = '') {
  return (error: unknown) => {
    assert.ok(error instanceof HoldfastError, String(error));
    assert.equal(error.code, code, error.message);
    assert.ok(error.message.includes(text), error.message);
    assert.ok(!`${error.message}${error.hint}`.includes(passphrase), 'a secret is shown');
    return true;
  };
}

async function restored(
  archive: string,
  name: string,
  openKeys: Parameters<typeof restorePlainBackup>[0]['keys'] = keys,
) {
  const copy = join(workspace, name);
  await restorePlainBackup({ archive, keys: openKeys, to: `sqlite:${copy}`, overwrite: true, keepUndo: false });
  return dumpDatabase(copy);
}

describe('what is written', () => {
  for (const compression of ['gzip', 'bz2', 'xz', 'zstd', 'none'] as const) {
    it(`${compression}: the standard tools open it, and it is restored`, async () => {
      const output = join(workspace, `shop.sqlite${extensions[compression]}.gpg`);
      const report = await createPlainBackup({ source: await shop(), output, keys, compression });
      assert.equal(report.verified, 'contents');
      assert.equal(report.rowCount, 500);
      assert.equal(report.sizeBytes, statSync(output).size);
      const copy = join(workspace, `${compression}.db`);
      writeFileSync(copy, expand(compression, decrypt(output)));
      assert.deepEqual(dumpDatabase(copy), dumpDatabase(database));
      assert.deepEqual(await restored(output, `${compression}-2.db`), dumpDatabase(database));
      const found = await checkPlainBackup({ archive: output, keys });
      assert.equal(found.sha256, report.sha256);
      assert.equal(found.compression, compression);
    });
  }

  for (const algorithm of ['rsa', 'ed25519'] as const) {
    it(`to a public key of gpg (${algorithm}), without the secret one`, async () => {
      const id = gpg.makeKey(algorithm, algorithm, passphrase);
      const output = join(workspace, `${algorithm}.sqlite.gz.gpg`);
      const openpgpKeys = [gpg.run(['--export', id]), gpg.run(['--armor', '--export', id])].slice(0, 1);
      await createPlainBackup({ source: await shop(), output, keys: { openpgpKeys } });
      const copy = join(workspace, `${algorithm}.db`);
      writeFileSync(copy, expand('gzip', decrypt(output)));
      assert.deepEqual(dumpDatabase(copy), dumpDatabase(database));
      const secret = gpg.run(['--passphrase', passphrase, '--armor', '--export-secret-keys', id]);
      const openKeys = { openpgpKeys: [secret], passphrases: [new Secret(passphrase)] };
      assert.deepEqual(await restored(output, `${algorithm}-2.db`, openKeys), dumpDatabase(database));
      const wrong = { openpgpKeys: [secret], passphrases: [new Secret('wrong')] };
      await assert.rejects(checkPlainBackup({ archive: output, keys: wrong }), refuses('key.wrong'));
      await assert.rejects(checkPlainBackup({ archive: output, keys }), refuses('key.wrong', 'other keys'));
      await assert.rejects(checkPlainBackup({ archive: output }), refuses('key.missing'));
      // What gpg makes for the key.
      const made = join(workspace, 'by-gpg.sqlite.zst.gpg');
      writeFileSync(made, gpg.run(['--recipient', id, '--encrypt'], pack('zstd', readFileSync(database))));
      assert.deepEqual(await restored(made, `${algorithm}-3.db`, openKeys), dumpDatabase(database));
    });
  }

  it('that is interrupted leaves nothing, least of all in clear', async () => {
    const folder = await emptyFolder(workspace, 'interrupted');
    const controller = new AbortController();
    const source: Source = {
      ...entriesSource('shop', []),
      async *entries() {
        const open = async function* () {
          for (let count = 0; ; count += 1) {
            if (count === 3) controller.abort();
            yield new Uint8Array(1_000_000);
          }
        };
        yield { path: 'databases/shop', kind: 'table', expectedSizeBytes: 0, metadata: {}, open };
      },
    };
    const output = join(folder, 'shop.sql');
    const options = { encryption: 'none', compression: 'none', signal: controller.signal } as const;
    const making = createPlainBackup({ source, output, ...options });
    await assert.rejects(making, refuses('operation.interrupted'));
    assert.deepEqual(readdirSync(folder), []);
  });

  it('without encryption only where that is asked for', async () => {
    const output = join(workspace, 'clear.sqlite.gz');
    await assert.rejects(createPlainBackup({ source: await shop(), output }), refuses('key.missing'));
    await assert.rejects(
      createPlainBackup({ source: await shop(), output, keys, encryption: 'none' }),
      refuses('usage.invalid'),
    );
    assert.ok(!existsSync(output));
    await createPlainBackup({ source: await shop(), output, encryption: 'none' });
    const copy = join(workspace, 'clear.db');
    writeFileSync(copy, expand('gzip', readFileSync(output)));
    assert.deepEqual(dumpDatabase(copy), dumpDatabase(database));
  });

  it('a key that is none, or has no use, is refused before anything is read', async () => {
    const output = join(workspace, 'bad-key.sqlite.gz.gpg');
    const openpgpKeys = [Buffer.from('no key')];
    await assert.rejects(
      createPlainBackup({ source: await shop(), output, keys: { openpgpKeys } }),
      refuses('key.invalid'),
    );
    assert.ok(!existsSync(output));
  });
});

describe('what gpg wrote', () => {
  const forms = {
    'with a passphrase': ['--symmetric'],
    'in ASCII armor': ['--symmetric', '--armor'],
    'compressed by gpg itself': ['--symmetric', '--compress-algo', 'bzip2', '--force-mdc'],
    'with another cipher': ['--symmetric', '--cipher-algo', 'CAMELLIA256', '--s2k-digest-algo', 'SHA512'],
    'not compressed': ['--symmetric', '--compress-algo', 'none'],
  };
  for (const [name, args] of Object.entries(forms)) {
    it(`${name}: is restored`, async () => {
      const archive = join(workspace, `${name.replaceAll(' ', '-')}.gpg`);
      writeFileSync(archive, gpg.run(['--passphrase', passphrase, ...args], pack('gzip', readFileSync(database))));
      assert.equal(await isPlainDump(archive), true);
      if (name.includes('another cipher')) {
        // The library has the ciphers of RFC 9580 only; it says so.
        await assert.rejects(restored(archive, 'cipher.db'), refuses('key.wrong'));
        return;
      }
      assert.deepEqual(await restored(archive, 'by-gpg.db'), dumpDatabase(database));
      // A message without a check of its key: what a wrong one makes of it may look like a message that was changed.
      await assert.rejects(
        checkPlainBackup({ archive, keys: { passphrases: [new Secret('wrong')] } }),
        (error: unknown) => error instanceof HoldfastError && /^(key\.wrong|archive\.damaged)$/.test(error.code),
      );
    });
  }
});

it('what a wrong passphrase makes of a message may keep the library waiting for ever: it is told all the same', async () => {
  // Made by gpg; such a message is one of thirty.
  const archive = fileURLToPath(new URL('stalls.gpg', import.meta.url));
  const wrong = { passphrases: [new Secret('wrong')] };
  await assert.rejects(checkPlainBackup({ archive, keys: wrong }), refuses('key.wrong'));
  assert.equal(
    (await checkPlainBackup({ archive, keys: { passphrases: [new Secret('right')] } })).plainSizeBytes,
    20_000,
  );
});

describe('damage', () => {
  it('any byte changed, any cut: refused, and the target stays as it was', async () => {
    const whole = join(workspace, 'whole.sqlite.gz.gpg');
    await createPlainBackup({ source: await shop(), output: whole, keys });
    const bytes = readFileSync(whole);
    const target = join(workspace, 'target.db');
    makeDatabase(target, 3);
    const before = readFileSync(target);
    const bad = join(workspace, 'bad.sqlite.gz.gpg');
    const places = [60, 90, 200, bytes.length >> 1, bytes.length - 30, bytes.length - 1];
    const variants = [
      ...places.map((place) => Buffer.from(bytes).fill((bytes[place] ?? 0) ^ 0x40, place, place + 1)),
      ...[bytes.length - 1, bytes.length - 30, bytes.length >> 1, 100].map((length) => bytes.subarray(0, length)),
    ];
    for (const [index, variant] of variants.entries()) {
      writeFileSync(bad, variant);
      await assert.rejects(
        restorePlainBackup({ archive: bad, keys, to: `sqlite:${target}`, overwrite: true }),
        (error: unknown) => error instanceof HoldfastError && /^(archive\.damaged|key\.wrong)$/.test(error.code),
        `variant ${index}`,
      );
      assert.ok(readFileSync(target).equals(before), `variant ${index} changed the target`);
    }
    assert.deepEqual(
      readdirSync(workspace).filter((name) => name.startsWith('target.db') && name !== 'target.db'),
      [],
    );
  });

  it('a dump that was cut before it was compressed is refused by its end', async () => {
    const archive = join(workspace, 'cut.sql.gz');
    const text = '--\n-- PostgreSQL database dump\n--\n\n-- Dumped from database version 15.8\n\nCREATE TABLE a ();\n';
    writeFileSync(archive, pack('gzip', Buffer.from(text)));
    await assert.rejects(checkPlainBackup({ archive }), refuses('archive.damaged', 'does not end'));
    writeFileSync(archive, pack('gzip', Buffer.from(`${text}--\n-- PostgreSQL database dump complete\n--\n`)));
    assert.equal((await checkPlainBackup({ archive })).engine, 'postgres');
    await assert.rejects(
      restorePlainBackup({ archive, to: `sqlite:${join(workspace, 'x.db')}` }),
      refuses('target.incompatible', 'postgres'),
    );
  });

  it('statements of an unknown kind are not fed to a database', async () => {
    const archive = join(workspace, 'other.sql.gz');
    writeFileSync(archive, pack('gzip', Buffer.from('DROP TABLE users;\n')));
    await assert.rejects(
      restorePlainBackup({ archive, to: `sqlite:${join(workspace, 'x.db')}` }),
      refuses('archive.not_an_archive'),
    );
  });
});

describe('a run that fails', () => {
  it('a source that breaks off leaves nothing', async () => {
    for (const compression of ['gzip', 'xz', 'zstd'] as const) {
      const storage = new MemoryStorage();
      const source = entriesSource('broken', [
        {
          path: 'databases/broken/dump.sql',
          kind: 'dump',
          bytes: Buffer.alloc(300_000, 'x'),
          afterwards: () => {
            throw new HoldfastError('source.unreadable');
          },
        },
      ]);
      const output = { storage, name: 'broken.sql.gz.gpg' };
      await assert.rejects(createPlainBackup({ source, output, keys, compression }), refuses('source.unreadable'));
      assert.deepEqual(await namesIn(storage), []);
    }
  });

  it('an abort in the middle leaves nothing, and an older file stays', async () => {
    const abort = new AbortController();
    const storage = new MemoryStorage();
    const output = { storage, name: 'aborted.sql.gz' };
    await createPlainBackup({ source: await shop(), output, encryption: 'none' });
    const before = await storage.stat(output.name);
    const bytes = Buffer.alloc(300_000, 'x');
    const source = entriesSource('slow', [
      { path: 'databases/slow/dump.sql', kind: 'dump', bytes, afterwards: () => abort.abort() },
    ]);
    await assert.rejects(
      createPlainBackup({ source, output, encryption: 'none', signal: abort.signal }),
      refuses('operation.interrupted'),
    );
    assert.deepEqual(await storage.stat(output.name), before);
  });

  it('what reads back otherwise does not appear', async () => {
    const inner = new MemoryStorage();
    const storage = new FaultyStorage(inner, { seed: 7, faults: { bitRotRate: 1e-3 } });
    await assert.rejects(
      createPlainBackup({ source: await shop(), output: { storage, name: 'a.sqlite.gz.gpg' }, keys }),
      refuses('archive.verify_failed'),
    );
    assert.deepEqual(await namesIn(inner), []);
  });

  it('far less than in the earlier ones is suspect, also the second time', async () => {
    const folder = await emptyFolder(workspace, 'suspect');
    const big = join(folder, 'big.db');
    makeDatabase(big, 20_000);
    const small = join(folder, 'small.db');
    makeDatabase(small, 2);
    const run = (path: string, number: number, allowedFall = 0.5) =>
      plainSourceFromUrl(`sqlite:${path}`).then((source) =>
        createPlainBackup({
          source,
          output: join(folder, `shop_2025011${number}_020000_x.sqlite.gz.gpg`),
          keys,
          allowedFall,
        }),
      );
    assert.equal((await run(big, 1)).suspect, false);
    assert.equal((await run(small, 2)).suspect, true);
    const again = await run(small, 3);
    assert.equal(again.suspect, true);
    assert.match(again.comparison.previous ?? '', /20250111/);
    assert.equal((await run(small, 4, 1)).suspect, false);
    await assert.rejects(run(small, 1), refuses('source.shrunken'));
  });
});

it('an archive is not taken for a plain dump, whatever its name', async () => {
  const archive = join(workspace, 'vector.sql.gz');
  const [vector] = readdirSync('vectors/archives').filter((name) => name.endsWith('.holdfast'));
  copyFileSync(join('vectors/archives', vector ?? ''), archive);
  assert.equal(await isPlainDump(archive), false);
});
