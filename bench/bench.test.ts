import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { makeData } from './make-data.ts';
import { measure, median } from './measure.ts';
import { formatPage, formatTable } from './report.ts';
import { judge, type Row } from './row.ts';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-test-'));
after(() => rmSync(folder, { recursive: true, force: true }));

test('the data is 16 files, half noise and half text, made once', () => {
  const root = makeData(folder, 4 * 1_048_576);
  const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  assert.equal(files.length, 16);
  const sizeBytes = files.reduce((sum, file) => sum + statSync(join(file.parentPath, file.name)).size, 0);
  assert.ok(Math.abs(sizeBytes - 4 * 1_048_576) < 64, String(sizeBytes));
  const noise = readFileSync(join(root, 'media/0.bin'));
  const text = readFileSync(join(root, 'dumps/0.sql'));
  assert.ok(gzipSync(noise).length > noise.length);
  assert.ok(gzipSync(text).length < text.length / 2);
  const madeMs = statSync(join(root, 'media/0.bin')).mtimeMs;
  assert.equal(makeData(folder, 4 * 1_048_576), root);
  assert.equal(statSync(join(root, 'media/0.bin')).mtimeMs, madeMs);
});

test('the peak of memory is the child’s own, not the parent’s', async () => {
  const program = process.execPath;
  const wait = 'setTimeout(() => {}, 100);';
  const small = await measure({ program, args: ['-e', wait] });
  const large = await measure({ program, args: ['-e', `globalThis.kept = Buffer.alloc(200_000_000, 1); ${wait}`] });
  const grownBytes = large.peakResidentBytes - small.peakResidentBytes;
  assert.ok(small.peakResidentBytes > 10_000_000);
  assert.ok(grownBytes > 180_000_000 && grownBytes < 260_000_000, String(grownBytes));
});

test('a program that fails is an error with what it said', async () => {
  const command = { program: process.execPath, args: ['-e', 'console.error("no such thing"); process.exit(3)'] };
  await assert.rejects(measure(command), /ended with 3:\nno such thing/);
  await assert.rejects(measure({ program: join(folder, 'absent'), args: [] }), /ENOENT/);
});

test('medians', () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 2, 3]), 2.5);
  assert.ok(Number.isNaN(median([])));
});

test('a target is judged on both sides of its bound, and not at all without the peer', () => {
  const row = (value: number, target: Row['target']): Row => ({
    id: 'x',
    title: 'x',
    unit: 's',
    own: { name: 'holdfast', values: [value] },
    peers: [{ name: 'restic', values: [10] }],
    ...(target === undefined ? {} : { target }),
  });
  const verdict = (value: number, target: Row['target']) => judge(row(value, target)).met;
  assert.equal(verdict(10, { kind: 'at most', bound: 1, ratioTo: 'restic' }), true);
  assert.equal(verdict(10.1, { kind: 'at most', bound: 1, ratioTo: 'restic' }), false);
  assert.equal(verdict(60, { kind: 'at least', bound: 60 }), true);
  assert.equal(verdict(59.9, { kind: 'at least', bound: 60 }), false);
  assert.equal(verdict(1, { kind: 'at most', bound: 1, ratioTo: 'borg' }), undefined);
  assert.equal(verdict(1, undefined), undefined);
});

test('the table and the page show medians, ratio and verdict', () => {
  const own = { name: 'holdfast', values: [5, 6, 70] };
  const peers = [{ name: 'restic', values: [12] }];
  const row = judge({
    id: 'b',
    title: 'backup',
    unit: 's',
    own,
    peers,
    target: { kind: 'at most', bound: 1, ratioTo: 'restic' },
  });
  const report = {
    date: '2026-01-01',
    machine: 'a machine',
    dataSizeBytes: 1,
    versions: { borg: 'not installed' },
    rows: [row],
    failures: { list: 'why' },
  };
  assert.match(formatTable(report), /backup +6 s +restic 12 s +0\.50 +at most 1 × restic +met\nlist failed: why/);
  assert.match(formatPage(report), /\| backup \| 6 s \| restic 12 s \| 0\.50 \| at most 1 × restic \| met \|/);
  assert.match(formatPage(report), /borg: not installed/);
});

test('the page adds up the least that a machine needs, by processor and by disk', () => {
  const parts = [
    { title: 'compressing', foundBy: 'zstd', seconds: 1.5 },
    { title: 'hashing', foundBy: 'openssl', seconds: 0.25 },
    { title: 'writing', foundBy: 'dd', seconds: 1.25, isOfDisk: true },
  ];
  const own = { name: 'holdfast', values: [5] };
  const row = judge({ id: 'b', title: 'backup', unit: 's', own, peers: [], limit: { parts, seconds: 1.25 } });
  const page = formatPage({ date: '', machine: '', dataSizeBytes: 1, versions: {}, rows: [row], failures: {} });
  assert.match(page, /\| hashing \| openssl \| 0\.25 s \| {2}\|\n\| writing \| dd \| {2}\| 1\.25 s \|/);
  assert.match(page, /\| together \| \| 1\.75 s \| 1\.25 s \|\n\nWith .* that is 1\.25 s\.\n\n## Versions/);
});
