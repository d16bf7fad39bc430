import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { blockAt, plainCopy, plainHeader } from '../../../test/archive/plain-copy.ts';
import { HoldfastError } from '../../errors.ts';
import { SeededRandom } from '../../testing/seeded-random.ts';
import { compressSegment } from '../compress/codec.ts';
import { fixedPartDigest, type Header } from '../header.ts';
import type { RandomAccess } from '../random-access.ts';
import { RangeSet } from '../range-set.ts';
import { sealSegment, segmentKind } from '../seal/segment-cipher.ts';
import { WorkerPool } from '../worker/worker-pool.ts';
import { BlockStore, loadedAtOnce, type SegmentPlace, segmentsTogether } from './block-store.ts';
import { blockSizeBytes, payloadSizeBytes } from './geometry.ts';
import { sweep } from './sweep.ts';

/** What the store reads, and what it makes of it: an archive of two bands, whose segments are 9,000 bytes each. */

const workers = new WorkerPool(0);
after(() => workers.close());

const plainBytes = 9000;
const sealedBytes = plainBytes + 16;
const segmentCount = 31;
const plain = new SeededRandom(6).bytes(segmentCount * plainBytes);

/** Band 0: headers 0 to 2, data 3 to 66, parity 67 to 194. Band 1: headers from 195, data 198 to 203, parity 204 to 219, final headers. */
function archiveOf(copies: number) {
  const header = plainHeader(1, { dataBlocks: 1, parityBlocks: 2, copies, segmentSizeBytes: plainBytes });
  const seal = { key: undefined, fixedDigest: fixedPartDigest(header) };
  const stream = Buffer.alloc(segmentCount * sealedBytes);
  for (let number = 0; number < segmentCount; number++) {
    const bytes = plain.subarray(number * plainBytes, (number + 1) * plainBytes);
    sealSegment(seal, { number, kind: segmentKind.data, bytes }, stream.subarray(number * sealedBytes));
  }
  const copy = plainCopy(70, header, stream);
  return { ...copy, seal, file: Buffer.concat(Array.from({ length: copies }, () => copy.bytes)) };
}

const one = archiveOf(1);
const two = archiveOf(2);
const total = 223;
const { layout } = one;

type Reads = [offset: number, length: number][];

function sourceOf(bytes: Uint8Array, reads: Reads = []): RandomAccess {
  return {
    sizeBytes: bytes.length,
    read: async (offset, into) => {
      reads.push([offset / blockSizeBytes, into.length / blockSizeBytes]);
      const given = bytes.subarray(offset, offset + into.length);
      into.set(given);
      return given.length;
    },
    close: async () => undefined,
  };
}

async function open(archive: ReturnType<typeof archiveOf>, bytes: Uint8Array = archive.file) {
  const reads: Reads = [];
  const store = await BlockStore.open({ sources: [sourceOf(bytes, reads)], workers });
  store.configure(archive.seal);
  const opened = reads.splice(0);
  return { store, reads, opened };
}

/** The bytes with these blocks zeroed. */
function without(bytes: Uint8Array, ...places: number[]): Buffer {
  const damaged = Buffer.from(bytes);
  for (const place of places) blockAt(damaged, place).fill(0);
  return damaged;
}

function placeOf(number: number, changes: Partial<SegmentPlace> = {}): SegmentPlace {
  const offset = number * sealedBytes;
  return { number, kind: segmentKind.data, offset, length: sealedBytes, maximumPlainBytes: plainBytes, ...changes };
}

/** Where the data blocks of a segment lie in a copy. */
function placesOf(number: number): number[] {
  const first = Math.floor((number * sealedBytes) / payloadSizeBytes);
  const last = Math.floor(((number + 1) * sealedBytes - 1) / payloadSizeBytes);
  return Array.from({ length: last - first + 1 }, (_, index) => layout.dataPosition(first + index));
}

/** Data block, and the two of parity that could give it back. */
function stripeOf(number: number): number[] {
  const [band, index, stripes] = number < 64 ? [0, number, 64] : [1, number - 64, 8];
  const rows = [0, 1].map((row) => layout.parityPosition(band, row * stripes + index));
  return [layout.dataPosition(number), ...rows];
}

