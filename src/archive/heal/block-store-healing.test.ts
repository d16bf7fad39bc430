import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { blockAt, plainCopy } from '../../../test/archive/plain-copy.ts';
import {
  layout,
  load,
  one,
  open,
  plainOf,
  provenOf,
  sourceOf,
  stripeOf,
  total,
  two,
  without,
  workers,
} from '../../../test/archive/small-store.ts';
import type { RandomAccess } from '../random-access.ts';
import { BlockStore } from './block-store.ts';
import { blockSizeBytes, payloadSizeBytes } from './geometry.ts';
import { sweep } from './sweep.ts';

/** Payloads that the store heals, and blocks that it has to look for. */

after(() => workers.close());

it('blocks are healed without a key', async () => {
  const store = await BlockStore.open({ sources: [sourceOf(without(one.file, layout.dataPosition(5)))], workers });
  const payload = (await store.heal([5])).get(5);
  assert.deepEqual(payload, Uint8Array.from(one.stream.subarray(5 * payloadSizeBytes, 6 * payloadSizeBytes)));
});

it('of blocks that were healed a million are named', async () => {
  const { store } = await open(one, without(one.file, layout.dataPosition(5), layout.dataPosition(6)));
  for (let number = 1; number < 1_000_000; number += 1) store.healed.add(-number);
  await store.heal([5]);
  await store.heal([6]);
  assert.deepEqual([store.healed.size, store.healed.has(5), store.healed.has(6)], [1_000_000, true, false]);
});

it('a block that is in no source is not taken for a damaged one', async () => {
  // Blocks 10 to 12 are gone without a gap; 12 is data block 9.
  const { store } = await open(
    one,
    Buffer.concat([one.file.subarray(0, 10 * blockSizeBytes), one.file.subarray(13 * blockSizeBytes)]),
  );
  const present: number[][] = [];
  const run = store.workers.run.bind(store.workers);
  store.workers.run = async (name, task) => {
    if (typeof task === 'object' && 'present' in task) present.push([...task.present]);
    return await run(name, task);
  };
  assert.equal((await store.heal([9])).size, 1);
  assert.deepEqual(present, [[0, 1, 1]]);
});

describe('payloads of blocks', () => {
  const payloadOf = (number: number) => one.stream.subarray(number * payloadSizeBytes, (number + 1) * payloadSizeBytes);

  it('are read in part, healed where they have to be', async () => {
    const bytes = without(two.file, 8, 9, total + 9);
    const { store, reads } = await open(two, bytes);
    for (const number of [4, 5, 6]) {
      const into = new Uint8Array(100);
      await store.readPayload(number, 50, into);
      assert.deepEqual(into, Uint8Array.from(payloadOf(number).subarray(50, 150)));
    }
    // That block alone, of both copies.
    assert.deepEqual(reads.slice(0, 2), [
      [7, 1],
      [total + 7, 1],
    ]);
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
    const many = { code: 'archive.damaged', message: /1001 block/, context: { blocks: Array(1000).fill(blocks[0]) } };
    await assert.rejects(store.heal(Array(1001).fill(6)), many);
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
