import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type LineRow, readLines } from './read-lines.ts';

async function read(text: string, columnCount: number, pieceBytes = text.length): Promise<LineRow[]> {
  const bytes = Buffer.from(text);
  async function* pieces() {
    for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
  }
  const rows: LineRow[] = [];
  for await (const some of readLines(pieces(), { model: 'm', columnCount })) rows.push(...some);
  return rows;
}

const lines = [
  ['a', null],
  ['with "quotes", [brackets] and {"braces":1}', '\n\t\\'],
  ['ß€😀', ''],
];

test('rows are those of the lines, whatever their values, in pieces of any size', async () => {
  const all = [...lines, [{ blob: '\\x00' }, { integer: '7' }], ['\u0001', 'x']];
  for (const some of [lines, all]) {
    const text = some.map((row) => `${JSON.stringify(row)}\n`).join('');
    for (const pieceBytes of [1, 7, text.length * 4]) assert.deepEqual(await read(text, 2, pieceBytes), some);
  }
  assert.deepEqual(await read('[]\n[]\n', 0), [[], []]);
});

test('lines that only together are JSON are refused by their number', async () => {
  const broken: [string, RegExp][] = [
    ['["a","b"]\n["c",\n"d"]\n', /line 2 .*it is not JSON/],
    ['["a","b"],["c","d"]\n["e","f"]\n', /line 1 .*it is not JSON/],
    ['["a","b"],["c"\n"d"]\n', /line 1 .*it is not JSON/],
    ['["a",["b"]\n["c"],"d"]\n', /line 1 .*it is not JSON/],
    ['["a","b"]\n\n["c","d"]\n', /line 2 .*it is not JSON/],
    ['["a","b"]\n["c"]\n', /line 2 .*no list of 2 values/],
    ['["a","b"]\n["c",1]\n', /line 2 .*neither text nor null/],
    ['["a","b"]\n["c",["d"]]\n', /line 2 .*neither text nor null/],
    ['["a","b"]\n["c","\\ud800"]\n', /line 2 .*lone surrogate/],
    ['["a","b"]\n["c","d"]', /line 2 .*it does not end/],
  ];
  for (const [text, message] of broken) await assert.rejects(read(text, 2), { code: 'archive.corrupt', message });
});