const plainOf = (number: number) => plain.slice(number * plainBytes, (number + 1) * plainBytes);

async function load(store: BlockStore, number: number, changes: Partial<SegmentPlace> = {}): Promise<Uint8Array> {
  const into = new Uint8Array(plainBytes);
  const length = await store.load(placeOf(number, changes), into);
  return into.slice(0, length);
}

it('the archive of this test is what it is said to be', () => {
  assert.equal(layout.totalBlocks, total);
  assert.deepEqual(
    [0, 63, 64, 69].map((number) => layout.dataPosition(number)),
    [3, 66, 198, 203],
  );
  assert.deepEqual(stripeOf(0), [3, 67, 131]);
  assert.deepEqual(stripeOf(69), [203, 209, 217]);
});

it('as many groups are loaded at once as there are threads, and three more', () => {
  assert.deepEqual([1, 2, 8].map(loadedAtOnce), [4, 5, 11]);
});

it('segments are loaded together up to 2 MiB, 64 of them at most and one at least', () => {
  const mebibyte = 1024 * 1024;
  const sizes = [1, 32_767, 32_768, 32_769, mebibyte / 2, mebibyte, mebibyte + 1, 2 * mebibyte, 16 * mebibyte];
  const counts = sizes.map((segmentSizeBytes) => segmentsTogether({ segmentSizeBytes } as Header));
  assert.deepEqual(counts, [64, 64, 64, 63, 4, 2, 1, 1, 1]);
});

describe('an open store', () => {
  it('tells about the archive, and counts what it read of the sources', async () => {
    const { store, opened, reads } = await open(two);
    assert.deepEqual(store.header.archiveId, two.header.archiveId);
    assert.deepEqual(store.headerBody, Uint8Array.from(two.headerBody));
    assert.equal(store.layout.totalDataBlocks, 70);
    assert.deepEqual(store.allLayers(), [0, 1]);
    assert.equal(store.inPlace, true);
    assert.equal(store.sizeBytes, 2 * total * blockSizeBytes);
    const bytesOf = (all: Reads) => all.reduce((sum, [, blocks]) => sum + blocks * blockSizeBytes, 0);
    assert.ok(opened.length > 0);
    assert.equal(store.readBytes, bytesOf(opened));
    await load(store, 3);
    assert.equal(store.readBytes, bytesOf([...opened, ...reads]));
    assert.equal((await open(one, Buffer.concat([new Uint8Array(1), one.file]))).store.inPlace, false);
  });
});

describe('a layer', () => {
  /** Reads into memory that is full of something else and longer than asked for. */
  async function readLayer(store: BlockStore, layer: number, first: number, count: number): Promise<Buffer> {
    const into = Buffer.alloc((count + 1) * blockSizeBytes, 0xee);
    await store.readLayer(layer, first, count, into);
    assert.ok(blockAt(into, count).every((byte) => byte === 0xee));
    return into.subarray(0, count * blockSizeBytes);
  }

  it('is read as it stands, in one piece', async () => {
    const damaged = without(two.file, 5, total + 7);
    const { store, reads } = await open(two, damaged);
    for (const [layer, start] of [0, total].entries()) {
      const blocks = await readLayer(store, layer, 4, 5);
      assert.ok(blocks.equals(damaged.subarray((start + 4) * blockSizeBytes, (start + 9) * blockSizeBytes)));
    }
    assert.deepEqual(reads, [
      [4, 5],
      [total + 4, 5],
    ]);
  });

  it('is zeros where it has no block', async () => {
    // The first two blocks, and 10 to 12, are gone without a gap.
    const block = (first: number, end: number) => one.file.subarray(first * blockSizeBytes, end * blockSizeBytes);
    const { store } = await open(one, Buffer.concat([block(2, 10), block(13, total)]));
    const expected = without(one.file, 0, 1, 10, 11, 12);
    for (const [first, count] of [
      [0, 20],
      [0, 2],
      [0, 3],
      [1, 2],
      [8, 3],
      [9, 5],
      [10, 2],
      [11, 2],
      [12, 3],
      [200, 23],
      [222, 1],
    ] as const) {
      const blocks = await readLayer(store, 0, first, count);
      const right = expected.subarray(first * blockSizeBytes, (first + count) * blockSizeBytes);
      assert.ok(blocks.equals(right), `${count} from ${first}`);
    }
    assert.ok((await readLayer(store, 0, total, 2)).every((byte) => byte === 0));
  });

  it('is not read once the run is aborted', async () => {
    const controller = new AbortController();
    const options = { sources: [sourceOf(one.file)], workers, signal: controller.signal };
    const store = await BlockStore.open(options);
    controller.abort();
    await assert.rejects(readLayer(store, 0, 0, 1), { code: 'operation.interrupted' });
  });
});

