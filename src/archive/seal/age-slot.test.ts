import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Decrypter, generateIdentity, identityToRecipient } from 'age-encryption';
import { HoldfastError } from '../../errors.ts';
import { Secret } from '../../secret.ts';
import { SeededRandom } from '../../testing/index.ts';
import { openAgeSlot, sealAgeSlot } from './age-slot.ts';

const dataKey = new SeededRandom(1).bytes(32);

async function errorOf(work: Promise<unknown>): Promise<HoldfastError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof HoldfastError, String(error));
  return error;
}

/** Everything that a log might show of an error. */
function shown(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const context = error instanceof HoldfastError ? JSON.stringify(error.context) : '';
  return `${error.message} ${error.stack} ${context} ${error.cause === undefined ? '' : shown(error.cause)}`;
}

test('a slot opens with the identity of its recipient, and with no other', async () => {
  const [identity, other] = [await generateIdentity(), await generateIdentity()];
  const body = await sealAgeSlot(await identityToRecipient(identity), dataKey);
  assert.deepEqual(await openAgeSlot(body, new Secret(identity)), dataKey);
  assert.equal(await openAgeSlot(body, new Secret(other)), undefined);
});

test('a slot is an age file as it stands', async () => {
  const identity = await generateIdentity();
  const body = await sealAgeSlot(await identityToRecipient(identity), dataKey);
  assert.equal(Buffer.from(body.subarray(0, 22)).toString('latin1'), 'age-encryption.org/v1\n');
  const decrypter = new Decrypter();
  decrypter.addIdentity(identity);
  assert.deepEqual(await decrypter.decrypt(body), dataKey);
});

test('a slot of another length, or that was changed, does not open', async () => {
  const identity = await generateIdentity();
  const recipient = await identityToRecipient(identity);
  const open = async (body: Uint8Array) => await openAgeSlot(body, new Secret(identity));
  assert.equal(await open(await sealAgeSlot(recipient, dataKey.subarray(0, 31))), undefined);
  const body = await sealAgeSlot(recipient, dataKey);
  for (let offset = 0; offset < body.length; offset += 7) {
    const changed = Buffer.from(body);
    changed[offset] = (changed[offset] ?? 0) ^ 1;
    assert.equal(await open(changed), undefined, `byte ${offset}`);
  }
  assert.equal((await errorOf(open(new Uint8Array(1025)))).code, 'archive.corrupt');
  assert.equal(await open(new Uint8Array(1024)), undefined);
});

test('what is no recipient is refused, and never repeated where it may be a secret', async () => {
  const identity = await generateIdentity();
  const recipient = await identityToRecipient(identity);
  const wrongSum = `${recipient.slice(0, -1)}${recipient.endsWith('q') ? 'p' : 'q'}`;
  const refused = [
    '',
    'age1',
    wrongSum,
    recipient.slice(0, -1),
    `${recipient}q`,
    recipient.toUpperCase(),
    // A recipient of a P-256 key in hardware, and one of another age plugin.
    'age1p256tag1qfl4lk0d7zrmx0tkyr2cw5nkjnmrgjhdh5f2tmytnhx3uhk6w2w7k0v2xyz',
    'age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t',
    'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE',
    identity,
    ` ${identity}`,
    `${identity}\n`,
  ];
  for (const text of refused) {
    const error = await errorOf(sealAgeSlot(text, dataKey));
    assert.equal(error.code, 'key.invalid', text);
    assert.ok(!shown(error).includes(identity.slice(16, 30)), 'the identity is in the error');
  }
});

test('a recipient with a mistake is told as far as it is one, as it is public', async () => {
  const long = `age1${'b'.repeat(100)}`;
  assert.equal(
    (await errorOf(sealAgeSlot(long, dataKey))).message,
    `not an age X25519 recipient: ${long.slice(0, 80)}`,
  );
  assert.equal((await errorOf(sealAgeSlot('secret', dataKey))).message, 'not an age X25519 recipient');
});

test('what is no identity is refused, and never repeated', async () => {
  const identity = await generateIdentity();
  const body = await sealAgeSlot(await identityToRecipient(identity), dataKey);
  for (const text of [identity.slice(0, -1), `${identity}Q`, `${identity.slice(0, -4)}QQQQ`, 'AGE-SECRET-KEY-1', 'x']) {
    const error = await errorOf(openAgeSlot(body, new Secret(text)));
    assert.equal(error.code, 'key.invalid');
    assert.ok(!shown(error).includes(identity.slice(16, 30)), 'the identity is in the error');
  }
});
