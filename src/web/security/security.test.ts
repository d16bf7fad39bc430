import assert from 'node:assert/strict';
import { test } from 'node:test';
import { contentDisposition } from './content-disposition.ts';
import { boundaryOf, readField, readParts } from './multipart.ts';
import { readPieces, readWhole } from './read-body.ts';

function streamOf(...pieces: string[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const piece of pieces) controller.enqueue(new TextEncoder().encode(piece));
      controller.close();
    },
  });
}

const patient = { maximumBytes: 10, idleTimeoutMs: 1000 };

test('a body is taken up to its limit, however it is declared', async () => {
  const request = (body: ReadableStream, headers = {}) =>
    new Request('http://x/', { method: 'POST', body, headers, duplex: 'half' } as RequestInit);
  assert.equal((await readWhole(request(streamOf('01234', '56789')), patient)).length, 10);
  await assert.rejects(readWhole(request(streamOf('01234', '567890')), patient), { code: 'request.too_large' });
  const declared = request(streamOf('0'), { 'content-length': '11' });
  await assert.rejects(readWhole(declared, patient), { code: 'request.too_large' });
});

test('a body that stops, or trickles, is given up', async () => {
  const never = new ReadableStream<Uint8Array>({ pull: () => new Promise(() => undefined) });
  const wait = async (durationMs: number, signal?: AbortSignal) => {
    if (durationMs === 7) return;
    await new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)));
  };
  const read = async (limits: { idleTimeoutMs: number; totalTimeoutMs?: number }) => {
    for await (const _ of readPieces(never, { maximumBytes: 10, wait, ...limits }));
  };
  await assert.rejects(read({ idleTimeoutMs: 7 }), { code: 'request.too_slow' });
});

test('a body that trickles on is given up in the end', async () => {
  let pulls = 0;
  const trickle = new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      if (++pulls > 3) return new Promise(() => undefined);
      controller.enqueue(new Uint8Array(1));
    },
  });
  const { promise: over, resolve } = Promise.withResolvers<void>();
  const wait = async (durationMs: number, signal?: AbortSignal) => {
    if (durationMs === 9) return await over;
    await new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)));
  };
  let received = 0;
  await assert.rejects(
    async () => {
      for await (const piece of readPieces(trickle, { maximumBytes: 10, idleTimeoutMs: 5, totalTimeoutMs: 9, wait })) {
        received += piece.length;
        if (received === 3) resolve();
      }
    },
    { code: 'request.too_slow' },
  );
  assert.equal(received, 3);
});

test('no name breaks out of a header', () => {
  assert.equal(
    contentDisposition('shop.holdfast'),
    `attachment; filename="shop.holdfast"; filename*=UTF-8''shop.holdfast`,
  );
  const hostile = contentDisposition('a/b"\r\nset-cookie: x=1;é\\%\ud800');
  assert.equal(
    hostile,
    `attachment; filename="b___set-cookie: x=1_____"; filename*=UTF-8''b%22%0D%0Aset-cookie%3A%20x%3D1%3B%C3%A9%5C%25%EF%BF%BD`,
  );
  new Headers({ 'content-disposition': hostile });
});

async function partsOf(body: string, step: number): Promise<string[]> {
  async function* pieces() {
    const bytes = Buffer.from(body);
    for (let at = 0; at < bytes.length; at += step) yield bytes.subarray(at, at + step);
  }
  const found: string[] = [];
  for await (const part of readParts(pieces(), 'B')) {
    found.push(`${part.name}/${part.fileName ?? '-'}=${await readField(part)}`);
  }
  return found;
}

test('forms are read however they are cut', async () => {
  const body =
    'preamble--B\r\nContent-Disposition: form-data; name="csrf"\r\n\r\nto\r\nken\r\n--B\r\n' +
    'content-disposition: form-data; name="file"; filename="a%22.bin"\r\nContent-Type: x\r\n\r\n\r\n--\r\n-B\r\n--B--';
  for (let step = 1; step <= body.length; step++) {
    assert.deepEqual(await partsOf(body, step), ['csrf/-=to\r\nken', 'file/a".bin=\r\n--\r\n-B'], `${step}`);
  }
});

test('forms that are hostile or broken are refused', async () => {
  const invalid = { code: 'request.invalid' };
  const head = '--B\r\nContent-Disposition: form-data; name="a"\r\n\r\n';
  await assert.rejects(partsOf(`${head}x`, 9), invalid, 'it breaks off');
  await assert.rejects(partsOf(`${head}x\r\n--Bx`, 9), invalid);
  await assert.rejects(partsOf(`--B\r\nContent-Type: x\r\n\r\nx\r\n--B--`, 9), invalid, 'no name');
  await assert.rejects(partsOf(`--B\r\n${'x'.repeat(9000)}\r\n\r\nx\r\n--B--`, 4096), invalid, 'a long head');
  await assert.rejects(partsOf(`${head}${'x'.repeat(9000)}\r\n--B--`, 4096), invalid, 'a long field');
  await assert.rejects(partsOf(`${`${head}x\r\n`.repeat(21)}--B--`, 64), invalid, 'many parts');
  await assert.rejects(partsOf('x'.repeat(9000), 4096), invalid, 'no boundary');
  for (const type of ['multipart/form-data', 'text/plain', `multipart/form-data; boundary=${'x'.repeat(71)}`]) {
    assert.throws(() => boundaryOf(type), invalid);
  }
  assert.equal(boundaryOf('multipart/form-data; charset=utf-8; boundary="a b"'), 'a b');
});