describe('a segment', () => {
  it('is loaded from the first layer alone while that authenticates', async () => {
    const { store, reads } = await open(two);
    for (const number of [0, 1, 15, 30]) {
      reads.length = 0;
      assert.deepEqual(await load(store, number), plainOf(number));
      const places = placesOf(number);
      assert.deepEqual(reads, [[places[0], places.length]]);
    }
    assert.equal(store.healed.size, 0);
  });

  it('that lies in two bands is read in two pieces', async () => {
    const { store, reads } = await open(one);
    // Segment 28 lies in data blocks 62 to 64.
    assert.deepEqual(placesOf(28), [65, 66, 198]);
    assert.deepEqual(await load(store, 28), plainOf(28));
    assert.deepEqual(reads, [
      [65, 2],
      [198, 1],
    ]);
  });

  it('is healed from the other copy', async () => {
    const [first, second] = placesOf(4) as [number, number];
    const { store, reads } = await open(two, without(two.file, first, total + second));
    assert.deepEqual(await load(store, 4), plainOf(4));
    assert.deepEqual([...store.healed], [first - 3]);
    const count = placesOf(4).length;
    assert.deepEqual(reads, [
      [first, count],
      [first, count],
      [total + first, count],
    ]);
  });

  it('is healed by parity where no copy has a block', async () => {
    for (const [archive, copies] of [
      [one, [0]],
      [two, [0, total]],
    ] as const) {
      const places = placesOf(29);
      const { store } = await open(
        archive,
        without(archive.file, ...copies.flatMap((at) => places.map((place) => at + place))),
      );
      assert.deepEqual(await load(store, 29), plainOf(29));
      assert.deepEqual(
        [...store.healed].sort(),
        places.map((place) => place - 198 + 64),
      );
    }
  });

  it('of a single copy is read once before it is healed, and once behind that', async () => {
    const [first, second] = placesOf(4) as [number, number];
    const { store, reads } = await open(one, without(one.file, second));
    assert.deepEqual(await load(store, 4), plainOf(4));
    assert.deepEqual(
      reads.filter(([place]) => place === first),
      [
        [first, placesOf(4).length],
        [first, placesOf(4).length],
      ],
    );
    assert.deepEqual([...store.healed], [second - 3]);
    // All is where it should be: there is nothing to be looked for.
    assert.ok(reads.every(([, blocks]) => blocks < total));
  });

  it('of which a further block is gone once others were healed is refused', async () => {
    const [first, second] = placesOf(4) as [number, number];
    const bytes = without(one.file, second);
    const { store } = await open(one, bytes);
    const heal = store.heal.bind(store);
    store.heal = async (numbers) => {
      const healed = await heal(numbers);
      blockAt(bytes, first).fill(0);
      return healed;
    };
    await assert.rejects(load(store, 4), { code: 'archive.damaged' });
  });

  it('of which blocks are lost is refused, with what is lost', async () => {
    const lost = [12, 13].flatMap(stripeOf);
    const { store } = await open(one, without(one.file, ...lost));
    await assert.rejects(load(store, 5), {
      code: 'archive.damaged',
      message: 'the archive is damaged beyond repair: 2 block(s) are lost, the first at position 15',
      context: { blocks: [15, 16] },
    });
    assert.deepEqual(await load(store, 4), plainOf(4));
  });

  it('that lies outside the archive, or holds less than the index says, is refused', async () => {
    const { store } = await open(one);
    const last = 70 * payloadSizeBytes;
    const outside = { code: 'archive.corrupt', message: /segment 30 lies outside/ };
    await assert.rejects(load(store, 30, { length: 0 }), outside);
    await assert.rejects(load(store, 30, { length: 1 }), { code: 'archive.damaged' });
    await assert.rejects(load(store, 30, { length: last - 30 * sealedBytes + 1 }), outside);
    // To the last byte it is inside, and does not authenticate.
    await assert.rejects(load(store, 30, { length: last - 30 * sealedBytes }), { code: 'archive.damaged' });
    await assert.rejects(load(store, 3, { maximumPlainBytes: 0 }), { code: 'archive.corrupt' });
    const into = new Uint8Array(plainBytes + 1);
    const longer = placeOf(3, { maximumPlainBytes: plainBytes + 1 });
    await assert.rejects(store.load(longer, into), { code: 'archive.corrupt', message: /segment 3 is shorter/ });
  });

  it('of the index may hold less than the most that it may, and the tail is as it is', async () => {
    const header: Header = { ...one.header, codec: 'gzip' };
    const seal = { key: undefined, fixedDigest: fixedPartDigest(header) };
    const text = Buffer.alloc(4000, 'text');
    for (const kind of [segmentKind.index, segmentKind.tail]) {
      const bytes = kind === segmentKind.tail ? text : compressSegment('gzip', text);
      const stream = Buffer.alloc(bytes.length + 16);
      sealSegment(seal, { number: 3, kind, bytes }, stream);
      const store = await BlockStore.open({ sources: [sourceOf(plainCopy(2, header, stream).bytes)], workers });
      store.configure(seal);
      const into = Buffer.alloc(10_000);
      const place = { number: 3, kind, offset: 0, length: stream.length, maximumPlainBytes: 10_000 };
      assert.equal(await store.load(place, into), 4000);
      assert.ok(into.subarray(0, 4000).equals(text));
    }
  });

  it('is not loaded without a key', async () => {
    const store = await BlockStore.open({ sources: [sourceOf(one.file)], workers });
    await assert.rejects(load(store, 0), /no key/);
  });
});

