/** The readers of shards: of archives that are spread over storages, and of keys that were split. */
import assert from 'node:assert/strict';
import { bech32m } from '@scure/base';
import { blockSizeBytes } from '../../../src/archive/heal/geometry.ts';
import { checkShard } from '../../../src/archive/spread/check-shard.ts';
import { SpreadAccess } from '../../../src/archive/spread/spread-access.ts';
import { SpreadEncoder } from '../../../src/archive/spread/spread-encoder.ts';
import { WorkerPool } from '../../../src/archive/worker/worker-pool.ts';
import { HoldfastError } from '../../../src/errors.ts';
import { joinKey, splitKey } from '../../../src/operation/key-shares.ts';
import { Secret } from '../../../src/secret.ts';
import { memoryRandomAccess, SeededRandom } from '../../../src/testing/index.ts';
import { hashBlock } from '../../../vectors/reference-writer.ts';
import { writtenSeeds } from '../seeds.ts';
import type { FuzzTarget } from '../target.ts';

const shape = { data: 2, parity: 1 };
const count = shape.data + shape.parity;
/** The blocks of each shard, two bytes each; then the shards. */
const headBytes = 2 * count;

function inOne(shards: readonly Uint8Array[]): Buffer {
  const head = Buffer.alloc(headBytes);
  for (const [index, { length }] of shards.entries()) head.writeUInt16LE(length / blockSizeBytes, 2 * index);
  return Buffer.concat([head, ...shards]);
}

function apart(bytes: Uint8Array): Uint8Array[] {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < headBytes) return [];
  let start = headBytes;
  return Array.from({ length: count }, (_, index) => {
    const end = index === count - 1 ? bytes.length : start + head.readUInt16LE(2 * index) * blockSizeBytes;
    const shard = bytes.slice(start, end);
    start = end;
    return shard;
  });
}

/** An error that is meant for such input is no wrong answer. */
async function answered<Value>(read: () => Promise<Value>): Promise<Value | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof HoldfastError && error.code !== 'operation.failed') return undefined;
    throw error;
  }
}

/** Shards with hashes that are right are refused, or are an archive that is about as large as they are: whoever reads all of it comes to an end. */
export async function shardsTarget(): Promise<FuzzTarget> {
  const workers = new WorkerPool(0);
  const seeds = (await writtenSeeds(workers)).slice(0, 1).map(({ bytes }) => {
    const shards = Array.from({ length: count }, (): Uint8Array[] => []);
    const encoder = new SpreadEncoder({ shape, emit: (index, part) => void shards[index]?.push(part) });
    encoder.push(bytes);
    encoder.finish();
    return inOne(shards.map((parts) => Buffer.concat(parts)));
  });
  return {
    name: 'shards',
    seeds,
    words: ['HOLDSHRD', 'HOLDFAST', '\u0001\0\0\0', '\u00ff\u00ff\u00ff\u00ff\u00ff'],
    maximumBytes: 512 * 1024,
    limitMs: 5000,
    fix(bytes) {
      for (let start = headBytes; start + blockSizeBytes <= bytes.length; start += blockSizeBytes) {
        hashBlock(bytes.subarray(start, start + blockSizeBytes));
      }
    },
    async run(bytes) {
      const shards = apart(bytes).map((shard, index) => ({
        access: memoryRandomAccess(shard),
        label: `${index}`,
        index,
      }));
      const access = await answered(() => SpreadAccess.open({ shards, shape }));
      if (access === undefined) return;
      const most = 4 * access.shape.data * (bytes.length + 64 * blockSizeBytes);
      assert.ok(access.sizeBytes <= most, `${bytes.length} bytes are an archive of ${access.sizeBytes}`);
      await answered(() => access.read(0, new Uint8Array(access.sizeBytes)));
      for (const shard of access.shards) if (shard !== undefined) await answered(() => checkShard(access, shard));
    },
    close: () => workers.close(),
  };
}

const passphrase = 'of the tests';

/** Shares of a key, with checksums that are right, give that key or are refused; texts that are none are refused. */
export async function sharesTarget(): Promise<FuzzTarget> {
  const random = new SeededRandom(4);
  const texts = await splitKey(new Secret(passphrase), { shares: 3, threshold: 2, random });
  const raw = texts.map((text) => bech32m.decodeToBytes(text.reveal() as `hfshare1${string}`).bytes);
  const sizeBytes = raw[0]?.length ?? 0;
  return {
    name: 'shares',
    seeds: [
      Buffer.concat(raw),
      Buffer.concat(raw.slice(0, 2)),
      Buffer.concat([raw[0] ?? [], raw[0] ?? []].map(Buffer.from)),
    ],
    words: ['hfshare1', '\u0001', '\0', '\u00ff', '\u0002'],
    maximumBytes: 4096,
    limitMs: 1000,
    async run(bytes) {
      const pieces: Secret[] = [];
      for (let start = 0; start < bytes.length; start += sizeBytes) {
        const words = bech32m.toWords(Uint8Array.from(bytes.subarray(start, start + sizeBytes)));
        pieces.push(new Secret(bech32m.encode('hfshare', words, false)));
      }
      const joined = await answered(() => joinKey(pieces));
      assert.ok(joined === undefined || joined.key.reveal() === passphrase, 'shares give a key that nobody split');
      await answered(() => joinKey([new Secret(Buffer.from(bytes).toString('latin1'))]));
    },
  };
}
