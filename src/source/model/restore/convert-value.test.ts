import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ModelType } from '../model-type.ts';
import { canBecome, converterFor, digitsOf } from './convert-value.ts';

const decimal = (precision: number, scale: number): ModelType => ({ kind: 'decimal', precision, scale });
const timestamp = (precision: number, hasZone = false): ModelType => ({ kind: 'timestamp', precision, hasZone });
const integer: ModelType = { kind: 'integer', bits: 64, isUnsigned: false };
const text: ModelType = { kind: 'text' };

function become(source: ModelType, target: ModelType, value: string): string | undefined {
  assert.ok(canBecome(source, target));
  const convert = converterFor(source, target);
  return convert === undefined ? value : convert(value);
}

test('digits that have no place are refused, on both sides of the limit', () => {
  const wide: ModelType = { kind: 'decimal' };
  const cases: readonly (readonly [ModelType, string, boolean])[] = [
    [decimal(5, 2), '999.99', true],
    [decimal(5, 2), '-999.9900', true],
    [decimal(5, 2), '999.999', false],
    [decimal(5, 2), '1000', false],
    [decimal(5, 2), '0.001', false],
    [decimal(5, 2), '000999.99', true],
    [decimal(5, 2), '0', true],
    [decimal(5, 2), '0.000', true],
    [decimal(5, 2), '1e2', true],
    [decimal(5, 2), '1e3', false],
    [decimal(5, 2), '1.5e-1', true],
    [decimal(5, 2), '1.5e-2', false],
    [decimal(3, -2), '12300', true],
    [decimal(3, -2), '12310', false],
    [decimal(3, 5), '0.00123', true],
    [decimal(3, 5), '0.01234', false],
  ];
  for (const [target, value, fits] of cases) {
    assert.equal(become(wide, target, value), fits ? value : undefined, `${value} in ${JSON.stringify(target)}`);
  }
});

test('fractions of a second that have no place are refused', () => {
  assert.equal(become(timestamp(6), timestamp(3), '2020-01-01 00:00:00.123'), '2020-01-01 00:00:00.123');
  assert.equal(become(timestamp(6), timestamp(3), '2020-01-01 00:00:00.123000'), '2020-01-01 00:00:00.123000');
  assert.equal(become(timestamp(6), timestamp(3), '2020-01-01 00:00:00.1234'), undefined);
  assert.equal(become(timestamp(6, true), timestamp(0, true), '2020-01-01 00:00:00.1+00'), undefined);
});

test('moments have UTC for their zone where they have none', () => {
  assert.equal(become(timestamp(6), timestamp(6, true), '2020-01-01 00:00:00'), '2020-01-01 00:00:00+00');
  assert.equal(become(timestamp(6), timestamp(6, true), '0044-03-15 00:00:00 BC'), '0044-03-15 00:00:00+00 BC');
  assert.equal(become(timestamp(6, true), timestamp(6), '2020-01-01 00:00:00.5+00'), '2020-01-01 00:00:00.5');
  assert.equal(become(timestamp(6, true), timestamp(6), 'infinity'), 'infinity');
});

test('dates and moments become one another where nothing is lost', () => {
  assert.equal(become({ kind: 'date' }, timestamp(6), '2020-01-01'), '2020-01-01 00:00:00');
  assert.equal(become({ kind: 'date' }, timestamp(6), '0044-03-15 BC'), '0044-03-15 00:00:00 BC');
  assert.equal(become(timestamp(6), { kind: 'date' }, '2020-01-01 00:00:00'), '2020-01-01');
  assert.equal(become(timestamp(6), { kind: 'date' }, '2020-01-01 00:00:01'), undefined);
});

test('yes and no, and whole numbers', () => {
  assert.equal(become({ kind: 'boolean' }, integer, 't'), '1');
  assert.equal(become(integer, { kind: 'boolean' }, '0'), 'f');
  assert.equal(become(integer, { kind: 'boolean' }, '2'), undefined);
  assert.equal(become(decimal(10, 2), integer, '12.00'), '12');
  assert.equal(become(decimal(10, 2), integer, '12.01'), undefined);
});

test('numbers of fewer bits are those that are written alike', () => {
  const [wide, narrow]: ModelType[] = [
    { kind: 'float', bits: 64 },
    { kind: 'float', bits: 32 },
  ];
  assert.ok(wide && narrow);
  assert.equal(become(wide, narrow, '0.1'), '0.1');
  assert.equal(become(wide, narrow, '0.30000000000000004'), undefined);
  assert.equal(become(decimal(20, 2), wide, '1234567890123.25'), '1234567890123.25');
  assert.equal(become(decimal(20, 2), wide, '12345678901234.25'), undefined);
});

test('texts are measured in characters', () => {
  const target: ModelType = { kind: 'text', maximumLength: 2 };
  assert.equal(become(text, target, '💾💾'), '💾💾');
  assert.equal(become(text, target, '💾💾 '), undefined);
});

test('what can never be the other is known before a value is seen', () => {
  assert.ok(!canBecome({ kind: 'bytes' }, text));
  assert.ok(!canBecome(text, { kind: 'bytes' }));
  assert.ok(!canBecome(timestamp(6), integer));
  assert.ok(!canBecome(integer, timestamp(6)));
  assert.ok(!canBecome({ kind: 'time', precision: 6, hasZone: false }, timestamp(6)));
  assert.ok(canBecome({ kind: 'geometry' }, { kind: 'bytes' }));
});

test('significant digits', () => {
  for (const [value, digits] of [
    ['0.000', 0],
    ['-0.0010', 1],
    ['120', 3],
    ['1.20e+30', 2],
  ] as const) {
    assert.equal(digitsOf(value), digits, value);
  }
});
