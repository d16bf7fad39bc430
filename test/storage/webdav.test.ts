/** Archives on a real WebDAV server, and what goes wrong with such a server. */
import assert from 'node:assert/strict';
import { copyFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { makeWorkspace } from '../end-to-end/workspace.ts';
import { leftOut } from '../services/service-packages.ts';
import { startWebdav, type WebdavOptions, type WebdavService } from '../services/start-webdav.ts';
import { FaultProxy } from './fault-proxy.ts';
import { assertArchive, backUpTo, makeTree } from './remote-archive.ts';
import { webdavStorage } from './remote-storages.ts';

const workspace = makeWorkspace('webdav');
const tree = join(workspace, 'tree');
before(() => makeTree(tree, 3));

async function withServer(options: WebdavOptions, work: (service: WebdavService) => Promise<void>): Promise<void> {
  const service = await startWebdav(options);
  try {
    await work(service);
  } finally {
    await service.stop();
  }
}

/** Names in the root folder on the server; its own bookkeeping left out. */
function filesOf(service: WebdavService): string[] {
  return readdirSync(join(service.home, 'backups')).filter(
    (name) => !name.startsWith('.DAV') && !name.startsWith('.davfs'),
  );
}

describe('webdav', { skip: leftOut('apache') }, () => {
  test('an archive of two copies is written, validated and restored, with Digest over TLS', async () => {
    await withServer({ authentication: 'digest', tls: true }, async (service) => {
      const storage = webdavStorage(service);
      await assertArchive(storage, workspace, tree);
      await storage.close();
    });
  });

  test('an upload that is cut fails and leaves nothing; what is read is asked for again', async () => {
    await withServer({}, async (service) => {
      let cutsUploads = true;
      const faultOf = (number: number) => {
        if (!cutsUploads && number % 2 === 0) return undefined;
        return { kind: 'cut', afterBytes: 3 << 20 } as const;
      };
      const proxy = await FaultProxy.start({ port: service.port, faultOf });
      const through = webdavStorage(service, { port: proxy.port });
      await assert.rejects(backUpTo(through, tree, 'x'), { code: 'storage.unavailable' });
      assert.deepEqual(filesOf(service), []);
      const direct = webdavStorage(service);
      await backUpTo(direct, tree, 'x');
      cutsUploads = false;
      const expected = await direct.open('x');
      const found = await through.open('x');
      const [one, other] = [new Uint8Array(2 << 20), new Uint8Array(2 << 20)];
      for (let offset = 0; offset < expected.sizeBytes; offset += one.length) {
        const counts = await Promise.all([expected.read(offset, one), found.read(offset, other)]);
        assert.equal(counts[0], counts[1]);
        assert.ok(Buffer.from(one).equals(other));
      }
      await Promise.all([expected.close(), found.close(), through.close(), direct.close()]);
      proxy.stop();
    });
  });

  test('a server that is killed, or falls silent, leaves no object', async () => {
    await withServer({}, async (service) => {
      const storage = webdavStorage(service);
      const writer = await storage.writer('x', { copies: 2 });
      await writer.write(new Uint8Array(1 << 20));
      await service.kill();
      await service.restart();
      await assert.rejects(writer.commit(), { code: 'storage.unavailable' });
      assert.deepEqual(filesOf(service), []);
      const faultOf = () => ({ kind: 'stall', afterBytes: 1 << 20 }) as const;
      const proxy = await FaultProxy.start({ port: service.port, faultOf });
      const slow = webdavStorage(service, { port: proxy.port, timeoutMs: 1_000 });
      const stalled = await slow.writer('x', { copies: 1 });
      await assert.rejects(
        async () => {
          for (let count = 0; count < 64; count += 1) await stalled.write(new Uint8Array(1 << 20));
          await stalled.commit();
        },
        { code: 'storage.timeout' },
      );
      await Promise.all([storage.close(), slow.close()]);
      proxy.stop();
    });
  });

  test('a full disk is told as such, and leaves nothing', {
    skip: process.getuid?.() !== 0 && 'mounts need root',
  }, async () => {
    await withServer({ diskMebibytes: 6 }, async (service) => {
      const storage = webdavStorage(service);
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

  test('wrong password, no trust, no server: each is told apart', async () => {
    for (const authentication of ['basic', 'digest'] as const) {
      await withServer({ authentication, tls: true }, async (service) => {
        const wrong = webdavStorage(service, { password: 'wrong-secret' });
        await assert.rejects(wrong.writer('x', { copies: 1 }), (error: Error & { code?: string }) => {
          assert.equal(error.code, 'storage.credentials');
          return !error.message.includes('wrong-secret');
        });
        const distrusting = webdavStorage(service, { trusts: false });
        await assert.rejects(distrusting.open('x'), { code: 'storage.certificate' });
        await service.kill();
        await assert.rejects(webdavStorage(service).open('x'), { code: 'storage.unavailable' });
      });
    }
  });

  test('a folder in the way is neither replaced nor removed', async () => {
    await withServer({}, async (service) => {
      const storage = webdavStorage(service);
      await (await storage.writer('folder/x', { copies: 1 })).commit();
      await assert.rejects(storage.delete('folder'), { code: 'storage.conflict' });
      const writer = await storage.writer('folder', { copies: 1 });
      await assert.rejects(writer.commit(), { code: 'storage.conflict' });
      assert.equal((await storage.stat('folder/x')).sizeBytes, 0);
      await storage.close();
    });
  });

  test('what a dead run left is removed by the next writer, what a live one writes is not', async () => {
    await withServer({}, async (service) => {
      const storage = webdavStorage(service);
      const first = await storage.writer('first', { copies: 1 });
      await first.commit();
      const folder = join(service.home, 'backups');
      const { partialPath } = await import('../../src/disk/partial-path.ts');
      const own = partialPath('live');
      const dead = own.replace(/holdfast-\d+-/, 'holdfast-4194303-');
      for (const name of [own, dead]) copyFileSync(join(folder, 'first'), join(folder, name));
      await (await storage.writer('other', { copies: 1 })).abort();
      assert.deepEqual(filesOf(service).sort(), [own, 'first'].sort());
      await storage.close();
    });
  });

  test('a folder of the URL that is not there is named', async () => {
    await withServer({}, async (service) => {
      const url = `${service.url}/missing`;
      const storage = webdavStorage({ ...service, url }, { port: service.port });
      await assert.rejects(storage.writer('x', { copies: 1 }), {
        code: 'storage.container_not_found',
        message: /missing/,
      });
      await storage.close();
    });
  });
});
