import assert from 'node:assert/strict';
import { test } from 'node:test';
import { excludedText } from './excluded-text.ts';
import type { ModelType } from './model-type.ts';
import type { ExcludedValue } from './registry/field-kind.ts';

test('what is put into a column that was left out is of its type, as values stand in the archive', () => {
  const integer: ModelType = { kind: 'integer', bits: 32, isUnsigned: false };
  const cases: readonly [NonNullable<ExcludedValue>, ModelType, string | undefined][] = [
    ['', { kind: 'text' }, ''],
    ['abcd', { kind: 'text', maximumLength: 3 }, undefined],
    ['\ud800', { kind: 'text' }, undefined],
    [0, integer, '0'],
    [2n ** 60n, integer, '1152921504606846976'],
    [1.5, integer, undefined],
    [true, integer, '1'],
    ['', integer, undefined],
    [false, { kind: 'boolean' }, 'f'],
    [1, { kind: 'boolean' }, 't'],
    ['yes', { kind: 'boolean' }, undefined],
    [1.5, { kind: 'decimal', precision: 4, scale: 2 }, '1.5'],
    ['', { kind: 'bytes' }, '\\x'],
    ['\\x0g', { kind: 'bytes' }, undefined],
    ['new', { kind: 'enum', values: ['new', 'old'] }, 'new'],
    ['lost', { kind: 'enum', values: ['new', 'old'] }, undefined],
    ['2020-01-01', { kind: 'date' }, '2020-01-01'],
  ];
  for (const [value, type, expected] of cases)
    assert.equal(excludedText(value, type), expected, `${String(value)} ${type.kind}`);
});