describe('segments together', () => {
  async function loadTogether(store: BlockStore, numbers: readonly number[], checkBlocks = false): Promise<boolean> {
    const into = new Uint8Array(numbers.length * plainBytes);
    const places = numbers.map((number) => placeOf(number));
    const isLoaded = await store.loadTogether(places, into, checkBlocks);
    if (isLoaded) {
      const first = (numbers[0] ?? 0) * plainBytes;
      assert.deepEqual(into, plain.slice(first, first + into.length));
    }
    return isLoaded;
  }

  const unprovenOf = (store: BlockStore, first = 0, count = 70) =>
    [...store.unproven(first, count)].map(({ start, end }) => [start, end]);

  it('are read of the first layer at once, and joined', async () => {
    const { store, reads } = await open(two);
    assert.equal(await loadTogether(store, [2, 3, 4, 5]), true);
    const [first] = placesOf(2) as [number];
    assert.deepEqual(reads, [[first, placesOf(5).at(-1)! - first + 1]]);
    assert.equal(
      await loadTogether(
        store,
        Array.from({ length: 31 }, (_, number) => number),
      ),
      true,
    );
    assert.equal(await loadTogether(store, []), true);
    assert.deepEqual(unprovenOf(store), [[0, 70]]);
  });

  it('with their blocks checked are read of every copy, and proven', async () => {
    const { store, reads } = await open(two);
    assert.equal(await loadTogether(store, [2, 3], true), true);
    const [first, last] = [placesOf(2)[0]!, placesOf(3).at(-1)!];
    assert.deepEqual(reads, [
      [first, last - first + 1],
      [total + first, last - first + 1],
    ]);
    assert.deepEqual(unprovenOf(store), [
      [0, first - 3],
      [last - 2, 70],
    ]);
    assert.deepEqual(unprovenOf(store, first - 3, 1), []);
    // Nothing is proven by what does not open.
    const damaged = await open(two, without(two.file, total + first));
    assert.equal(await loadTogether(damaged.store, [2, 3], true), false);
    assert.deepEqual(unprovenOf(damaged.store), [[0, 70]]);
    assert.equal(await loadTogether(damaged.store, [2, 3], false), true);
  });

  it('of what was moved about are read, and nothing is proven', async () => {
    const { store, reads } = await open(two, Buffer.concat([new Uint8Array(blockSizeBytes), two.file]));
    assert.equal(await loadTogether(store, [2, 3], true), true);
    assert.equal(reads.length, 1);
    store.addProven(provenOf([0, 70]));
    assert.deepEqual(unprovenOf(store), [[0, 70]]);
  });

  it('of which one does not open are not loaded, as often as one tries', async () => {
    const { store } = await open(two, without(two.file, placesOf(7)[1]!));
    for (let round = 0; round < 10; round++) {
      assert.equal(await loadTogether(store, [6, 7, 8]), false);
      assert.equal(await loadTogether(store, [8, 9]), true);
    }
  });

  it('that begin with the last block of a band are read in two pieces', async () => {
    const { store, reads } = await open(one);
    const place = placeOf(0, { offset: 63 * payloadSizeBytes, length: 3 * payloadSizeBytes });
    assert.equal(await store.loadTogether([place], new Uint8Array(plainBytes), false), false);
    assert.deepEqual(reads, [
      [66, 1],
      [198, 2],
    ]);
  });

  it('are checked in as many copies as there are', async () => {
    const { store, reads } = await open(archiveOf(3));
    assert.equal(await loadTogether(store, [2, 3], true), true);
    assert.equal(reads.length, 3);
    assert.equal(unprovenOf(store).length, 2);
  });

  it('that lie outside, are too many or contradict the index are not loaded', async () => {
    const { store, reads } = await open(one);
    const into = new Uint8Array(64 * plainBytes);
    const last = 70 * payloadSizeBytes - 30 * sealedBytes;
    const loads = (...changes: Partial<SegmentPlace>[]) =>
      store.loadTogether(
        changes.map((change, index) => placeOf(30, { number: 30 + index, ...change })),
        into,
        false,
      );
    assert.equal(await loads({ length: last + 1 }), false);
    assert.deepEqual(reads, []);
    assert.equal(await loads({ length: last }), false);
    assert.equal(reads.length, 1);
    assert.equal(await loads({ maximumPlainBytes: plainBytes + 1 }), false);
    assert.equal(await loads({ maximumPlainBytes: plainBytes - 1 }), false);
    assert.equal(await loads({}), true);
  });

  it('are as many as have room', async () => {
    // One segment of 2 MiB at a time, and what compression may add to it.
    const header = { ...one.header, segmentSizeBytes: 2 * 1024 * 1024 };
    const blocks = Math.ceil((header.segmentSizeBytes + 65_536) / payloadSizeBytes) + 1;
    const copy = plainCopy(blocks + 2, header);
    const reads: Reads = [];
    const store = await BlockStore.open({ sources: [sourceOf(copy.bytes, reads)], workers });
    store.configure({ key: undefined, fixedDigest: fixedPartDigest(header) });
    const readsOf = async (count: number) => {
      reads.length = 0;
      const place = placeOf(0, { offset: payloadSizeBytes, length: count * payloadSizeBytes });
      assert.equal(await store.loadTogether([place], new Uint8Array(10), false), false);
      return reads.reduce((sum, [, read]) => sum + read, 0);
    };
    assert.equal(await readsOf(blocks + 1), 0);
    assert.equal(await readsOf(blocks), blocks);
  });

  it('what another check has proven is taken over', async () => {
    const { store } = await open(one);
    store.addProven(provenOf([5, 20]));
    assert.deepEqual(unprovenOf(store), [
      [0, 5],
      [20, 70],
    ]);
    assert.deepEqual(unprovenOf(store, 10, 11), [[20, 21]]);
  });

  it('whose storage does not answer fail once all reads have ended, and what was lent is given back', async () => {
    let gate: Promise<void> | undefined;
    const inner = sourceOf(two.file);
    const source: RandomAccess = {
      ...inner,
      read: async (offset, into) => {
        if (gate !== undefined && offset < total * blockSizeBytes) throw new HoldfastError('storage.unavailable');
        await gate;
        return await inner.read(offset, into);
      },
    };
    const store = await BlockStore.open({ sources: [source], workers });
    store.configure(two.seal);
    for (let round = 0; round < 10; round++) {
      const { promise, resolve } = Promise.withResolvers<void>();
      gate = promise;
      let hasEnded = false;
      const loading = loadTogether(store, [2], true).finally(() => {
        hasEnded = true;
      });
      const failed = assert.rejects(loading, { code: 'storage.unavailable' });
      for (let turn = 0; turn < 3; turn++) await setImmediate();
      // The other copy is still being read, to memory that is lent.
      assert.equal(hasEnded, false);
      resolve();
      await failed;
    }
    gate = undefined;
    assert.equal(await loadTogether(store, [2], true), true);
  });
});

