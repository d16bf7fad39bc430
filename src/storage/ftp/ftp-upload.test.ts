import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { FtpConnection } from './ftp-connection.ts';
import { FtpUpload } from './ftp-upload.ts';

/** A connection that hands what it is given to the sink. */
function connectionTo(sink: Writable): FtpConnection {
  const connection: Pick<FtpConnection, 'upload'> = { upload: (source) => pipeline(source, sink) };
  return connection as FtpConnection;
}

function usedHeapBytes(): number {
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  setFlagsFromString('--no-expose-gc');
  collect();
  return process.memoryUsage().heapUsed;
}

test('what waits for a slow server leaves nothing behind, however often it waits', async () => {
  const bytes = new Uint8Array(2 * 1024 * 1024);
  let receivedBytes = 0;
  const sink = new Writable({
    write(chunk: Uint8Array, _encoding, done) {
      receivedBytes += chunk.length;
      setImmediate(done);
    },
  });
  const upload = new FtpUpload(connectionTo(sink), 'x', false);
  const push = async (count: number) => {
    for (let done = 0; done < count; done += 1) await upload.push(bytes);
  };
  await push(1_000);
  const before = usedHeapBytes();
  await push(20_000);
  const grownBytes = usedHeapBytes() - before;
  await upload.finish();
  assert.equal(receivedBytes, 21_000 * bytes.length);
  // A hundred bytes a push would be two megabytes.
  assert.ok(grownBytes < 2_000_000, `${grownBytes} bytes`);
});

test('a transfer that the server ends early fails each push that waits', async () => {
  const ended = Promise.withResolvers<void>();
  const connection: Pick<FtpConnection, 'upload'> = {
    upload: (source) => {
      source.read();
      return ended.promise;
    },
  };
  const upload = new FtpUpload(connection as FtpConnection, 'x', false);
  const bytes = new Uint8Array(2 * 1024 * 1024);
  await upload.push(bytes);
  const waiting = upload.push(bytes);
  ended.resolve();
  const early = { code: 'storage.unavailable', message: /ended the transfer early/ };
  await assert.rejects(waiting, early);
  await assert.rejects(upload.push(bytes), early);
});
