/** Archives on real FTP servers, and what goes wrong with such a server. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { SeededRandom } from '../../src/testing/index.ts';
import { describeTree, emptyFolder, makeWorkspace } from '../end-to-end/workspace.ts';
import { leftOut } from '../services/service-packages.ts';
import { type FtpOptions, type FtpService, startFtp, whyNoFtp } from '../services/start-ftp.ts';
import { FaultProxy } from './fault-proxy.ts';
import { assertArchive, backUpTo, isIntact, makeTree, restoreAll } from './remote-archive.ts';
import { ftpStorage } from './remote-storages.ts';

const workspace = makeWorkspace('ftp');
const tree = join(workspace, 'tree');
before(() => makeTree(tree, 3));

async function withServer(options: FtpOptions, work: (service: FtpService) => Promise<void>): Promise<void> {
  const service = await startFtp(options);
  try {
    await work(service);
  } finally {
    await service.stop();
  }
}

const skipVsftpd = leftOut('vsftpd') || (whyNoFtp('vsftpd') ?? false);

for (const server of ['vsftpd', 'proftpd'] as const) {
  const skip = leftOut(server) || (whyNoFtp(server) ?? false);
  describe(server, { skip }, () => {
    test('a full disk is told as such, and leaves nothing', {
      skip: process.getuid?.() !== 0 && 'mounts need root',
    }, async () => {
      await withServer({ server, diskMebibytes: 6 }, async (service) => {
        const storage = ftpStorage(service);
        await assert.rejects(backUpTo(storage, tree, 'x'), { code: 'storage.full' });
        const writer = await storage.writer('small', { copies: 1 });
        await writer.write(new Uint8Array(4 << 20));
        await writer.commit();
        const names: string[] = [];
        for await (const { name } of storage.list()) names.push(name);
        assert.deepEqual(names, ['small']);
        await storage.close();
      });
    });

    test('wrong password, no trust, no TLS, no server: each is told apart', async () => {
      await withServer({ server, requiresTls: true }, async (service) => {
        const put = async (storage: ReturnType<typeof ftpStorage>) => {
          await storage.writer('x', { copies: 1 });
        };
        const wrong = ftpStorage(service, { secure: true, password: 'wrong-secret' });
        await assert.rejects(put(wrong), (error: Error & { code?: string }) => {
          assert.equal(error.code, 'storage.credentials');
          return !error.message.includes('wrong-secret');
        });
        await assert.rejects(put(ftpStorage(service, { secure: true, trusts: false })), {
          code: 'storage.certificate',
        });
        await assert.rejects(put(ftpStorage(service)), { hint: /set `secure` to true/ });
        await service.kill();
        await assert.rejects(put(ftpStorage(service, { secure: true })), { code: 'storage.unavailable' });
      });
    });
  });
}

const skip = skipVsftpd;

test('an archive of two copies is written, validated and restored, over TLS', { skip: skipVsftpd }, async () => {
  await withServer({ server: 'vsftpd', requiresTls: true }, async (service) => {
    const storage = ftpStorage(service, { secure: true });
    await assertArchive(storage, workspace, tree);
    await storage.close();
  });
});

test('an upload that is cut goes on where the server has it, and what is read is asked for again', {
  skip: leftOut('proftpd'),
}, async () => {
  await withServer({ server: 'proftpd' }, async (service) => {
    // Of every three connections, those for data among them, one is cut after 2 MiB; the third is the upload's.
    const faultOf = (number: number) =>
      number % 3 === 2 ? ({ kind: 'cut', afterBytes: 2 << 20 } as const) : undefined;
    const proxy = await FaultProxy.start({ port: service.port, ftp: true, faultOf });
    const storage = ftpStorage(service, { port: proxy.port });
    await assertArchive(storage, workspace, tree);
    assert.ok(proxy.heard('APPE') && proxy.heard('REST'));
    await storage.close();
    proxy.stop();
  });
});

test('an upload that is cut late goes on with what is kept in memory, which is used again', {
  skip: leftOut('proftpd'),
}, async () => {
  await withServer({ server: 'proftpd' }, async (service) => {
    // What is made once one was cut is not.
    const faultOf = () => (proxy.faultCount > 0 ? undefined : ({ kind: 'cut', afterBytes: 37 << 20 } as const));
    const proxy: FaultProxy = await FaultProxy.start({ port: service.port, ftp: true, faultOf });
    const storage = ftpStorage(service, { port: proxy.port });
    const bytes = new SeededRandom(5).bytes(48 << 20);
    const writer = await storage.writer('x', { copies: 1 });
    for (let offset = 0, size = 1; offset < bytes.length; offset += size, size = Math.min(2 << 20, size * 3)) {
      await writer.write(bytes.subarray(offset, offset + size));
    }
    await writer.commit();
    assert.ok(proxy.heard('APPE') === 1, 'it was cut, and went on');
    assert.ok(readFileSync(join(service.home, 'backups', 'x')).equals(bytes));
    await storage.close();
    proxy.stop();
  });
});

test('an upload that somebody between ends early goes on, though both sides took it for done', {
  skip: leftOut('proftpd'),
}, async () => {
  await withServer({ server: 'proftpd' }, async (service) => {
    const faultOf = () => (proxy.faultCount > 0 ? undefined : ({ kind: 'end', afterBytes: 3_000_000 } as const));
    const proxy: FaultProxy = await FaultProxy.start({ port: service.port, ftp: true, faultOf });
    const storage = ftpStorage(service, { port: proxy.port });
    const bytes = new SeededRandom(7).bytes(3_010_000);
    const writer = await storage.writer('x', { copies: 1 });
    await writer.write(bytes);
    await writer.commit();
    assert.equal(proxy.faultCount, 1);
    assert.equal(proxy.heard('APPE'), 1);
    assert.ok(readFileSync(join(service.home, 'backups', 'x')).equals(bytes));
    await storage.close();
    proxy.stop();
  });
});

test('ranges that follow one another come in one download, though each begins where the one before it had not ended', {
  skip: leftOut('proftpd'),
}, async () => {
  await withServer({ server: 'proftpd' }, async (service) => {
    const proxy = await FaultProxy.start({ port: service.port, ftp: true, faultOf: () => undefined });
    const storage = ftpStorage(service, { port: proxy.port });
    const bytes = Buffer.from(new SeededRandom(6).bytes(8 << 20));
    const writer = await storage.writer('x', { copies: 1 });
    await writer.write(bytes);
    await writer.commit();
    const access = await storage.open('x');
    assert.equal(access.isSequential, true);
    const told = proxy.heard('RETR');
    const read = async (offset: number, length: number) => {
      const into = Buffer.alloc(length);
      assert.equal(await access.read(offset, into), Math.min(length, bytes.length - offset));
      assert.ok(into.subarray(0, bytes.length - offset).equals(bytes.subarray(offset, offset + length)), `${offset}`);
    };
    const ranges: (readonly [offset: number, length: number])[] = [[600_000, 100_000]];
    for (let end = 700_000; end < bytes.length; ) {
      // By a block, by all that is kept, by a byte, by nothing; within the last; beyond it.
      for (const [back, length] of [
        ...([
          [4096, 900_000],
          [65_536, 300_000],
          [1, 65_536],
          [0, 70_000],
        ] as const),
        ...([
          [65_536, 1000],
          [1000, 1000],
          [4096, 100],
          [-200_000, 5000],
        ] as const),
      ] as const) {
        ranges.push([end - back, length]);
        end = Math.max(end, end - back + length);
      }
    }
    // Asked for at once, and one by one.
    await Promise.all(ranges.slice(0, 12).map(([offset, length]) => read(offset, length)));
    for (const [offset, length] of ranges.slice(12).filter(([offset]) => offset < bytes.length))
      await read(offset, length);
    assert.ok(proxy.heard('RETR') <= told + 1, `${proxy.heard('RETR')} downloads`);
    await read(100, 100_000);
    assert.ok(proxy.heard('RETR') > told, 'what lies far before is another download');
    await storage.close();
    proxy.stop();
  });
});

test('an archive of files that were read side by side takes a few downloads to check, to verify and to restore', {
  skip: leftOut('proftpd'),
}, async (t) => {
  const files = await emptyFolder(workspace, 'two');
  for (const name of ['one', 'other']) writeFileSync(join(files, name), new SeededRandom(name.length).bytes(20 << 20));
  await withServer({ server: 'proftpd' }, async (service) => {
    const proxy = await FaultProxy.start({ port: service.port, ftp: true, faultOf: () => undefined });
    const storage = ftpStorage(service, { port: proxy.port });
    let told = 0;
    const downloads = () => {
      const before = told;
      told = proxy.heard('RETR');
      return told - before;
    };
    await backUpTo(storage, files, 'x');
    const counts = [downloads()];
    assert.ok(await isIntact(storage, 'x'));
    counts.push(downloads());
    const folder = await emptyFolder(workspace, 'back');
    await restoreAll(storage, 'x', folder);
    counts.push(downloads());
    assert.deepEqual(await describeTree(join(folder, 'tree')), await describeTree(files));
    // Where each copy begins and ends, its middle, its data, its parity.
    t.diagnostic(`${counts.join(', ')} downloads`);
    assert.ok(Math.max(...counts) <= 16, `${counts.join(', ')} downloads`);
    await storage.close();
    proxy.stop();
  });
});

test('a server that is killed while it is written to leaves no object; when it is back, the upload goes on', {
  skip,
}, async () => {
  await withServer({ server: 'vsftpd' }, async (service) => {
    const storage = ftpStorage(service);
    const writer = await storage.writer('x', { copies: 2 });
    await writer.write(new Uint8Array(2 << 20).fill(1));
    await service.kill();
    await service.restart();
    await writer.write(new Uint8Array(1000).fill(2));
    const stored = await writer.commit();
    assert.equal(stored.sizeBytes, 2 * ((2 << 20) + 1000));
    const access = await storage.open('x');
    const bytes = new Uint8Array(access.sizeBytes);
    await access.read(0, bytes);
    await access.close();
    const copy = Buffer.concat([Buffer.alloc(2 << 20, 1), Buffer.alloc(1000, 2)]);
    assert.ok(Buffer.concat([copy, copy]).equals(bytes));
    const other = await storage.writer('y', { copies: 1 });
    await service.kill();
    await assert.rejects(other.commit(), {
      code: 'storage.unavailable',
      message: /temporary name could not be removed/,
    });
    assert.equal(readdirSync(join(service.home, 'backups')).length, 2);
    await service.restart();
    await other.abort();
    assert.deepEqual(readdirSync(join(service.home, 'backups')), ['x']);
    await storage.close();
  });
});

test('a server that falls silent is given up after the time that it has', { skip }, async () => {
  await withServer({ server: 'vsftpd' }, async (service) => {
    const faultOf = (number: number) => (number > 1 ? ({ kind: 'stall', afterBytes: 1 << 20 } as const) : undefined);
    const proxy = await FaultProxy.start({ port: service.port, ftp: true, faultOf });
    const storage = ftpStorage(service, { port: proxy.port, timeoutMs: 1_000 });
    const writer = await storage.writer('x', { copies: 1 });
    await assert.rejects(
      async () => {
        for (let count = 0; count < 64; count += 1) await writer.write(new Uint8Array(1 << 20));
        await writer.commit();
      },
      { code: 'storage.timeout' },
    );
    await storage.close();
    proxy.stop();
  });
});

test('what a dead run left is removed by the next writer, what a live one writes is not', { skip }, async () => {
  await withServer({ server: 'vsftpd' }, async (service) => {
    const storage = ftpStorage(service);
    const live = await storage.writer('live', { copies: 1 });
    await live.write(new Uint8Array(10));
    const folder = join(service.home, 'backups');
    const [own = ''] = readdirSync(folder);
    const dead = own.replace(/holdfast-\d+-/, 'holdfast-4194303-');
    const { copyFileSync } = await import('node:fs');
    copyFileSync(join(folder, own), join(folder, dead));
    const other = await storage.writer('other', { copies: 1 });
    assert.ok(!readdirSync(folder).includes(dead));
    await other.abort();
    await live.commit();
    assert.deepEqual(readdirSync(folder), ['live']);
    await storage.close();
  });
});

test('the spool lies where it is told to, and its lack of room is told', { skip }, async () => {
  await withServer({ server: 'vsftpd' }, async (service) => {
    const spoolFolder = await emptyFolder(workspace, 'spool');
    const storage = ftpStorage(service, { spoolFolder: join(spoolFolder, 'missing') });
    await assert.rejects(storage.writer('x', { copies: 2 }), { code: 'storage.not_found', message: /missing/ });
    await (await storage.writer('x', { copies: 1 })).abort();
    await storage.close();
  });
});