function provenOf(...ranges: [number, number][]): RangeSet {
  const set = new RangeSet();
  for (const [start, end] of ranges) set.add(start, end);
  return set;
}

it('blocks are healed without a key', async () => {
  const store = await BlockStore.open({ sources: [sourceOf(without(one.file, layout.dataPosition(5)))], workers });
  const payload = (await store.heal([5])).get(5);
  assert.deepEqual(payload, Uint8Array.from(one.stream.subarray(5 * payloadSizeBytes, 6 * payloadSizeBytes)));
});

describe('payloads of blocks', () => {
  const payloadOf = (number: number) => one.stream.subarray(number * payloadSizeBytes, (number + 1) * payloadSizeBytes);

  it('are read in part, healed where they have to be', async () => {
    const bytes = without(two.file, 8, 9, total + 9);
    const { store } = await open(two, bytes);
    for (const number of [4, 5, 6]) {
      const into = new Uint8Array(100);
      await store.readPayload(number, 50, into);
      assert.deepEqual(into, Uint8Array.from(payloadOf(number).subarray(50, 150)));
    }
    // Block 5 was in the other copy.
    assert.deepEqual([...store.healed], [6]);
  });

  it('that are lost are refused, or told', async () => {
    const { store } = await open(one, without(one.file, ...stripeOf(6), ...stripeOf(64), layout.dataPosition(8)));
    const blocks = [layout.dataPosition(6), layout.dataPosition(64)];
    const lost = { code: 'archive.damaged', context: { blocks } };
    await assert.rejects(store.heal([6, 8, 64]), lost);
    await assert.rejects(store.heal([64]), { code: 'archive.damaged', message: /1 block\(s\) are lost/ });
    await assert.rejects(store.readPayload(6, 0, new Uint8Array(5)), { code: 'archive.damaged' });
    const healed = await store.tryHeal([6, 8, 64]);
    assert.deepEqual(healed.get(6), undefined);
    assert.deepEqual(healed.get(8), Uint8Array.from(payloadOf(8)));
    assert.deepEqual(
      [...healed.keys()].sort((a, b) => a - b),
      [6, 8, 64],
    );
    assert.deepEqual((await store.heal([8])).get(8), Uint8Array.from(payloadOf(8)));
    assert.deepEqual(
      [...store.healed].sort((a, b) => a - b),
      [6, 8, 64],
    );
  });
});

