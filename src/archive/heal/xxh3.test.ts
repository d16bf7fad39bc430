import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { minimumHashedBytes, xxh3, xxh3Secret } from './xxh3.ts';

/** By the tool of xxHash, `xxhsum -H128`: of so many bytes of SHAKE256 of `xxh3`. Shorter ones are the beginnings of longer ones. */
const vectors: readonly (readonly [lengthBytes: number, hash: string])[] = [
  [241, 'ef492dc4a4c9eb70c11b0305f46853e7'],
  [256, 'da6119b4d293208ee67c4fc3ab4f1c3a'],
  [1023, '821055b9bd4dd476fb36394cd96eec5b'],
  [1024, '01534ff654b9c06d70e4987556f4ef58'],
  [1025, 'a190043f99e623ebf10491383f94d884'],
  [1088, 'd4eb3c95d1e4381c3ec4b54bf2667d70'],
  [1089, 'e966ca58b37ddbf926e97ce3a4fab0c5'],
  [2048, '4be2ec8c8e67ac9e520de5d24518d7a1'],
  [2049, 'b7d358d66aaa7ecf3cfe318e5a9a29fc'],
  [4064, 'd158e9fbb064c6507c692a5466c73cbb'],
  [4080, '4aa9364cb3d1a00bfaeb17ee86d80df0'],
  [65536, '7bb6d6f6bde50c98d0e6d236cc86d82d'],
  [100000, '4de123191dae40339ee3ef111b29fda7'],
];

const stream = createHash('shake256', { outputLength: 100_000 }).update('xxh3').digest();

for (const [lengthBytes, hash] of vectors) {
  test(`the hash of ${lengthBytes} bytes is that of the tool`, () => {
    assert.equal(Buffer.from(xxh3(stream.subarray(0, lengthBytes))).toString('hex'), hash);
  });
}

test('the hash of 4,064 zeros is that of the tool', () => {
  assert.equal(Buffer.from(xxh3(new Uint8Array(4064))).toString('hex'), '97bb5bb96d6d05ee327bb5b181c9a5c8');
});

test('where the bytes lie does not change their hash', () => {
  for (const offset of [1, 2, 3, 7, 9]) {
    const moved = Buffer.concat([Buffer.alloc(offset, 0xff), stream.subarray(0, 4080), Buffer.alloc(3, 0xff)]);
    assert.deepEqual(xxh3(moved.subarray(offset, offset + 4080)), xxh3(stream.subarray(0, 4080)));
  }
});

test('the hash sees each of the bytes', () => {
  const bytes = Buffer.from(stream.subarray(0, 1300));
  const whole = Buffer.from(xxh3(bytes));
  for (let offset = 0; offset < bytes.length; offset++) {
    bytes[offset]! ^= 1 << (offset % 8);
    assert.ok(!whole.equals(xxh3(bytes)), `byte ${offset}`);
    bytes[offset]! ^= 1 << (offset % 8);
  }
});

test('shorter inputs, which have other algorithms, are refused', () => {
  assert.equal(minimumHashedBytes, 241);
  assert.throws(() => xxh3(stream.subarray(0, 240)));
});

test('the secret has the length of the specification', () => {
  assert.equal(xxh3Secret.length, 192);
});
