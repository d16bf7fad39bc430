import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HoldfastError } from '../../errors.ts';
import { Secret } from '../../secret.ts';
import { SeededRandom } from '../../testing/index.ts';
import { checkPassphraseSlot, defaultArgon2Cost, openPassphraseSlot, sealPassphraseSlot } from './passphrase-slot.ts';

const random = new SeededRandom(1);
const archiveId = random.bytes(16);
const dataKey = random.bytes(32);

function isCorrupt(error: unknown): boolean {
  return error instanceof HoldfastError && error.code === 'archive.corrupt';
}

function withCost(body: Uint8Array, memoryKib: number, passes: number, lanes: number): Buffer {
  const changed = Buffer.from(body);
  changed.writeUInt32LE(memoryKib, 0);
  changed.writeUInt32LE(passes, 4);
  changed.writeUInt32LE(lanes, 8);
  return changed;
}

test('a slot opens with its passphrase, in any Unicode form of it, and with nothing else', async () => {
  const passphrase = new Secret('Zu\u0308rich caf\u00e9');
  const body = await sealPassphraseSlot({ passphrase, dataKey, archiveId, random });
  assert.equal(body.length, 88);
  const open = async (text: string, id = archiveId) => await openPassphraseSlot(body, new Secret(text), id);
  for (const form of ['NFC', 'NFD'] as const) {
    assert.deepEqual(Buffer.from((await open('Z\u00fcrich caf\u00e9'.normalize(form))) ?? []), Buffer.from(dataKey));
  }
  assert.equal(await open('Zurich café'), undefined);
  assert.equal(await open('Zürich café', random.bytes(16)), undefined);
});

test('a slot that was changed anywhere does not open', async () => {
  const passphrase = new Secret('p');
  const body = await sealPassphraseSlot({ passphrase, dataKey, archiveId, random });
  // Salt, nonce, wrapped key and tag: the first and last byte of each.
  for (const offset of [12, 27, 28, 39, 40, 71, 72, 87]) {
    const changed = Buffer.from(body);
    changed[offset] = (changed[offset] ?? 0) ^ 1;
    assert.equal(await openPassphraseSlot(changed, passphrase, archiveId), undefined, `byte ${offset}`);
  }
});

test('a slot costs what the format asks for at least, and has salt and nonce where it says', async () => {
  const random = { bytes: (length: number) => new Uint8Array(length).fill(length) };
  const body = await sealPassphraseSlot({ passphrase: new Secret('p'), dataKey, archiveId, random });
  const words = [0, 4, 8].map((offset) => Buffer.from(body).readUInt32LE(offset));
  assert.deepEqual(words, [65_536, 3, 4]);
  assert.deepEqual([...body.subarray(12, 40)], [...Array(16).fill(16), ...Array(12).fill(12)]);
});

test('two slots of one passphrase have nothing in common', async () => {
  const passphrase = new Secret('p');
  const [first, second] = await Promise.all(
    [1, 2].map(() => sealPassphraseSlot({ passphrase, dataKey, archiveId, random })),
  );
  assert.notDeepEqual(first?.subarray(12, 28), second?.subarray(12, 28));
  assert.notDeepEqual(first?.subarray(40), second?.subarray(40));
});

test('the cost is checked at both limits before anything is derived', async () => {
  const { memoryKib, passes, lanes } = defaultArgon2Cost;
  const body = new Uint8Array(88);
  const accepted = [
    [memoryKib, passes, lanes],
    [1_048_576, passes, lanes],
    [memoryKib, 16, lanes],
    [memoryKib, passes, 16],
  ] as const;
  for (const [memory, pass, lane] of accepted) checkPassphraseSlot(withCost(body, memory, pass, lane));
  const refused = [
    [memoryKib - 1, passes, lanes],
    [1_048_577, passes, lanes],
    [0xffff_ffff, passes, lanes],
    [memoryKib, passes - 1, lanes],
    [memoryKib, 17, lanes],
    [memoryKib, 0xffff_ffff, lanes],
    [memoryKib, passes, lanes - 1],
    [memoryKib, passes, 17],
    [memoryKib, passes, 0],
  ] as const;
  for (const [memory, pass, lane] of refused) {
    const hostile = withCost(body, memory, pass, lane);
    assert.throws(() => checkPassphraseSlot(hostile), isCorrupt, `${memory} ${pass} ${lane}`);
    // It asks for up to 4 TiB: were it derived, this would not come to an end.
    await assert.rejects(openPassphraseSlot(hostile, new Secret('p'), archiveId), isCorrupt);
  }
});

test('a body of another length is refused', async () => {
  const body = withCost(new Uint8Array(88), 65_536, 3, 4);
  checkPassphraseSlot(body);
  for (const length of [0, 11, 87]) assert.throws(() => checkPassphraseSlot(body.subarray(0, length)), isCorrupt);
  assert.throws(() => checkPassphraseSlot(Buffer.concat([body, Buffer.alloc(1)])), isCorrupt);
  await assert.rejects(openPassphraseSlot(body.subarray(0, 87), new Secret('p'), archiveId), isCorrupt);
});
