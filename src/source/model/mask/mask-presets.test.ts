import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { HoldfastError } from '../../../errors.ts';
import { createMasker, maskKey } from './create-masker.ts';
import type { Mask } from './mask.ts';
import { maskConstant, maskEmail, maskHash, maskName, maskPhone, maskText } from './mask-presets.ts';

const archive = maskKey(new TextEncoder().encode('the data key of an archive'));
const anotherArchive = maskKey(new TextEncoder().encode('the data key of another one'));

interface Column {
  readonly required?: boolean;
  readonly maxLengthCharacters?: number;
  readonly key?: Uint8Array;
  readonly model?: string;
  readonly field?: string;
}

/** What a mask makes of one value. */
function maskOf(mask: Mask, value: unknown, column: Column = {}): unknown {
  const { required = false, maxLengthCharacters, key = archive, model = 'Customer', field = 'email' } = column;
  const limit = maxLengthCharacters === undefined ? {} : { maxLengthCharacters };
  const masker = createMasker({ model, key, fields: [{ field, column: 'c', mask, required, ...limit }] });
  return masker({ c: value, other: 1 })['c'];
}

const text = { email: maskEmail(), name: maskName(), phone: maskPhone(), text: maskText(), hash: maskHash() };

test('presets give what they say', () => {
  const value = 'Anna.Beispiel@firma.example';
  const shape = (mask: Mask) => String(maskOf(mask, value));
  assert.match(shape(text.email), /^user-[0-9a-f]{16}@example\.com$/);
  assert.match(shape(maskEmail({ domain: 'staging.test' })), /@staging\.test$/);
  assert.match(shape(text.name), /^[A-Z][a-z]+ [A-Z][a-z]+$/);
  assert.match(shape(maskName({ part: 'given' })), /^[A-Z][a-z]+$/);
  assert.match(shape(text.phone), /^\+999\d{10}$/);
  assert.match(shape(text.hash), /^[0-9a-f]{32}$/);
  assert.match(shape(maskHash({ lengthCharacters: 8, prefix: 'K-' })), /^K-[0-9a-f]{8}$/);
  assert.equal(maskOf(maskConstant(7), value), 7);
});

test('these are the values: another version must not mask differently what a staging database already holds', () => {
  const values = Object.fromEntries(
    Object.entries(text).map(([name, mask]) => [name, maskOf(mask, 'ada@shop.example')]),
  );
  assert.deepEqual(values, {
    email: 'user-b27bfc8266231f74@example.com',
    name: 'Amir Bauer',
    phone: '+9997876109172',
    text: 'aliqua enim ad m',
    hash: 'b27bfc8266231f74250062d0722d0324',
  });
});

test('free text keeps its length and its lines', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ maxLength: 80 }).map((line) => line.replace(/[\r\n]/g, ' '))), (lines) => {
      const masked = String(maskOf(text.text, lines.join('\n'))).split('\n');
      assert.deepEqual(
        masked.map((line) => line.length),
        lines.length === 0 ? [0] : lines.map((line) => line.length),
      );
      assert.ok(masked.every((line) => !line.endsWith(' ')));
    }),
  );
  assert.match(String(maskOf(text.text, 'a private note\r\nand another')), /^[a-z .]{14}\r\n[a-z .]{11}$/);
});

test('the same value is masked alike in every model and field, and otherwise in another archive', () => {
  for (const mask of Object.values(text)) {
    const value = 'ada@shop.example, a customer since the very first day';
    assert.equal(maskOf(mask, value), maskOf(mask, value, { model: 'Order', field: 'customerEmail' }));
    assert.notEqual(maskOf(mask, value), maskOf(mask, value, { key: anotherArchive }));
    assert.notEqual(maskOf(mask, value), value);
  }
});

test('different values stay different where a column may be unique', () => {
  for (const mask of [text.email, text.hash, text.phone, maskEmail({ domain: 'x.test' })]) {
    const masked = new Set(Array.from({ length: 2000 }, (_, index) => maskOf(mask, `user${index}@shop.example`)));
    assert.equal(masked.size, 2000);
  }
});

