import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { plainCopy } from '../../../test/archive/plain-copy.ts';
import {
  archiveOf,
  one,
  open,
  placeOf,
  placesOf,
  plain,
  plainBytes,
  provenOf,
  type Reads,
  sealedBytes,
  sourceOf,
  total,
  two,
  without,
  workers,
} from '../../../test/archive/small-store.ts';
import { HoldfastError } from '../../errors.ts';
import { fixedPartDigest } from '../header.ts';
import type { RandomAccess } from '../random-access.ts';
import { BlockStore, type SegmentPlace } from './block-store.ts';
import { blockSizeBytes, payloadSizeBytes } from './geometry.ts';

/** Segments that are loaded together, and what is proven by it. */

after(() => workers.close());

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

  /** Fails, and not before what is still being read is let go on. */
  async function failsOnceReleased(loading: Promise<unknown>, release: () => void): Promise<void> {
    let hasEnded = false;
    const ended = loading.finally(() => {
      hasEnded = true;
    });
    const failed = assert.rejects(ended, { code: 'storage.unavailable' });
    for (let turn = 0; turn < 3; turn++) await setImmediate();
    assert.equal(hasEnded, false);
    release();
    await failed;
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
      // The other copy is still being read, to memory that is lent.
      await failsOnceReleased(loadTogether(store, [2], true), resolve);
    }
    gate = undefined;
    assert.equal(await loadTogether(store, [2], true), true);
  });

  it('of which a part fails that lies before the end of a band fail once the part behind it has been read', async () => {
    const inner = sourceOf(two.file);
    const all = Array.from({ length: 31 }, (_, number) => number);
    const positions = all.flatMap((number) => placesOf(number));
    const border = positions.find((position, index) => (positions[index + 1] ?? position) > position + 1);
    assert.ok(border !== undefined, 'the segments lie in two bands');
    const { promise: gate, resolve } = Promise.withResolvers<void>();
    let isOpen = false;
    const source: RandomAccess = {
      ...inner,
      read: async (offset, into) => {
        if (isOpen && offset <= border * blockSizeBytes) throw new HoldfastError('storage.unavailable');
        if (isOpen) await gate;
        return await inner.read(offset, into);
      },
    };
    const store = await BlockStore.open({ sources: [source], workers });
    store.configure(two.seal);
    isOpen = true;
    await failsOnceReleased(loadTogether(store, all), resolve);
  });
});
