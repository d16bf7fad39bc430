/** What a browser sends: forms with files, and headers. */
import assert from 'node:assert/strict';
import { HoldfastError } from '../../../src/errors.ts';
import { readRange } from '../../../src/web/api/send-download.ts';
import { contentDisposition } from '../../../src/web/security/content-disposition.ts';
import { boundaryOf, readParts } from '../../../src/web/security/multipart.ts';
import type { FuzzTarget } from '../target.ts';

const boundary = 'XyZ';
const form = (...parts: string[]) =>
  Buffer.from(`${parts.map((part) => `--${boundary}\r\n${part}\r\n`).join('')}--${boundary}--\r\n`);
const field = 'content-disposition: form-data; name="csrf"\r\n\r\ntoken';
const file =
  'Content-Disposition: form-data; name="file"; filename="a%22b.holdfast"\r\nContent-Type: x/y\r\n\r\nsome\r\n--Xy bytes';

async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}

interface Read {
  readonly parts: readonly (readonly [string, string | undefined, string])[];
  readonly code: string | undefined;
}

async function readForm(bytes: Uint8Array, size: number): Promise<Read> {
  const parts: [string, string | undefined, string][] = [];
  try {
    for await (const { name, fileName, bytes: body } of readParts(inPieces(bytes, size), boundary)) {
      const pieces: Uint8Array[] = [];
      for await (const piece of body) pieces.push(Buffer.from(piece));
      parts.push([name, fileName, Buffer.concat(pieces).toString('latin1')]);
    }
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== 'request.invalid') throw error;
    return { parts, code: error.code };
  }
  return { parts, code: undefined };
}

/** A form is read alike in whatever pieces it comes, and nothing comes out that was not put in. */
export const uploadTarget: FuzzTarget = {
  name: 'upload',
  seeds: [
    form(field, file),
    form(field),
    form(file, file),
    Buffer.from(`preamble\r\n${form(field).toString()}epilogue`),
    form(field, 'x: y\r\n\r\n'),
  ],
  words: [
    `--${boundary}`,
    `\r\n--${boundary}--`,
    '\r\n',
    '\r\n\r\n',
    'name="',
    'filename="',
    'content-disposition: form-data;',
    '%22',
    '"',
    'bytes=0-5',
    'bytes=9-',
    '\0',
  ],
  maximumBytes: 16 * 1024,
  limitMs: 2000,
  async run(bytes) {
    const whole = await readForm(bytes, Math.max(1, bytes.length));
    for (const size of [1, 7]) assert.deepEqual(await readForm(bytes, size), whole, `in pieces of ${size}`);
    const taken = whole.parts.reduce((sum, [, , body]) => sum + body.length, 0);
    assert.ok(taken <= bytes.length);
    const text = Buffer.from(bytes).toString('latin1');
    try {
      assert.ok(boundaryOf(text).length <= 70);
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
    }
    const range = readRange(text);
    assert.ok(range === undefined || Number.isSafeInteger(range.startBytes));
    const name = Buffer.from(bytes).toString('utf8');
    const header = contentDisposition(name);
    assert.doesNotMatch(header, /[^\x20-\x7e]/, 'a name ends the header');
    assert.equal(new Headers({ 'content-disposition': header }).get('content-disposition'), header);
  },
};