describe('blocks that are not at their places', () => {
  /** Blocks 60 to 80 lie 100 bytes behind their places, which the size and all that is probed do not tell. */
  function shifted(bytes: Buffer): Buffer {
    const [from, to] = [60 * blockSizeBytes, 81 * blockSizeBytes];
    return Buffer.concat([
      bytes.subarray(0, from),
      Buffer.alloc(100),
      bytes.subarray(from, to - 100),
      bytes.subarray(to),
    ]);
  }

  it('are found by a scan, once', async () => {
    // Parity of the data blocks from 57 on lies in 124 to 130, and in 188 to 194.
    const parity = Array.from({ length: 7 }, (_, index) => [124 + index, 188 + index]).flat();
    const { store, reads } = await open(one, without(shifted(one.file), ...parity));
    assert.equal(store.inPlace, true);
    store.addProven(provenOf([0, 10]));
    const healed = await store.heal([57, 60, 63]);
    for (const [number, payload] of healed) {
      assert.deepEqual(
        payload,
        Uint8Array.from(one.stream.subarray(number * payloadSizeBytes, (number + 1) * payloadSizeBytes)),
      );
    }
    assert.equal(store.inPlace, false);
    // What was proven was proven of other places.
    assert.deepEqual([...store.unproven(0, 70)], [{ start: 0, end: 70 }]);
    const scans = () => reads.filter(([offset, blocks]) => offset === 0 && blocks >= total).length;
    assert.equal(scans(), 1);
    await store.tryHeal([57]);
    assert.equal(scans(), 1);
    assert.deepEqual(await load(store, 27), plainOf(27));
  });

  it('are looked for once by all who ask at once', async () => {
    const lost = [6, 7].flatMap(stripeOf);
    const { store, reads } = await open(one, without(one.file, ...lost));
    const [first, second] = await Promise.all([store.tryHeal([6]), store.tryHeal([7])]);
    assert.deepEqual([first.get(6), second.get(7)], [undefined, undefined]);
    assert.equal(reads.filter(([, blocks]) => blocks >= total).length, 1);
  });

  it('leave damaged ones where the size puts them', async () => {
    // Blocks 60 to 80 lie 100 bytes before their places, over the end of block 59: a scan sees no room for it.
    const [from, to] = [60 * blockSizeBytes, 81 * blockSizeBytes];
    const bytes = Buffer.concat([
      one.file.subarray(0, from - 100),
      one.file.subarray(from, to),
      Buffer.alloc(100),
      one.file.subarray(to),
    ]);
    const [, ...parity] = stripeOf(56);
    assert.equal(stripeOf(56)[0], 59);
    for (const [index, place] of parity.entries()) blockAt(bytes, place)[100 + index]! ^= 1;
    for (const place of stripeOf(20)) blockAt(bytes, place).fill(0);
    const { store } = await open(one, bytes);
    // Block 20 makes the store scan. Of 56 two damaged blocks of parity alone would not do.
    assert.equal((await store.tryHeal([20])).get(20), undefined);
    assert.equal(store.inPlace, false);
    const healed = (await store.tryHeal([56])).get(56);
    assert.deepEqual(healed, Uint8Array.from(one.stream.subarray(56 * payloadSizeBytes, 57 * payloadSizeBytes)));
  });

  it('give what parity they hold, from the first of them on', async () => {
    const [data, first, second] = stripeOf(20) as [number, number, number];
    const bytes = without(one.file, data, second);
    const at = first * blockSizeBytes;
    const { store } = await open(one, Buffer.concat([bytes.subarray(0, at), Buffer.alloc(100), bytes.subarray(at)]));
    const payload = (await store.heal([20])).get(20);
    assert.deepEqual(payload, Uint8Array.from(one.stream.subarray(20 * payloadSizeBytes, 21 * payloadSizeBytes)));
  });

  it('may be those of a shorter archive than the size told', async () => {
    const shorter = plainCopy(66, one.header);
    let bytes: Uint8Array = without(one.file);
    const source: RandomAccess = {
      ...sourceOf(one.file),
      read: async (offset, into) => await sourceOf(bytes).read(offset, into),
    };
    const store = await BlockStore.open({ sources: [source], workers });
    assert.equal(store.layout.totalDataBlocks, 70);
    // What is looked for now is not there any more.
    bytes = Buffer.concat([shorter.bytes, Buffer.alloc((total - shorter.layout.totalBlocks) * blockSizeBytes)]);
    const healed = await store.tryHeal([0, 65, 66, 69]);
    assert.equal(store.layout.totalDataBlocks, 66);
    const payloadOf = (number: number) =>
      Uint8Array.from(shorter.stream.subarray(number * payloadSizeBytes, (number + 1) * payloadSizeBytes));
    assert.deepEqual(healed.get(65), payloadOf(65));
    assert.deepEqual([healed.get(66), healed.get(69)], [undefined, undefined]);
    const { tally } = await sweep({ store });
    assert.deepEqual([tally.intact, tally.perCopy], [shorter.layout.totalBlocks, shorter.layout.totalBlocks]);
  });
});
