/** What a server says that a folder holds. */
import assert from 'node:assert/strict';
import { HoldfastError } from '../../../src/errors.ts';
import { type DavResource, parseMultiStatus } from '../../../src/storage/webdav/multi-status.ts';
import { nameOf } from '../../../src/storage/webdav/webdav-folder.ts';
import type { FuzzTarget } from '../target.ts';

const file = (href: string, size: string) =>
  `<D:response><D:href>${href}</D:href><D:propstat><D:prop><D:resourcetype/><D:getcontentlength>${size}</D:getcontentlength>` +
  '<D:getlastmodified>Mon, 12 Jan 2026 02:00:00 GMT</D:getlastmodified><D:getetag>W/"a"</D:getetag></D:prop></D:propstat></D:response>';
const folder =
  '<D:response><D:href>/dav/</D:href><D:prop><D:resourcetype><D:collection/></D:resourcetype></D:prop></D:response>';
const answer = (...responses: string[]) =>
  Buffer.from(`<?xml version="1.0"?><D:multistatus xmlns:D="DAV:">${responses.join('')}</D:multistatus>`);

async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}

async function read(bytes: Uint8Array, size: number): Promise<readonly DavResource[] | string> {
  const found: DavResource[] = [];
  try {
    for await (const resource of parseMultiStatus(inPieces(bytes, size), 'dav')) found.push(resource);
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== 'storage.failed') throw error;
    return error.code;
  }
  return found;
}

/** A listing is refused, or is of things with sizes and times, in whatever pieces it comes. */
export const listingTarget: FuzzTarget = {
  name: 'listing',
  seeds: [
    answer(folder, file('/dav/shop.holdfast', '4096'), file('http://h/dav/a%20b', '0')),
    answer(folder),
    answer(),
  ],
  words: [
    '<D:response>',
    '</D:response>',
    '<D:href>',
    '<D:collection/>',
    '<![CDATA[',
    ']]>',
    '&#0;',
    '&amp;',
    '%2F',
    '%',
    '-1',
    '1e99',
    '0x10',
    '<!DOCTYPE x [<!ENTITY a "b">]>',
  ],
  maximumBytes: 8192,
  limitMs: 1000,
  async run(bytes) {
    const whole = await read(bytes, Math.max(1, bytes.length));
    assert.deepEqual(await read(bytes, 3), whole, 'in pieces');
    if (typeof whole === 'string') return;
    for (const resource of whole) {
      const { sizeBytes, modifiedMs } = resource;
      assert.ok(Number.isSafeInteger(sizeBytes) && sizeBytes >= 0, `it has ${sizeBytes} bytes`);
      assert.ok(Number.isSafeInteger(modifiedMs), `it is of ${modifiedMs}`);
      assert.ok(nameOf(resource)?.includes('\0') !== true || resource.href.includes('%00'));
    }
  },
};
