import assert from 'node:assert/strict';
import { test } from 'node:test';
import { generateIdentity, identityToRecipient } from 'age-encryption';
import { sampleHeader } from '../../test/archive/write-sample.ts';
import { Secret } from '../secret.ts';
import { SeededRandom } from '../testing/index.ts';
import { decodeHeader, encodeHeader, type Slot, slotType } from './header.ts';
import { sealAgeSlot } from './seal/age-slot.ts';
import { deriveKeys } from './seal/key-schedule.ts';
import { sealPassphraseSlot } from './seal/passphrase-slot.ts';
import { hasKeys, unlock } from './unlock.ts';

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

test('any one of several keys opens it, and those of nobody do not', async () => {
  const random = new SeededRandom(2);
  const header = sampleHeader(1, { cipher: 'aes-256-gcm' });
  const [identity, stranger] = [await generateIdentity(), await generateIdentity()];
  const passphrase = new Secret('right');
  const { archiveId } = header;
  const slot = (type: number, id: number, body: Uint8Array): Slot => {
    return { type, id: Uint8Array.of(id, 0, 0, 0), createdMs: 0, label: '', body };
  };
  const slots = [
    slot(slotType.passphrase, 1, await sealPassphraseSlot({ passphrase, dataKey, archiveId, random })),
    slot(slotType.age, 2, await sealAgeSlot(await identityToRecipient(stranger), random.bytes(32))),
    slot(slotType.age, 3, await sealAgeSlot(await identityToRecipient(identity), dataKey)),
    // What a later version may have.
    slot(9, 4, random.bytes(20)),
  ];
  const encoded = encodeHeader({ ...header, slots }, deriveKeys(dataKey, archiveId).header);
  const open = async (keys: { passphrases?: Secret[]; identities?: Secret[] }) =>
    (await unlock(decodeHeader(encoded), encoded, keys))?.dataKey;
  const expected = Buffer.from(dataKey);
  const wrong = new Secret('wrong');
  const identities = [new Secret(await generateIdentity()), new Secret(identity)];
  assert.deepEqual(Buffer.from((await open({ identities })) ?? []), expected);
  assert.deepEqual(Buffer.from((await open({ passphrases: [wrong, passphrase] })) ?? []), expected);
  await assert.rejects(open({ passphrases: [wrong] }), { code: 'key.wrong' });
  const hostile = slots.with(0, slot(slotType.passphrase, 1, new Uint8Array(88)));
  const changed = { ...decodeHeader(encoded), slots: hostile };
  await assert.rejects(unlock(changed, encoded, { identities }), { code: 'archive.corrupt' });
});

test('a key of any kind is one', () => {
  const key = new Secret('k');
  assert.deepEqual(
    [undefined, {}, { passphrases: [key] }, { identities: [key] }, { passphrases: [key], identities: [key] }].map(
      hasKeys,
    ),
    [false, false, true, true, true],
  );
});

test('without a key an encrypted archive stays shut', async () => {
  const encoded = sealed('aes-256-gcm');
  for (const keys of [undefined, {}, { passphrases: [], identities: [] }]) {
    await assert.rejects(unlock(decodeHeader(encoded), encoded, keys), { code: 'key.missing' });
  }
});
