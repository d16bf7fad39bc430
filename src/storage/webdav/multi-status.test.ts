import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DavResource, parseMultiStatus } from './multi-status.ts';

async function parse(text: string, pieceLength = text.length): Promise<DavResource[]> {
  const body = async function* () {
    const bytes = Buffer.from(text);
    for (let offset = 0; offset < bytes.length; offset += pieceLength)
      yield bytes.subarray(offset, offset + pieceLength);
  };
  const found: DavResource[] = [];
  for await (const resource of parseMultiStatus(body(), 'https://dav.example')) found.push(resource);
  return found;
}

const answer = `<?xml version="1.0" encoding="utf-8"?>
<x:multistatus xmlns:x="DAV:" xmlns:o="http://other.example/">
  <x:response>
    <x:href>https://dav.example/f/</x:href>
    <x:propstat><x:prop><x:resourcetype><x:collection/></x:resourcetype></x:prop><x:status>HTTP/1.1 200 OK</x:status></x:propstat>
    <x:propstat><x:prop><x:getcontentlength/><x:getetag/></x:prop><x:status>HTTP/1.1 404 Not Found</x:status></x:propstat>
  </x:response>
  <x:response>
    <x:href>/f/a%20&amp;%C3%A9</x:href>
    <x:propstat><x:prop><x:resourcetype/><o:getcontentlength>1</o:getcontentlength><x:getcontentlength>42</x:getcontentlength>
    <x:getlastmodified>Sat, 28 Nov 2026 00:44:00 GMT</x:getlastmodified><x:getetag><![CDATA[W/"28-66"]]></x:getetag></x:prop></x:propstat>
  </x:response>
</x:multistatus>`;

test('files and folders are read, whatever the prefixes are and wherever the answer is cut', async () => {
  const expected = [
    { href: '/f/', isFolder: true, sizeBytes: 0, modifiedMs: 0, etag: '' },
    {
      href: '/f/a%20&%C3%A9',
      isFolder: false,
      sizeBytes: 42,
      modifiedMs: Date.UTC(2026, 10, 28, 0, 44),
      etag: '"28-66"',
    },
  ];
  for (const pieceLength of [1, 7, answer.length]) assert.deepEqual(await parse(answer, pieceLength), expected);
});

test('what is no such answer is refused', async () => {
  const bad = [
    '',
    '<html><body>Log in',
    '<html xmlns="http://www.w3.org/1999/xhtml"></html>',
    answer.slice(0, 500),
    `<!DOCTYPE x [<!ENTITY e "${'e'.repeat(99)}">]><x:multistatus xmlns:x="DAV:">&e;</x:multistatus>`,
  ];
  for (const text of bad)
    await assert.rejects(parse(text), { code: 'storage.failed', message: /not one of a WebDAV server/ });
});
