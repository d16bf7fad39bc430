import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CopyRows } from './copy-rows.ts';

function message(type: string, payload: string): Buffer {
  const body = Buffer.from(payload);
  const header = Buffer.alloc(5);
  header.write(type);
  header.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([header, body]);
}

const long = `${'x'.repeat(100)}\n`;
const messages = [
  message('H', 'formats'),
  message('d', 'a\t1\n'),
  message('N', 'a notice'),
  message('d', '\n'),
  message('d', ''),
  message('d', long),
  message('S', 'a setting'),
  message('d', 'last\n'),
  message('c', ''),
  message('C', 'COPY 4\0'),
  message('Z', 'T'),
];
const bytes = Buffer.concat(messages);
const rows = `a\t1\n\n${long}last\n`;
const others = messages.filter((each) => each[0] !== 0x64).map(String);

/** Reads with chunks and room of the given sizes; what was passed on came in its place. */
function readAll(chunks: readonly Buffer[], roomBytes: number, softBytes = Number.POSITIVE_INFINITY) {
  const passed: string[] = [];
  const seen: string[] = [];
  let text = '';
  const reader = new CopyRows((each) => {
    passed.push(String(each));
    seen.push(`${String.fromCharCode(each[0] ?? 0)}@${text.length}`);
  });
  const into = Buffer.alloc(roomBytes);
  const drain = () => {
    for (let length = reader.take(into, softBytes); length > 0; length = reader.take(into, softBytes)) {
      text += into.toString('latin1', 0, length);
    }
  };
  for (const chunk of chunks) {
    reader.add(chunk);
    drain();
  }
  return { text, passed, seen, reader };
}

describe('CopyRows', () => {
  it('finds rows and other messages whatever boundary the chunks have', () => {
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      const { text, passed, reader } = readAll([bytes.subarray(0, cut), bytes.subarray(cut)], 4096);
      assert.equal(text, rows, `cut at ${cut}`);
      assert.deepEqual(passed, others);
      assert.equal(reader.rowCount, 4);
      assert.equal(reader.bufferedBytes, 0);
    }
  });

  it('finds them byte by byte, and with any room', () => {
    const single = Array.from(bytes, (_, index) => bytes.subarray(index, index + 1));
    for (const roomBytes of [1, 2, 3, 7, 47, 48, 49, 101, 1000]) {
      for (const chunks of [[bytes], single]) {
        const { text, passed, reader } = readAll(chunks, roomBytes);
        assert.equal(text, rows);
        assert.deepEqual(passed, others);
        assert.equal(reader.rowCount, 4);
      }
    }
  });

  it('passes other messages on after the rows before them were taken', () => {
    assert.deepEqual(readAll([bytes], 1).seen, [
      'H@0',
      'N@4',
      `S@${rows.length - 5}`,
      `c@${rows.length}`,
      `C@${rows.length}`,
      `Z@${rows.length}`,
    ]);
  });

  it('stops at the first end of a row after the soft limit, and never within one', () => {
    const reader = new CopyRows(() => undefined);
    reader.add(bytes);
    const into = Buffer.alloc(1000);
    assert.equal(reader.take(into, 4), 4);
    assert.equal(reader.take(into, 2), 1 + long.length);
    assert.ok(reader.isBetweenRows);
    const small = new CopyRows(() => undefined);
    small.add(bytes);
    assert.equal(small.take(into.subarray(0, 3), 1), 3);
    assert.ok(!small.isBetweenRows);
    assert.equal(small.take(into, 1), 1);
    assert.ok(small.isBetweenRows);
  });

  it('gives its memory back when it is closed, and does not wait for it to be collected', () => {
    const reader = new CopyRows(() => undefined);
    reader.add(message('d', 'x'.repeat(1_000_000)));
    const held = process.memoryUsage().arrayBuffers;
    reader.close();
    assert.ok(held - process.memoryUsage().arrayBuffers >= 1_000_000);
    assert.equal(reader.bufferedBytes, 0);
  });
});
