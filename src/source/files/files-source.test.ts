import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { HoldfastError } from '../../errors.ts';
import { type CollectOptions, collectSource } from '../../testing/source-cases.ts';
import { FilesSource, type FilesSourceOptions } from './files-source.ts';

let folder: string;
let tree: string;
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'holdfast-files-')));
  tree = join(folder, 'tree');
  mkdirSync(tree);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const collect = (options: Partial<FilesSourceOptions> = {}, how: CollectOptions = {}) =>
  collectSource(new FilesSource({ path: tree, ...options }), how);

function hasCode(code: string) {
  return (error: unknown) => error instanceof HoldfastError && error.code === code;
}

describe('FilesSource: what it reads', () => {
  it('gives folders before what they hold, names of the root from both ends in turn, with mode, time and owner', async () => {
    mkdirSync(join(tree, 'b', 'empty'), { recursive: true });
    writeFileSync(join(tree, 'b.txt'), 'text', { mode: 0o640 });
    utimesSync(join(tree, 'b.txt'), 1, 1_234_567_890.5);
    writeFileSync(join(tree, 'b', 'ä'), '');
    writeFileSync(join(tree, 'B'), 'large letters first');
    symlinkSync('../outside/nowhere', join(tree, 'link'));
    const { entries, problems } = await collect();
    assert.deepEqual(problems, []);
    assert.deepEqual(
      entries.map(({ kind, path }) => `${kind} ${path}`),
      [
        'directory files/tree',
        'file files/tree/B',
        'symlink files/tree/link',
        'directory files/tree/b',
        'file files/tree/b.txt',
        'directory files/tree/b/empty',
        'file files/tree/b/ä',
      ],
    );
    const stats = statSync(join(tree, 'b.txt'));
    assert.deepEqual(entries[4]?.metadata, {
      mode: 0o640,
      mtimeNs: '1234567890500000000',
      uid: stats.uid,
      gid: stats.gid,
    });
    assert.equal(entries[4]?.bytes.toString(), 'text');
    assert.equal(entries[6]?.bytes.length, 0);
    assert.equal(entries[0]?.metadata['source'], tree);
    assert.equal(entries[2]?.metadata['target'], '../outside/nowhere');
    assert.equal('source' in (entries[3]?.metadata ?? {}), false);
  });

  it('has two files open at once, and none that nobody begins to read', {
    skip: process.platform !== 'linux',
  }, async () => {
    const openFiles = () =>
      readdirSync('/proc/self/fd').filter((fd) => {
        try {
          return readlinkSync(join('/proc/self/fd', fd)).startsWith(tree);
        } catch {
          return false;
        }
      }).length;
    for (const name of ['1', '2', '3', '4', '5']) writeFileSync(join(tree, name), name);
    const source = new FilesSource({ path: tree });
    const entries = source.entries({ temporaryFolder: tree, report: () => assert.fail() });
    const next = async () => {
      const { value } = await entries.next();
      assert.ok(value !== undefined);
      return value;
    };
    const begin = async () => (await next()).open?.(undefined)?.[Symbol.asyncIterator]();
    await next();
    await next();
    const first = await begin();
    const second = await begin();
    const before = openFiles();
    assert.equal(Buffer.from((await first?.next())?.value).toString(), '5');
    assert.equal(Buffer.from((await second?.next())?.value).toString(), '2');
    assert.equal((await second?.next())?.done, true);
    assert.deepEqual([before, openFiles()], [2, 1]);
    await source.close();
    assert.equal(openFiles(), 0);
  });

  for (const sizeBytes of [0, 1, 1024 * 1024 - 1, 1024 * 1024, 1024 * 1024 + 1, 2 * 1024 * 1024, 5_000_000]) {
    it(`reads a file of ${sizeBytes} bytes as it is`, async () => {
      const bytes = Buffer.alloc(sizeBytes, 'the quick brown fox ');
      writeFileSync(join(tree, 'file'), bytes);
      const { entries, problems } = await collect();
      assert.deepEqual(problems, []);
      assert.ok(entries[1]?.bytes.equals(bytes));
    });
  }

  it('keeps names and links in any encoding as bytes', async () => {
    const name = Buffer.from([0x61, 0xff, 0xfe]);
    const inside = (bytes: Buffer) => Buffer.concat([Buffer.from(`${tree}/`), bytes]);
    mkdirSync(inside(name));
    writeFileSync(Buffer.concat([inside(name), Buffer.from('/plain')]), 'x');
    symlinkSync(name, inside(Buffer.from('link')));
    const { entries } = await collect();
    assert.equal(entries[1]?.path, 'files/tree/a\u{fffd}\u{fffd}');
    assert.deepEqual(entries[1]?.pathBytes, Buffer.concat([Buffer.from('files/tree/'), name]));
    assert.deepEqual(entries[3]?.pathBytes, Buffer.concat([Buffer.from('files/tree/'), name, Buffer.from('/plain')]));
    assert.equal(entries[2]?.pathBytes, undefined);
    assert.equal(entries[2]?.metadata['targetBytes'], name.toString('base64'));
  });

  it('reads a single file, and a folder or a file behind a link', async () => {
    writeFileSync(join(tree, 'one'), 'x');
    const single = await collect({ path: join(tree, 'one') });
    assert.deepEqual(
      single.entries.map(({ path, kind, bytes }) => [path, kind, String(bytes)]),
      [['files/one', 'file', 'x']],
    );
    assert.equal(single.entries[0]?.metadata['source'], join(tree, 'one'));
    symlinkSync(tree, join(folder, 'folder-link'));
    const linked = await collect({ path: join(folder, 'folder-link') });
    assert.deepEqual(
      linked.entries.map(({ path }) => path),
      ['files/folder-link', 'files/folder-link/one'],
    );
    symlinkSync(join(tree, 'one'), join(folder, 'file-link'));
    const linkedFile = await collect({ path: join(folder, 'file-link'), name: 'named' });
    assert.deepEqual(
      linkedFile.entries.map(({ path, kind }) => [path, kind]),
      [['files/named', 'file']],
    );
  });

  it('never follows a link below the root', async () => {
    mkdirSync(join(folder, 'outside'));
    writeFileSync(join(folder, 'outside', 'secret'), 'x');
    symlinkSync(join(folder, 'outside'), join(tree, 'link'));
    symlinkSync('.', join(tree, 'loop'));
    const { entries } = await collect();
    assert.deepEqual(
      entries.map(({ path }) => path),
      ['files/tree', 'files/tree/link', 'files/tree/loop'],
    );
  });

  it('reads deep trees', async () => {
    const depth = 900;
    mkdirSync(join(tree, ...Array<string>(depth).fill('d')), { recursive: true });
    writeFileSync(join(tree, ...Array<string>(depth).fill('d'), 'leaf'), 'x');
    const { entries, problems } = await collect();
    assert.deepEqual(problems, []);
    assert.equal(entries.length, depth + 2);
    assert.equal(entries.at(-1)?.bytes.toString(), 'x');
  });

  it('leaves out what is excluded, with all below it', async () => {
    mkdirSync(join(tree, 'cache'));
    writeFileSync(join(tree, 'cache', 'x'), 'x');
    writeFileSync(join(tree, 'app.holdfast'), 'x');
    writeFileSync(join(tree, 'kept'), 'x');
    const excluded = new Set([join(tree, 'cache'), join(tree, 'app.holdfast')]);
    const { entries } = await collect({ exclude: (path) => excluded.has(path) });
    assert.deepEqual(
      entries.map(({ path }) => path),
      ['files/tree', 'files/tree/kept'],
    );
    const source = new FilesSource({ path: tree, exclude: (path) => excluded.has(path) });
    const description = await source.describe({ temporaryFolder: folder, report: () => {} });
    assert.deepEqual(description, { type: 'files', label: tree, expectedSizeBytes: 1 });
  });

  it('refuses names that are no single part of a path', () => {
    for (const name of ['', '.', '..', 'a/b', 'a\0']) {
      assert.throws(() => new FilesSource({ path: tree, name }), hasCode('usage.invalid'));
    }
    assert.equal(new FilesSource({ path: '/' }).name, 'root');
  });
});

