import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  cutToWidth,
  displayWidth,
  formatDuration,
  formatMoment,
  formatNumberOf,
  formatSize,
  printable,
} from './format-value.ts';

test('sizes have three digits at most and the unit that fits', () => {
  const rows: [number, string][] = [
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1 KiB'],
    [1536, '1.5 KiB'],
    [102_348, '99.9 KiB'],
    [102_400, '100 KiB'],
    [1024 * 1024, '1 MiB'],
    [4.2 * 1024 ** 4, '4.2 TiB'],
  ];
  for (const [sizeBytes, text] of rows) assert.equal(formatSize(sizeBytes), text);
});

test('a span changes its form at ten seconds, a minute and an hour', () => {
  const rows: [number, string][] = [
    [0, '0.0 s'],
    [9_940, '9.9 s'],
    [9_960, '10 s'],
    [59_400, '59 s'],
    [59_600, '1 min 00 s'],
    [3_599_000, '59 min 59 s'],
    [3_600_000, '1 h 00 min'],
  ];
  for (const [durationMs, text] of rows) assert.equal(formatDuration(durationMs), text);
});

test('counts and moments read well', () => {
  assert.equal(formatNumberOf(1, 'copy', 'copies'), '1 copy');
  assert.equal(formatNumberOf(12_345, 'copy', 'copies'), '12,345 copies');
  assert.equal(formatMoment(0), '1970-01-01 00:00:00 UTC');
});

test('names cannot steer the terminal or break a line', () => {
  assert.equal(printable('a\nb'), 'a\u{fffd}b');
  assert.equal(printable('\x1b[2Jgone'), 'gone');
  assert.equal(printable('\u202egnp.exe'), '\u{fffd}gnp.exe');
  assert.equal(printable('Grüße 你好'), 'Grüße 你好');
});

test('a cut text is never wider than asked, and is whole where it fits', () => {
  assert.equal(cutToWidth('abcdef', 6), 'abcdef');
  assert.equal(cutToWidth('abcdefg', 6), 'abcde…');
  assert.equal(cutToWidth('你好你好', 6), '你好…');
  assert.equal(cutToWidth('abc', 0), '');
  const property = fc.property(fc.string({ unit: 'grapheme' }), fc.nat(40), (text, width) => {
    const cut = cutToWidth(printable(text), width);
    assert.ok(displayWidth(cut) <= width, `${JSON.stringify(cut)} is wider than ${width}`);
  });
  fc.assert(property, { seed: 7, numRuns: 500 });
});
