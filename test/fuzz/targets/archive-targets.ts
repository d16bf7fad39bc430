/** The readers of an archive's parts, and of one as a whole. */
import assert from 'node:assert/strict';
import {
  decodeIndexEntries,
  decodeIndexHead,
  encodeIndexEntry,
  encodeIndexHead,
} from '../../../src/archive/entry/index-part.ts';
import { decodeTail, encodeTail } from '../../../src/archive/entry/tail.ts';
import { decodeHeader, encodeHeader } from '../../../src/archive/header.ts';
import { WorkerPool } from '../../../src/archive/worker/worker-pool.ts';
import { HoldfastError } from '../../../src/errors.ts';
import { hashBlock } from '../../../vectors/reference-writer.ts';
import { sampleHeader } from '../../archive/write-sample.ts';
import { exercise } from '../exercise.ts';
import { vectorSeeds, writtenSeeds } from '../seeds.ts';
import type { FuzzTarget } from '../target.ts';

/** Runs a reader; undefined where it refuses with an error that is meant for it. */
export function answerOf<Value>(read: () => Value): Value | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof HoldfastError && error.code !== 'operation.failed') return undefined;
    throw error;
  }
}

const slot = { type: 1, id: Uint8Array.of(1, 2, 3, 4), createdMs: 7, label: 'paper', body: new Uint8Array(88) };

/** A header is refused, or is read as what it says: written again it is read alike. */
export const headerTarget: FuzzTarget = {
  name: 'header',
  seeds: [
    encodeHeader(sampleHeader(1, {}), undefined),
    encodeHeader(
      {
        ...sampleHeader(2, { cipher: 'aes-256-gcm' }),
        slots: [slot, { ...slot, id: Uint8Array.of(9, 9, 9, 9), type: 2 }],
      },
      new Uint8Array(32),
    ),
    ...vectorSeeds()
      .slice(0, 12)
      .map(({ bytes }) => bytes.slice(32, 4080)),
  ],
  words: ['HOLDFAST', '\0\0', '\u00ff\u00ff'],
  maximumBytes: 4096,
  limitMs: 500,
  run(bytes) {
    const header = answerOf(() => decodeHeader(bytes));
    if (header === undefined) return;
    assert.ok(header.copies <= 8 && header.segmentSizeBytes <= 16 * 1024 * 1024 && header.slots.length <= 16);
    assert.ok(header.dataBlocks + header.parityBlocks <= 255);
    const again = answerOf(() => encodeHeader(header, undefined));
    // A label that is no UTF-8 takes more room when it is written again.
    if (again !== undefined) assert.deepEqual(decodeHeader(again), header);
  },
};

const runs = [{ segment: 0, offset: 0, length: 3 }];
const entry = {
  path: 'files/a',
  kind: 'file',
  sizeBytes: 3,
  sha256: 'ab'.repeat(32),
  runs,
  metadata: { mode: 33188 },
} as const;
const head = {
  part: 1,
  previous: { segment: 4, offset: 0, length: 10 },
  firstSegment: 3,
  segments: [{ plain: 3, sealed: 9 }],
};

/** An index part is refused, or holds entries whose numbers are numbers and whose paths are texts; a tail likewise. */
export const indexTarget: FuzzTarget = {
  name: 'index',
  seeds: [
    Buffer.from(
      encodeIndexHead(head) +
        encodeIndexEntry(entry) +
        encodeIndexEntry({ ...entry, path: 'b', pathBytes: Uint8Array.of(0xff) }),
    ),
    Buffer.from(encodeIndexHead({ ...head, part: 0, previous: undefined })),
    encodeTail({
      segmentCount: 3,
      sealedBytes: 900,
      plainBytes: 800,
      entryCount: 2,
      lastIndexPart: { segment: 2, offset: 100, length: 50 },
      indexPartCount: 1,
    }),
  ],
  words: [
    '"path":',
    '"__proto__":',
    '"runs":[[0,0,3]]',
    'null',
    '-1',
    '1e308',
    '9007199254740992',
    '\n',
    '{}',
    '[]',
    '"\\ud800"',
    '"pathBytes":"//8="',
    '"metadata":{',
  ],
  maximumBytes: 8192,
  limitMs: 1000,
  run(bytes) {
    const entries = answerOf(() => {
      decodeIndexHead(bytes);
      return [...decodeIndexEntries(bytes)];
    });
    for (const { path, sizeBytes, runs: places, kind } of entries ?? []) {
      assert.equal(typeof path, 'string');
      assert.equal(typeof kind, 'string');
      assert.ok(Number.isSafeInteger(sizeBytes) && sizeBytes >= 0);
      for (const { segment, offset, length } of places) {
        for (const number of [segment, offset, length]) assert.ok(Number.isSafeInteger(number) && number >= 0);
      }
    }
    answerOf(() => decodeTail(bytes));
    assert.equal(Object.keys(Object.prototype).length, 0, 'an index changed all objects');
  },
};

/** Whole small archives, with hashes that are right: blocks are found, healed and read, or refused. */
export async function blocksTarget(): Promise<FuzzTarget> {
  // In this thread: what another one runs is in no coverage.
  const workers = new WorkerPool(0);
  const seeds = (await writtenSeeds(workers)).slice(0, 2);
  return {
    name: 'blocks',
    seeds: seeds.map(({ bytes }) => bytes),
    words: ['HOLDFAST', '{"part":', '\u0001\0\0\0'],
    maximumBytes: 512 * 1024,
    limitMs: 20_000,
    isSlow: true,
    fix(bytes) {
      for (let start = 0; start + 4096 <= bytes.length; start += 4096) hashBlock(bytes.subarray(start, start + 4096));
    },
    async run(bytes) {
      // Time is counted by the processor's clock: a machine may have much else to do.
      await exercise(workers, bytes, undefined, 300_000);
    },
    close: () => workers.close(),
  };
}
