import { systemRandom } from '../random.ts';

const edgeBytes = 4096;
const ownStart = /^((?:--[^\n]*\n|\n)*)\\restrict ([A-Za-z0-9]+)\n/;

/**
 * Statements of `pg_dump` for `psql`, which runs none of its own commands in them: in a file from elsewhere `\!` would start any program. That is
 * what `\restrict` is for, with a key that the file cannot know; the dump's own restriction makes way for it. Needs a `psql` of August 2025 or later
 * (13.22, 14.19, 15.14, 16.10, 17.6).
 */
export async function* restrictedSql(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const key = Buffer.from(systemRandom.bytes(32)).toString('hex');
  yield Buffer.from(`\\restrict ${key}\n`);
  let ownKey: string | undefined;
  let isBegun = false;
  let held: Buffer = Buffer.alloc(0);
  for await (const chunk of bytes) {
    held = Buffer.concat([held, chunk]);
    if (!isBegun) {
      if (held.length < edgeBytes) continue;
      ({ rest: held, ownKey } = withoutStart(held));
      isBegun = true;
    }
    if (held.length <= edgeBytes) continue;
    yield held.subarray(0, held.length - edgeBytes);
    held = Buffer.from(held.subarray(held.length - edgeBytes));
  }
  if (!isBegun) ({ rest: held, ownKey } = withoutStart(held));
  yield withoutEnd(held, ownKey);
}

function withoutStart(head: Buffer): { readonly rest: Buffer; readonly ownKey: string | undefined } {
  const [whole, comments = '', ownKey] = ownStart.exec(head.toString('latin1')) ?? [];
  if (whole === undefined) return { rest: head, ownKey: undefined };
  return { rest: Buffer.concat([Buffer.from(comments, 'latin1'), head.subarray(whole.length)]), ownKey };
}

function withoutEnd(tail: Buffer, ownKey: string | undefined): Buffer {
  if (ownKey === undefined) return tail;
  const text = tail.toString('latin1');
  const end = `\n\\unrestrict ${ownKey}`;
  return text.trimEnd().endsWith(end) ? tail.subarray(0, text.trimEnd().length - end.length + 1) : tail;
}
