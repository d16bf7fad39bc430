import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { blockAt, plainCopy } from '../../../test/archive/plain-copy.ts';
import {
  layout,
  load,
  one,
  open,
  placeOf,
  placesOf,
  plainBytes,
  plainOf,
  type Reads,
  sealedBytes,
  sourceOf,
  stripeOf,
  total,
  two,
  without,
  workers,
} from '../../../test/archive/small-store.ts';
import { compressSegment } from '../compress/codec.ts';
import { fixedPartDigest, type Header } from '../header.ts';
import { sealSegment, segmentKind } from '../seal/segment-cipher.ts';
import { BlockStore, loadedAtOnce, segmentsTogether } from './block-store.ts';
import { blockSizeBytes, payloadSizeBytes } from './geometry.ts';

/** What the store reads of its layers, and what it makes of a segment. */

after(() => workers.close());

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
