/** What the pages are made of, without a browser. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { formatSize } from '../../src/cli/format-value.ts';
import { formatSize as formatSizeInBrowser } from '../../src/web/client/number-format.ts';
import { readArchiveQuery } from '../../src/web/pages/archive-pages.ts';
import { chosenPaths } from '../../src/web/pages/restore-pages.ts';
import { readRunQuery } from '../../src/web/pages/run-pages.ts';
import type { CalendarDay } from '../../src/web/services/web-services.ts';
import { parityOfCells } from '../../src/web/views/block-map-view.ts';
import { dayKind } from '../../src/web/views/calendar.ts';
import { nothingGiven } from '../../src/web/views/restore-form-view.ts';
import { relative } from '../../src/web/views/time.ts';
import type { Role } from '../../src/web/web-environment.ts';
import { pagePaths } from './page-paths.ts';
import { pageApplication } from './page-server.ts';
import { sampleServices } from './sample-services.ts';

const hourMs = 3_600_000;

test('a day is drawn by what is kept of it, or by what went wrong', () => {
  const day: CalendarDay = {
    day: '2026-11-01',
    jobs: [],
    result: 'good',
    goodCount: 1,
    failedCount: 0,
    kept: [],
    archiveCount: 0,
  };
  assert.equal(dayKind({ ...day, kept: ['daily', 'monthly'] }), 'monthly');
  assert.equal(dayKind({ ...day, kept: ['weekly', 'daily'] }), 'weekly');
  assert.equal(dayKind({ ...day, kept: ['other'] }), 'daily');
  assert.equal(dayKind(day), 'removed');
  assert.equal(dayKind({ ...day, result: 'failed', kept: ['daily'] }), 'failed');
  assert.equal(dayKind({ ...day, result: 'missed' }), 'missed');
  assert.equal(dayKind({ ...day, result: 'none', goodCount: 0 }), 'none');
});

test('moments are told by their distance, on both sides of each limit', () => {
  const at = (distanceMs: number) => relative(1e12 - distanceMs, 1e12);
  assert.equal(at(59_999), 'just now');
  assert.equal(at(60_000), '1 min ago');
  assert.equal(at(hourMs), '1 h ago');
  assert.equal(at(48 * hourMs - 1), '48 h ago');
  assert.equal(at(48 * hourMs), '2 days ago');
  assert.equal(at(-3 * hourMs), 'in 3 h');
});

test('sizes are written alike by the server and in the browser', () => {
  for (const size of [0, 1, 999, 1000, 1023, 1024, 1536, 99.94 * 1024, 99.95 * 1024, 2 ** 31, 5.5 * 2 ** 40, 2 ** 60]) {
    assert.equal(formatSizeInBrowser(size), formatSize(size));
  }
});

test('parity is drawn where the format puts it', () => {
  const counts = { damaged: 0, solved: 0, lost: 0, dataBlocks: 239, parityBlocks: 16 };
  const map = { archiveId: 'ab12', lookedMs: 0, ...counts, copies: [], isBeingRead: false };
  // A full band: 3 headers, 64 × 239 data and 64 × 16 parity blocks; then the 3 last headers.
  const cells = parityOfCells({ ...map, perCopy: 3 + 64 * 255 + 3 }, 255);
  assert.match(cells, /^0{239}9{15}[89]$|^0{238}[0-9]9{15}[0-9]$/);
  assert.equal(parityOfCells({ ...map, perCopy: 5 }, 4), '0000', 'no archive has so few blocks');
});

test('a restore takes parts whole, but of a part with single choices those alone', () => {
  const parts = [
    { kind: 'database', name: 'shop', entryCount: 2, sizeBytes: 1, rows: 1 },
    { kind: 'files', name: 'up*loads', entryCount: 2, sizeBytes: 1, rows: 0 },
  ] as const;
  const all = ['database:shop', 'files:up*loads'];
  assert.equal(chosenPaths(nothingGiven, parts), undefined);
  assert.equal(chosenPaths({ ...nothingGiven, parts: all }, parts), undefined);
  assert.deepEqual(chosenPaths({ ...nothingGiven, parts: ['files:up*loads'] }, parts), ['files/up\\*loads/**']);
  const entries = ['databases/shop/tables/item'];
  assert.deepEqual(chosenPaths({ ...nothingGiven, parts: all, entries }, parts), ['files/up\\*loads/**', ...entries]);
  assert.deepEqual(chosenPaths({ ...nothingGiven, parts: [], globs: ' files/** \n\n' }, parts), ['files/**']);
});

test('what an address asks for and nobody knows is left out', () => {
  assert.deepEqual(readArchiveQuery({ text: 'a', health: 'ill', sort: 'colour', page: '0', direction: 'up' }), {
    text: 'a',
    direction: 'up',
  });
  assert.deepEqual(readArchiveQuery({ kept: 'leaving', page: '3' }), { leaving: true, page: 3 });
  assert.deepEqual(readRunQuery({ kind: 'dance', state: 'failed', page: '-1' }), { state: 'failed' });
});

async function pageOf(path: string, role: Role): Promise<string> {
  const response = await pageApplication(sampleServices(), { role }).request(`/backups${path}`);
  return await response.text();
}

test('every form that changes something sends the token of the session', async () => {
  for (const [name, path] of Object.entries(pagePaths())) {
    const page = await pageOf(path, 'admin');
    const forms = page.match(/<form method="post"[\s\S]*?<\/form>/g) ?? [];
    assert.ok(forms.length > 0, name);
    for (const form of forms)
      assert.match(form, /<input type="hidden" name="csrf" value="token-of-the-session">/, name);
    assert.doesNotMatch(page, /<[^>]* (style|on[a-z]+)=/, `${name} has something inline`);
  }
});

test('nobody is offered what the role does not allow', async () => {
  const actions = async (role: Role) => {
    const found = new Set<string>();
    for (const path of Object.values(pagePaths())) {
      for (const [, action = ''] of (await pageOf(path, role)).matchAll(/method="post" action="\/backups([^"]*)"/g))
        found.add(action);
    }
    return found;
  };
  const viewer = await actions('viewer');
  assert.deepEqual(
    [...viewer].filter((action) => action !== '/logout' && action !== '/restore'),
    [],
  );
  const operator = await actions('operator');
  assert.ok(operator.has('/archive/verify') && operator.has('/backup') && !operator.has('/archive/delete'));
  assert.ok((await actions('admin')).has('/archive/delete'));
});

test('the overview of 10,000 archives and 100,000 runs weighs less than 150 kB with all that it loads', async () => {
  const app = pageApplication(sampleServices({ archiveCount: 10_000, runCount: 100_000 }));
  const headers = { 'accept-encoding': 'gzip' };
  const weigh = async (path: string) => {
    const response = await app.request(path, { headers });
    assert.equal(response.headers.get('content-encoding'), 'gzip', path);
    return (await response.arrayBuffer()).byteLength;
  };
  const page = await (await app.request('/backups/')).text();
  const folder = /\/backups\/assets\/[0-9a-f]{16}/.exec(page)?.[0];
  const names = [
    'admin.css',
    'admin.js',
    'live-job.js',
    'times.js',
    'block-map.js',
    'draw-cells.js',
    'upload.js',
    'number-format.js',
    'htmx.js',
    'charts.js',
    'uplot.js',
  ];
  let bytes = gzipSync(page).length + (await weigh('/backups/trends.json'));
  for (const name of names) bytes += await weigh(`${folder}/${name}`);
  assert.ok(bytes < 150_000, `${bytes} bytes`);
});

test('assets are kept for ever, and their names follow their contents', async () => {
  const app = pageApplication(sampleServices());
  const page = await (await app.request('/backups/')).text();
  const style = /href="(\/backups\/assets\/[0-9a-f]{16}\/admin.css)"/.exec(page)?.[1] ?? '';
  const response = await app.request(style);
  assert.match(response.headers.get('cache-control') ?? '', /immutable/);
  assert.equal((await app.request(style.replace('admin.css', '..%2f..%2fpackage.json'))).status, 404);
});
