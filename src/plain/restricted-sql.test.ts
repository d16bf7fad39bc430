import assert from 'node:assert/strict';
import { test } from 'node:test';
import { restrictedSql } from './restricted-sql.ts';

async function restricted(text: string, pieceBytes: number): Promise<string> {
  const pieces = async function* () {
    for (let at = 0; at < text.length; at += pieceBytes) yield Buffer.from(text.slice(at, at + pieceBytes), 'latin1');
  };
  let whole = '';
  for await (const chunk of restrictedSql(pieces())) whole += Buffer.from(chunk).toString('latin1');
  const [, rest = ''] = /^\\restrict [0-9a-f]{64}\n(.*)$/s.exec(whole) ?? assert.fail(whole.slice(0, 100));
  return rest;
}

const head = '--\n-- PostgreSQL database dump\n--\n\n';
const rows = 'COPY a FROM stdin;\n\\restrict key\n\\N\n\\.\n'.repeat(700);
const tail = '--\n-- PostgreSQL database dump complete\n--\n\n';

for (const pieceBytes of [1, 700, 100_000]) {
  for (const body of [rows, 'SELECT 1;\n']) {
    const length = body.length;
    test(`pieces of ${pieceBytes}, ${length} bytes: the dump's own restriction makes way, and nothing else`, async () => {
      const own = `${head}\\restrict key\n\n${body}${tail}\\unrestrict key\n\n`;
      assert.equal(await restricted(own, pieceBytes), `${head}\n${body}${tail}`);
      const none = `${head}${body}${tail}`;
      assert.equal(await restricted(none, pieceBytes), none);
      const another = `${head}\\restrict key\n${body}\\unrestrict other\n`;
      assert.equal(await restricted(another, pieceBytes), `${head}${body}\\unrestrict other\n`);
      const late = `${head}SELECT 1;\n\\restrict key\n${body}\\unrestrict key\n`;
      assert.equal(await restricted(late, pieceBytes), late);
    });
  }
}
