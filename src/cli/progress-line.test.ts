import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CommandContext } from './command-context.ts';
import { formatProgress, ProgressLine, withProgress } from './progress-line.ts';

const mebibyte = 1024 * 1024;

function fakeTerminal(columns = 120) {
  const written: string[] = [];
  let nowMs = 0;
  const context = {
    stderr: { write: (text: string) => written.push(text), isTTY: true, columns },
    clock: { nowMs: () => nowMs, monotonicMs: () => nowMs },
    environment: {},
    signal: new AbortController().signal,
  } as unknown as CommandContext;
  return { written, context, passMs: (durationMs: number) => (nowMs += durationMs) };
}

test('a line with a total shows bar, share, bytes, rate, time left and entry', () => {
  const text = formatProgress(
    { phase: 'read', doneBytes: 25 * mebibyte, totalBytes: 100 * mebibyte, entry: 'files/a.png' },
    5 * mebibyte,
    200,
  );
  assert.equal(
    text,
    `read     ${'━'.repeat(5)}${'─'.repeat(15)}   25%  25 MiB of 100 MiB  5 MiB/s  15 s left  files/a.png`,
  );
});

test('a line without a total shows what is known', () => {
  const text = formatProgress({ phase: 'scan', doneBytes: 3 * mebibyte, totalBytes: 0 }, undefined, 200);
  assert.equal(text, 'scan     3 MiB');
});

test('more than the total never shows more than all of it', () => {
  const text = formatProgress({ phase: 'read', doneBytes: 300, totalBytes: 200 }, 10, 200);
  assert.match(text, / 100% {2}200 B of 200 B {2}10 B\/s$/);
});

test('a line is cut to the terminal, and names in it are made safe', () => {
  const { written, context } = fakeTerminal(32);
  new ProgressLine(context).update({ phase: 'scan', doneBytes: 1, totalBytes: 0, entry: `\x1b[2J${'x'.repeat(99)}` });
  const [line = ''] = written;
  assert.ok(line.startsWith('\r') && line.endsWith('\x1b[K'));
  assert.match(line.slice(1, -3), /^scan {5}1 B {2}x{16}…$/);
});

test('rows, and how far a table is, are told where they are known', () => {
  const progress = { phase: 'read', doneBytes: 3, totalBytes: 0, entry: 'tables/a', doneRows: 12_345 } as const;
  assert.match(formatProgress(progress, undefined, 99), / {2}12,345 rows {2}tables\/a$/);
  const half = { ...progress, entryDoneBytes: 5, entryExpectedBytes: 10 };
  assert.match(formatProgress(half, undefined, 99), /tables\/a 50%$/);
  assert.match(formatProgress({ ...half, entryDoneBytes: 10 }, undefined, 99), /tables\/a 100%$/);
  assert.match(formatProgress({ ...half, entryDoneBytes: 11 }, undefined, 99), /tables\/a$/);
});

test('the rate is smoothed, and starts anew with each phase', () => {
  const { written, context, passMs } = fakeTerminal();
  const line = new ProgressLine(context);
  let doneBytes = 0;
  for (let second = 0; second < 20; second++) {
    line.update({ phase: 'read', doneBytes, totalBytes: 0 });
    passMs(1000);
    doneBytes += mebibyte;
  }
  assert.match(written.at(-1) ?? '', /1 MiB\/s/);
  line.update({ phase: 'read', doneBytes: doneBytes + 99 * mebibyte, totalBytes: 0 });
  const jumped = Number(/([\d.]+) MiB\/s/.exec(written.at(-1) ?? '')?.[1]);
  assert.ok(jumped > 2 && jumped < 60, `one sample of 100 MiB/s moved the rate to ${jumped} MiB/s`);
  line.update({ phase: 'verify', doneBytes: 0, totalBytes: 0 });
  assert.doesNotMatch(written.at(-1) ?? '', /\/s/);
});

test('the line is erased at the end, after a failure too', async () => {
  const { written, context } = fakeTerminal();
  await assert.rejects(
    withProgress(context, false, async ({ onProgress }) => {
      onProgress?.({ phase: 'read', doneBytes: 1, totalBytes: 2 });
      throw new Error('stop');
    }),
    /stop/,
  );
  assert.equal(written.length, 2);
  assert.equal(written[1], '\r\x1b[K');
});

test('nothing is drawn into a pipe, beside JSON or on a dumb terminal', async () => {
  const { written, context } = fakeTerminal();
  const pipe = { ...context, stderr: { ...context.stderr, isTTY: false } };
  const dumb = { ...context, environment: { TERM: 'dumb' } };
  for (const [quiet, json] of [
    [pipe, false],
    [context, true],
    [dumb, false],
  ] as const) {
    assert.equal(await withProgress(quiet, json, async ({ onProgress }) => onProgress), undefined);
  }
  assert.deepEqual(written, []);
});
