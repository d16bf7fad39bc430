import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { openSample, readAll, type Sample, sampleHeader, writeSample } from '../../../test/archive/write-sample.ts';
import { HoldfastError } from '../../errors.ts';
import { memoryRandomAccess, SeededRandom } from '../../testing/index.ts';
import { ArchiveReader } from '../archive-reader.ts';
import { WorkerPool } from '../worker/worker-pool.ts';
import { findHeader, locate } from './locate.ts';

const block = 4096;
const workers = new WorkerPool(2);
after(() => workers.close());
const random = new SeededRandom(1);
const entries = [1, 30_000, 5000].map((size, index) => ({ path: `e/${index}`, bytes: random.bytes(size) }));

function zeroed(bytes: Uint8Array, first: number, count: number): Uint8Array {
  return Uint8Array.from(bytes).fill(0, first * block, (first + count) * block);
}

/** What may become of a copy. */
const states = {
  whole: (copy: Uint8Array) => copy,
  'header flipped': (copy: Uint8Array) => {
    const bytes = Uint8Array.from(copy);
    for (const header of [0, 1, 2]) bytes[header * block + 100]! ^= 1;
    return bytes;
  },
  'end lost': (copy: Uint8Array) => zeroed(copy, copy.length / block - 4, 4),
  missing: () => new Uint8Array(0),
  shifted: (copy: Uint8Array) => Buffer.concat([new SeededRandom(9).bytes(100), copy]),
  swapped: (copy: Uint8Array) => {
    const middle = Math.floor(copy.length / block / 2) * block;
    return Buffer.concat([copy.subarray(middle), copy.subarray(0, middle)]);
  },
} satisfies Record<string, (copy: Uint8Array) => Uint8Array>;

type State = keyof typeof states;

const atItsPlace: ReadonlySet<State> = new Set(['whole', 'header flipped', 'end lost']);

async function locateIn(bytes: Uint8Array, archiveId?: string) {
  return await locate({ sources: [memoryRandomAccess(bytes)], workers, archiveId });
}

async function sampleOf(seed: number, copies: number): Promise<Sample> {
  return await writeSample({ workers, header: sampleHeader(seed, { copies, codec: 'none' }), entries });
}

function joined(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.concat(parts));
}

describe('two copies, each in any state,', () => {
  for (const first of Object.keys(states) as State[]) {
    for (const second of Object.keys(states) as State[]) {
      it(`${first} and ${second}`, async () => {
        const sample = await sampleOf(1, 2);
        const copy = sample.bytes.subarray(0, sample.bytes.length / 2);
        const bytes = joined(states[first](copy), states[second](copy));
        if (first === 'missing' && second === 'missing') {
          await assert.rejects(locateIn(bytes), { code: 'archive.not_an_archive' });
          return;
        }
        const located = await locateIn(bytes);
        assert.equal(located.layout.totalDataBlocks, sample.layout.totalDataBlocks);
        assert.deepEqual(located.header.archiveId, sample.header.archiveId);
        const nominal = atItsPlace.has(first) && atItsPlace.has(second);
        assert.equal(located.scanned, !nominal);
        // What stands between two copies is filler, whatever it is.
        assert.equal(located.inPlace, nominal || (first === 'whole' && second === 'shifted'));
        const read = await readAll(await openSample(workers, { bytes, dataKey: undefined }));
        for (const [index, one] of read.entries()) assert.ok(one.bytes.equals(entries[index]!.bytes));
        assert.equal(read.length, entries.length);
      });
    }
  }
});

