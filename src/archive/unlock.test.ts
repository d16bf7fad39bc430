import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sampleHeader } from '../../test/archive/write-sample.ts';
import { SeededRandom } from '../testing/index.ts';
import { decodeHeader, encodeHeader } from './header.ts';
import { deriveKeys } from './seal/key-schedule.ts';
import { unlock } from './unlock.ts';

const dataKey = new SeededRandom(1).bytes(32);

function sealed(cipher: 'aes-256-gcm' | 'none'): Buffer {
  const header = sampleHeader(1, { cipher });
  const keys = cipher === 'none' ? undefined : deriveKeys(dataKey, header.archiveId);
  return encodeHeader(header, keys?.header);
}

test('the right key opens a header that is as it was written', async () => {
  const encoded = sealed('aes-256-gcm');
  const unlocked = await unlock(decodeHeader(encoded), encoded, { dataKey });
  assert.equal(unlocked?.dataKey, dataKey);
  const clear = sealed('none');
  assert.equal(await unlock(decodeHeader(clear), clear, undefined), undefined);
});

test('a header that was changed, or that another key wrote, is refused', async () => {
  for (const cipher of ['aes-256-gcm', 'none'] as const) {
    const encoded = sealed(cipher);
    const header = decodeHeader(encoded);
    // The generation: every value of it makes sense.
    encoded.writeUInt32LE(encoded.readUInt32LE(52) ^ 1, 52);
    await assert.rejects(unlock(header, encoded, { dataKey }), { code: 'archive.corrupt' });
  }
  const encoded = sealed('aes-256-gcm');
  const other = new Uint8Array(32).fill(7);
  await assert.rejects(unlock(decodeHeader(encoded), encoded, { dataKey: other }), { code: 'archive.corrupt' });
});

test('without a key an encrypted archive stays shut', async () => {
  const encoded = sealed('aes-256-gcm');
  for (const keys of [undefined, {}, { passphrases: [], identities: [] }]) {
    await assert.rejects(unlock(decodeHeader(encoded), encoded, keys), { code: 'key.missing' });
  }
});