test('null stays null, and a constant takes its place', () => {
  for (const mask of Object.values(text)) assert.equal(maskOf(mask, null), null);
  assert.equal(maskOf(maskConstant('none'), null), 'none');
});

const failsWith = (pattern: RegExp) => (error: HoldfastError) =>
  error.code === 'mask.failed' && pattern.test(error.message);

test('what a column takes is kept to, on both sides of its limit', () => {
  assert.equal(String(maskOf(text.email, 'a@b.c', { maxLengthCharacters: 25 })).length, 25);
  assert.throws(
    () => maskOf(text.email, 'a@b.c', { maxLengthCharacters: 24 }),
    failsWith(/25 characters do not fit in 24/),
  );
  assert.equal(String(maskOf(text.phone, '1', { maxLengthCharacters: 8 })).length, 8);
  assert.throws(() => maskOf(text.phone, '1', { maxLengthCharacters: 7 }), failsWith(/do not fit/));
  assert.equal(maskOf(text.hash, 'x', { maxLengthCharacters: 32 }), maskOf(text.hash, 'x'));
  assert.throws(() => maskOf(text.hash, 'x', { maxLengthCharacters: 31 }), failsWith(/do not fit/));
  assert.equal(String(maskOf(text.name, 'Anna', { maxLengthCharacters: 3 })).length, 3);
  assert.throws(() => maskOf(maskConstant('long'), 'x', { maxLengthCharacters: 3 }), failsWith(/more than the 3/));
});

test('a column that is NOT NULL gets a value', () => {
  assert.throws(() => maskOf(maskConstant(null), 'x', { required: true }), failsWith(/NOT NULL/));
  assert.throws(() => maskOf(() => undefined, 'x', { required: true }), failsWith(/NOT NULL/));
  assert.equal(
    maskOf(() => undefined, 'x'),
    null,
  );
});

test('a mask that fails names the field, and never the value', () => {
  const secret = 'ada@shop.example';
  const masks: Mask[] = [
    (value) => {
      throw new TypeError(`cannot mask ${String(value)}`);
    },
    async () => 'late',
    (value) => `${String(value)}`.repeat(9),
  ];
  for (const mask of masks) {
    assert.throws(
      () => maskOf(mask, secret, { maxLengthCharacters: 50 }),
      (error: HoldfastError) =>
        error.code === 'mask.failed' &&
        /Customer\.email/.test(error.message) &&
        !JSON.stringify(error).includes(secret),
    );
  }
  assert.throws(() => maskOf(text.email, 42), failsWith(/no text but a number/));
  assert.throws(() => maskHash({ lengthCharacters: 7 }), { code: 'config.invalid' });
  assert.throws(() => maskHash({ lengthCharacters: 65 }), { code: 'config.invalid' });
});

test('a mask of your own sees the row by its fields, as it was', () => {
  const seen: unknown[] = [];
  const masker = createMasker({
    model: 'Customer',
    key: archive,
    fieldNames: { full_name: 'fullName', e_mail: 'email' },
    fields: [
      { field: 'fullName', column: 'full_name', mask: maskConstant('X'), required: true },
      {
        field: 'email',
        column: 'e_mail',
        required: true,
        mask: (value, { row, field }) => {
          seen.push(row['fullName'], field);
          return String(value).toUpperCase();
        },
      },
      { field: 'gone', column: 'gone', mask: maskConstant(null), required: true },
    ],
  });
  const row = { full_name: 'Ada', e_mail: 'ada@shop.example', id: 7 };
  assert.deepEqual(masker(row), { full_name: 'X', e_mail: 'ADA@SHOP.EXAMPLE', id: 7 });
  assert.deepEqual(seen, ['Ada', 'email']);
  assert.equal(row.full_name, 'Ada');
});