describe('FilesSource: what it leaves out or marks', () => {
  it('reports FIFOs and sockets, and goes on', async () => {
    assert.equal(spawnSync('mkfifo', [join(tree, 'fifo')]).status, 0);
    const server: Server = createServer();
    await new Promise<void>((resolve) => server.listen(join(tree, 'socket'), resolve));
    writeFileSync(join(tree, 'z'), 'x');
    try {
      const { entries, problems } = await collect();
      assert.deepEqual(
        entries.map(({ path }) => path),
        ['files/tree', 'files/tree/z'],
      );
      assert.deepEqual(
        problems.map(({ code, path }) => [code, path]),
        [
          ['source.unsupported', 'files/tree/fifo'],
          ['source.unsupported', 'files/tree/socket'],
        ],
      );
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });

  it('refuses a root that is neither a folder nor a file', async () => {
    assert.equal(spawnSync('mkfifo', [join(folder, 'fifo')]).status, 0);
    await assert.rejects(collect({ path: join(folder, 'fifo') }), hasCode('source.unreadable'));
  });

  it('reports a file and a folder that vanish before they are opened', async () => {
    for (const name of ['a', 'b', 'd']) writeFileSync(join(tree, name), 'x');
    mkdirSync(join(tree, 'c'));
    const { entries, problems } = await collect(
      {},
      {
        onEntry: (path) => {
          if (!path.endsWith('/a')) return;
          unlinkSync(join(tree, 'b'));
          rmSync(join(tree, 'c'), { recursive: true });
        },
      },
    );
    assert.deepEqual(
      entries.map(({ path }) => path),
      ['files/tree', 'files/tree/a', 'files/tree/d'],
    );
    assert.deepEqual(
      problems.map(({ code, path }) => [code, path]),
      [
        ['source.vanished', 'files/tree/b'],
        ['source.vanished', 'files/tree/c'],
      ],
    );
  });

  it('keeps reading a file that is unlinked once it is open', async () => {
    writeFileSync(join(tree, 'a'), Buffer.alloc(3_000_000, 'a'));
    const { entries, problems } = await collect(
      {},
      { onEntry: (path) => (path.endsWith('/a') ? unlinkSync(join(tree, 'a')) : undefined) },
    );
    assert.equal(entries[1]?.bytes.length, 3_000_000);
    assert.deepEqual(
      problems.map(({ code }) => code),
      ['source.changed'],
    );
  });

  const changes: Record<string, { change: (path: string) => void; sizeBytes: number }> = {
    grows: { change: (path) => appendFileSync(path, Buffer.alloc(2_000_000)), sizeBytes: 4_000_000 },
    shrinks: { change: (path) => truncateSync(path, 10), sizeBytes: 2 * 1024 * 1024 },
    'is rewritten in the same size': {
      change: (path) => writeFileSync(path, Buffer.alloc(4_000_000, 'n')),
      sizeBytes: 4_000_000,
    },
  };
  for (const [how, { change, sizeBytes }] of Object.entries(changes)) {
    it(`marks a file that ${how} while it is read, and ends`, async () => {
      const path = join(tree, 'file');
      writeFileSync(path, Buffer.alloc(4_000_000, 'o'));
      utimesSync(path, 1, 1);
      let isDone = false;
      const { entries, problems } = await collect(
        {},
        {
          onChunk: () => {
            if (!isDone) change(path);
            isDone = true;
          },
        },
      );
      assert.ok((entries[1]?.bytes.length ?? 0) <= sizeBytes);
      assert.equal(
        entries[1]?.bytes.subarray(0, 1024 * 1024).every((byte) => byte === 0x6f),
        true,
      );
      assert.equal(entries[1]?.metadata['changed'], true);
      assert.deepEqual(
        problems.map((problem) => [problem.code, problem.path]),
        [['source.changed', 'files/tree/file']],
      );
    });
  }

  it('ends on a file that grows with every chunk', async () => {
    writeFileSync(join(tree, 'log'), Buffer.alloc(2_500_000));
    let chunkCount = 0;
    const onChunk = () => {
      chunkCount += 1;
      // A source that runs after the end has to stop somewhere too, before the disk is full.
      if (chunkCount <= 10) appendFileSync(join(tree, 'log'), Buffer.alloc(1_100_000));
    };
    const { entries, problems } = await collect({}, { onChunk });
    assert.equal(entries[1]?.bytes.length, 2_500_000);
    assert.equal(problems.length, 1);
  });

  it('throws for a root that is gone or lies below a file', async () => {
    await assert.rejects(collect({ path: join(tree, 'gone') }), hasCode('source.not_found'));
    writeFileSync(join(tree, 'file'), '');
    await assert.rejects(collect({ path: join(tree, 'file', 'below') }), hasCode('source.unreadable'));
  });
});
