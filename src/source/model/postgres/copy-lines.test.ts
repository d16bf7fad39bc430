import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CopyToLines } from './copy-to-lines.ts';
import { LinesToCopy } from './lines-to-copy.ts';

type Row = (string | null)[];

const escapes: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
};

/** Rows as the server writes them. */
function copyText(rows: readonly Row[]): string {
  const field = (value: string | null) =>
    value === null ? '\\N' : value.replace(/[\\\b\f\n\r\t\v]/g, (character) => escapes[character] ?? character);
  return rows.map((row) => `${row.map(field).join('\t')}\n`).join('');
}

function inPieces(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0, index = 0; at < bytes.length; index += 1) {
    const size = Math.max(1, sizes[index % sizes.length] ?? 1);
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return pieces;
}

function toLines(pieces: readonly Buffer[], columnCount: number): string {
  const conversion = new CopyToLines(columnCount);
  const made = pieces.map((piece) => {
    const out = Buffer.alloc(CopyToLines.room(piece.length));
    return Buffer.from(out.subarray(0, conversion.convert(piece, out)));
  });
  return Buffer.concat(made).toString('utf8');
}

function toCopy(pieces: readonly Buffer[], columns: readonly string[], isSkipped: readonly boolean[] = []): string {
  const conversion = new LinesToCopy({ model: 'invoice', columns, isSkipped });
  const made = pieces.map((piece) => {
    const out = Buffer.alloc(piece.length + 8);
    return Buffer.from(out.subarray(0, conversion.convert(piece, out)));
  });
  conversion.finish();
  return Buffer.concat(made).toString('utf8');
}

const text = fc.string({ unit: 'binary' }).map((value) => value.replaceAll('\0', '').toWellFormed());
const control = fc.constantFrom('\\N', '\\.', '"', '\\', '\n', '\t', '\v', '\u0001', '\u007f', '💾', '');
const value = fc.option(
  fc.oneof(
    text,
    control,
    fc.array(control).map((parts) => parts.join('')),
  ),
  { nil: null },
);
const table = fc
  .integer({ min: 1, max: 4 })
  .chain((width) => fc.array(fc.array(value, { minLength: width, maxLength: width }), { maxLength: 5 }));
const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 });

test('rows of COPY become lines of JSON, and these rows of COPY again, in pieces of any size', () => {
  fc.assert(
    fc.property(table, sizes, sizes, (rows, first, second) => {
      const width = rows[0]?.length ?? 1;
      const lines = toLines(inPieces(Buffer.from(copyText(rows)), first), width);
      const parsed = lines
        .split('\n')
        .slice(0, -1)
        .map((line): unknown => JSON.parse(line));
      assert.deepEqual(parsed, rows);
      const columns = Array.from({ length: width }, (_, index) => `c${index}`);
      const back = toCopy(inPieces(Buffer.from(lines), second), columns);
      // A control character that COPY escapes may stand for itself as well.
      assert.equal(back.replaceAll('\v', '\\v'), copyText(rows).replaceAll('\v', '\\v'));
    }),
    { numRuns: 500 },
  );
});

test('other escapes of JSON mean the same', () => {
  const lines = Buffer.from('["\\u0041\\/\\ud83d\\udcbe\\u00e9\\u0009\\u005c"]\n');
  for (let size = 1; size < lines.length; size += 1) {
    assert.equal(toCopy(inPieces(lines, [size]), ['a']), 'A/💾é\\t\\\\\n', `pieces of ${size}`);
  }
});

test('columns that the target does not have are passed over', () => {
  const lines = Buffer.from('["1",null,"a\\nb"]\n["2","x",null]\n');
  assert.equal(toCopy([lines], ['a', 'b', 'c'], [false, true, false]), '1\ta\\nb\n2\t\\N\n');
  assert.equal(toCopy([lines], ['a', 'b', 'c'], [true, false, false]), '\\N\ta\\nb\nx\t\\N\n');
});

test('rows of no columns are rows', () => {
  assert.equal(toLines([Buffer.from('\n\n')], 0), '[]\n[]\n');
  assert.equal(toCopy([Buffer.from('[]\n[]\n')], []), '\n\n');
});

test('what no backup wrote is refused by line', () => {
  const faults: readonly (readonly [string, RegExp])[] = [
    ['["a"]\n["b"', /line 2 .* does not end/],
    ['["a","b"]\n', /no list of 1 values/],
    ['[]\n', /missing/],
    ['[1]\n', /neither text nor null/],
    ['[nil!]\n', /neither text nor null/],
    ['["\\ud83d"]\n', /lone surrogate/],
    ['["\\ud83dx"]\n', /lone surrogate/],
    ['["\\udcbe"]\n', /lone surrogate/],
    ['["a\tb"]\n', /control character/],
    ['["\\x"]\n', /escape/],
    ['["a""b"]\n', /neither text nor null/],
    ['{"a":1}\n', /no list/],
  ];
  for (const [lines, message] of faults) {
    assert.throws(() => toCopy([Buffer.from(lines)], ['a']), { code: 'archive.corrupt', message }, lines);
  }
  const nul = Buffer.from('["a"]\n["x\\u0000"]\n');
  assert.throws(() => toCopy([nul], ['body']), {
    code: 'target.incompatible',
    message: 'invoice.body, row 2: the text holds U+0000, which PostgreSQL does not take',
  });
});