describe('the header', () => {
  async function generationFound(bytes: Uint8Array): Promise<number> {
    return (await findHeader({ sources: [memoryRandomAccess(bytes)], workers })).header.generation;
  }

  it('of the newest generation counts, wherever it stands', async () => {
    const old = await writeSample({ workers, header: sampleHeader(1, { generation: 4 }), entries });
    const young = await writeSample({ workers, header: sampleHeader(1, { generation: 5 }), entries });
    assert.equal(await generationFound(joined(old.bytes, young.bytes)), 5);
    assert.equal(await generationFound(joined(young.bytes, old.bytes)), 5);
    assert.equal(await generationFound(old.bytes), 4);
  });

  it('is told by the majority where no header block is whole', async () => {
    const { bytes, layout } = await sampleOf(1, 1);
    const damaged = Uint8Array.from(bytes);
    const headers = [0, 1, 2, layout.totalBlocks - 3, layout.totalBlocks - 2, layout.totalBlocks - 1];
    for (const [index, header] of headers.entries()) damaged[header * block + 40 + index * 3]! ^= 0xff;
    const located = await locateIn(damaged);
    assert.deepEqual(located.header.archiveId, sampleHeader(1).archiveId);
    assert.equal(located.layout.totalDataBlocks, layout.totalDataBlocks);
    for (const header of headers) damaged.fill(0, header * block, (header + 1) * block);
    await assert.rejects(locateIn(damaged), { code: 'archive.not_an_archive' });
  });

  it('of one of two archives has to be chosen', async () => {
    const [one, other] = [await sampleOf(1, 1), await sampleOf(2, 1)];
    const bytes = joined(one.bytes, new Uint8Array(2 * block), other.bytes);
    const hex = (sample: Sample) => Buffer.from(sample.header.archiveId).toString('hex');
    await assert.rejects(locateIn(bytes), (error: unknown) => {
      assert.ok(error instanceof HoldfastError);
      assert.equal(error.code, 'archive.ambiguous');
      assert.deepEqual(error.context['archiveIds'], [hex(one), hex(other)]);
      return true;
    });
    for (const sample of [one, other]) {
      const located = await locateIn(bytes, hex(sample));
      assert.deepEqual(located.header.archiveId, sample.header.archiveId);
    }
    await assert.rejects(locateIn(bytes, '00'.repeat(16)), { code: 'archive.not_an_archive' });
  });

  it('is not found in what is no archive', async () => {
    for (const size of [0, 1, 4095, 4096, 100_000]) {
      await assert.rejects(locateIn(random.bytes(size)), { code: 'archive.not_an_archive' });
      await assert.rejects(locateIn(new Uint8Array(size)), { code: 'archive.not_an_archive' });
    }
  });
});

describe('the outline', () => {
  it('that one whole block claims against all others is not believed', async () => {
    const { bytes, layout } = await sampleOf(1, 1);
    // A data block of another archive's making cannot be this one's: the claim is made by a final block that is moved in.
    const larger = await writeSample({
      workers,
      header: sampleHeader(1, { codec: 'none' }),
      entries: [{ path: 'e', bytes: random.bytes(3_000_000) }],
    });
    const claim = larger.bytes.subarray(larger.bytes.length - block);
    const located = await locateIn(joined(new Uint8Array(5), claim, bytes));
    assert.equal(located.layout.totalDataBlocks, layout.totalDataBlocks);
  });

  it('is told by parity where all final headers are lost and the size tells nothing', async () => {
    const { bytes, layout } = await sampleOf(1, 1);
    const cut = bytes.subarray(0, bytes.length - 3 * block);
    assert.equal((await locateIn(cut)).layout.totalDataBlocks, layout.totalDataBlocks);
  });
});

describe('a source', () => {
  it('of blocks that cannot be read is as one that is damaged', async () => {
    const sample = await sampleOf(1, 2);
    const whole = memoryRandomAccess(sample.bytes);
    const source = {
      ...whole,
      sizeBytes: whole.sizeBytes,
      read: async (offset: number, into: Uint8Array) => {
        const end = offset + into.length;
        if (offset < 6 * block && end > 2 * block) throw new HoldfastError('storage.failed', { message: 'bad sector' });
        return await whole.read(offset, into);
      },
      close: () => whole.close(),
    };
    const reader = await ArchiveReader.open({ sources: [source], workers });
    const read = await readAll(reader);
    assert.ok(read.every((one, index) => one.bytes.equals(entries[index]!.bytes)));
    assert.ok(reader.store.healed.size > 0);
  });

  it('that does not answer for now is not taken as damaged', async () => {
    const whole = memoryRandomAccess((await sampleOf(1, 2)).bytes);
    const source = {
      sizeBytes: whole.sizeBytes,
      read: async () => {
        throw new HoldfastError('storage.unavailable');
      },
      close: () => whole.close(),
    };
    await assert.rejects(ArchiveReader.open({ sources: [source], workers }), { code: 'storage.unavailable' });
  });

  it('is read no further once the run is aborted', async () => {
    const sample = await sampleOf(1, 2);
    const signal = AbortSignal.abort();
    const opening = ArchiveReader.open({ sources: [memoryRandomAccess(sample.bytes)], workers, signal });
    await assert.rejects(opening, { code: 'operation.interrupted' });
  });
});
