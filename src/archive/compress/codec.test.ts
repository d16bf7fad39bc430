import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { HoldfastError } from '../../errors.ts';
import { SeededRandom } from '../../testing/index.ts';
import type { Codec } from '../header.ts';
import { compressSegment, expandSegment } from './codec.ts';

const codecs: readonly Codec[] = ['none', 'zstd', 'gzip', 'bz2', 'xz'];
const compressing = codecs.filter((codec) => codec !== 'none');
const tools: Partial<Record<Codec, string>> = { zstd: 'zstd', gzip: 'gzip', bz2: 'bzip2', xz: 'xz' };
const random = new SeededRandom(1);

function refusal(run: () => unknown): HoldfastError {
  let thrown: unknown;
  try {
    run();
  } catch (error) {
    thrown = error;
  }
  assert.ok(thrown instanceof HoldfastError, `not refused: ${String(thrown)}`);
  assert.equal(thrown.code, 'archive.corrupt');
  return thrown;
}

function expands(error: HoldfastError): boolean {
  return error.context['reason'] === 'expands';
}

for (const codec of codecs) {
  test(`${codec}: what is compressed expands again, to its very length`, () => {
    const samples = [
      Buffer.alloc(1, 65),
      Buffer.alloc(65_536),
      Buffer.alloc(1_000_000, 'INSERT INTO orders VALUES (1, 2);\n'),
      random.bytes(1),
      random.bytes(4032),
      random.bytes(65_537),
      random.bytes(1_048_576),
    ];
    for (const bytes of samples) {
      const compressed = compressSegment(codec, bytes);
      assert.ok(compressed.length <= bytes.length + 65_536 - 16, 'more room than a sealed segment has');
      assert.ok(Buffer.from(expandSegment(codec, compressed, bytes.length)).equals(bytes));
      assert.ok(Buffer.from(expandSegment(codec, compressed, bytes.length + 1)).equals(bytes));
      assert.ok(expands(refusal(() => expandSegment(codec, compressed, bytes.length - 1))));
    }
  });
}

for (const codec of compressing) {
  test(`${codec}: a bomb is refused at the limit`, () => {
    const bomb = compressSegment(codec, Buffer.alloc(64 * 1024 * 1024));
    assert.ok(bomb.length < 100_000);
    const before = process.memoryUsage().arrayBuffers;
    assert.ok(expands(refusal(() => expandSegment(codec, bomb, 1_048_576))));
    assert.ok(process.memoryUsage().arrayBuffers - before < 32 * 1024 * 1024, 'the bomb went off');
  });

  test(`${codec}: what is cut short, or is no ${codec}, is refused`, () => {
    const compressed = Buffer.from(compressSegment(codec, random.bytes(3000)));
    const step = codec === 'zstd' || codec === 'gzip' ? 1 : 301;
    for (let length = 0; length < compressed.length; length += step) {
      // An empty stream is a valid file of nothing for bzip2 and xz: it is found out by the length in the index.
      if (length === 0) continue;
      refusal(() => expandSegment(codec, compressed.subarray(0, length), 3000));
    }
    for (const garbage of [random.bytes(100), Buffer.from('hello'), random.bytes(100_000)]) {
      refusal(() => expandSegment(codec, garbage, 100_000));
    }
    // zstd members carry no checksum: the segment's tag is what guards these.
    if (codec === 'zstd') return;
    const changed = Buffer.from(compressed);
    changed[1500] = (changed[1500] ?? 0) ^ 1;
    refusal(() => expandSegment(codec, changed, 3000));
  });

  test(`${codec}: segments one after the other are a file for the standard tool`, () => {
    const parts = [random.bytes(70_000), Buffer.alloc(50_000, 'text '), random.bytes(1)];
    const file = Buffer.concat(parts.map((part) => compressSegment(codec, part)));
    const tool = tools[codec] ?? '';
    const { status, stdout, stderr } = spawnSync(tool, ['-d', '-c'], { input: file, maxBuffer: 1_000_000 });
    assert.equal(status, 0, `${tool}: ${stderr}`);
    assert.ok(stdout.equals(Buffer.concat(parts)));
  });
}

test('members of any tool and level expand', () => {
  const bytes = Buffer.alloc(200_000, 'some text that repeats itself');
  assert.ok(Buffer.from(expandSegment('zstd', zstdCompressSync(bytes), 200_000)).equals(bytes));
  assert.ok(Buffer.from(expandSegment('gzip', gzipSync(bytes, { level: 9 }), 200_000)).equals(bytes));
  for (const [codec, tool] of [
    ['bz2', 'bzip2'],
    ['xz', 'xz'],
  ] as const) {
    const made = spawnSync(tool, ['-c', '-1'], { input: bytes }).stdout;
    assert.ok(Buffer.from(expandSegment(codec, made, 200_000)).equals(bytes));
  }
});

/** Does work with the programs of one folder alone. */
function withPrograms(folder: string, work: () => void): void {
  const { PATH } = process.env;
  process.env['PATH'] = folder;
  try {
    work();
  } finally {
    process.env['PATH'] = PATH;
  }
}

test('a program that is not there is named, with what to install', () => {
  withPrograms('/nowhere', () => {
    for (const [codec, hint] of [
      ['bz2', 'install bzip2, or choose --compression zstd'],
      ['xz', 'install xz-utils, or choose --compression zstd'],
    ] as const) {
      assert.throws(() => compressSegment(codec, random.bytes(10)), { code: 'tool.not_found', hint });
      assert.throws(() => expandSegment(codec, random.bytes(10), 10), { code: 'tool.not_found', hint });
    }
  });
});

test('a program that was killed says nothing of the bytes', () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-codec-'));
  try {
    writeFileSync(join(folder, 'xz'), '#!/bin/sh\nkill -9 $$\n');
    chmodSync(join(folder, 'xz'), 0o700);
    withPrograms(folder, () => {
      const expected = { code: 'tool.failed', message: /^xz failed: .*SIGKILL/ };
      assert.throws(() => expandSegment('xz', random.bytes(10), 10), expected);
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
