import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HoldfastError } from '../errors.ts';
import { SeededRandom } from '../testing/seeded-random.ts';
import { codecOfHead, type DumpCodec } from './codec-names.ts';
import { compressed, expanded } from './dump-codec.ts';

const codecs: readonly DumpCodec[] = ['gzip', 'bz2', 'xz', 'zstd', 'none'];
const random = new SeededRandom(11);
const sample = Buffer.concat([random.bytes(300_000), Buffer.alloc(500_000, 'INSERT INTO orders VALUES (1);\n')]);

async function collect(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of bytes) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

/** In pieces whose memory is used again. */
async function* pieces(bytes: Uint8Array, sizeBytes = 65_537): AsyncGenerator<Uint8Array> {
  const memory = new Uint8Array(sizeBytes);
  for (let at = 0; at < bytes.length; at += sizeBytes) {
    const piece = bytes.subarray(at, at + sizeBytes);
    memory.set(piece);
    yield memory.subarray(0, piece.length);
  }
}

for (const codec of codecs) {
  test(`${codec}: what is compressed expands again, is known by its beginning, and may be several files in one`, async () => {
    const packed = await collect(compressed(codec, pieces(sample)));
    assert.equal(codecOfHead(packed), codec);
    assert.ok((await collect(expanded(codec, pieces(packed)))).equals(sample));
    const twice = await collect(expanded(codec, pieces(Buffer.concat([packed, packed]))));
    assert.ok(twice.equals(Buffer.concat([sample, sample])));
  });

  test(`${codec}: what fails at the source fails here, before and behind`, async () => {
    const failing = async function* () {
      yield* pieces(sample.subarray(0, 200_000));
      throw new HoldfastError('source.unreadable');
    };
    for (const stream of [compressed(codec, failing()), expanded(codec, compressed(codec, failing()))]) {
      await assert.rejects(collect(stream), { code: 'source.unreadable' });
    }
  });

  test(`${codec}: one who stops reading leaves nothing behind`, async () => {
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    const watched = async function* () {
      try {
        for (;;) yield* pieces(sample);
      } finally {
        resolve();
      }
    };
    for await (const _ of compressed(codec, watched())) break;
    await closed;
  });
}

for (const codec of codecs.filter((one) => one !== 'none')) {
  test(`${codec}: what was cut or changed is refused`, async () => {
    const packed = await collect(compressed(codec, pieces(sample)));
    const changed = Buffer.from(packed);
    changed[150_000]! ^= 1;
    for (const bad of [packed.subarray(0, packed.length - 1), packed.subarray(0, 100_000), changed]) {
      await assert.rejects(collect(expanded(codec, pieces(bad))), { code: 'archive.damaged' });
    }
  });
}
