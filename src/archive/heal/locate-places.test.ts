import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import {
  blockOf,
  changed,
  copy,
  filler,
  found,
  idOf,
  joined,
  optionsOf,
  type sourceOf,
  total,
  twin,
  workers,
} from '../../../test/archive/located-copy.ts';
import { blockAt, type PlainCopy, plainCopy, plainHeader } from '../../../test/archive/plain-copy.ts';
import { blockSizeBytes } from './geometry.ts';
import { findHeader, locate, relocate } from './locate.ts';

/** Where the blocks of an archive are found, and what is believed of its outline. */

after(() => workers.close());

describe('an archive in place', () => {
  it('is found by its end and a few probes, without a scan', async () => {
    assert.equal(copy.layout.totalBlocks, total);
    const inPlace = { data: 5, inPlace: true, scanned: false };
    assert.deepEqual(await found(copy.bytes), { layers: [['0: 0@0+27']], primary: 1, ...inPlace });
    const two = joined(twin.bytes, twin.bytes);
    assert.deepEqual(await found(two), { layers: [['0: 0@0+27'], ['0: 27@0+27']], primary: 2, ...inPlace });
    const options = optionsOf(two);
    await locate(options);
    const [source] = options.sources as [ReturnType<typeof sourceOf>];
    // The headers' places, the last block, nine probes of each copy.
    assert.equal(source.reads.length, 6 + 1 + 18);
    const probes = [0, 3, 6, 10, 13, 16, 20, 23, 26];
    const expected = [0, 53, 1, 52, 2, 51, 53, ...probes, ...probes.map((probe) => 27 + probe)];
    assert.deepEqual(
      source.reads.map((offset) => offset / blockSizeBytes),
      expected,
    );
  });

  it('is found by fewer probes where each has its price', async () => {
    const options = optionsOf(joined(twin.bytes, twin.bytes));
    const [source] = options.sources as [ReturnType<typeof sourceOf>];
    Object.assign(source, { isSequential: true });
    assert.equal((await locate(options)).inPlace, true);
    const probes = [0, 13, 26, 27, 40, 53];
    assert.deepEqual(
      source.reads.slice(7).map((offset) => offset / blockSizeBytes),
      probes,
    );
  });

  it('may have filler between two copies, but not between three, nor around them', async () => {
    assert.deepEqual(await found(joined(twin.bytes, filler(4), twin.bytes)), {
      layers: [['0: 0@0+27'], ['0: 31@0+27']],
      ...{ primary: 2, data: 5, inPlace: true, scanned: false },
    });
    const thrice = plainCopy(5, plainHeader(1, { copies: 3 })).bytes;
    assert.deepEqual(await found(joined(thrice, thrice, thrice)), {
      layers: [['0: 0@0+27'], ['0: 27@0+27'], ['0: 54@0+27']],
      ...{ primary: 3, data: 5, inPlace: true, scanned: false },
    });
    for (const bytes of [
      joined(thrice, filler(1), thrice, thrice),
      joined(filler(1), twin.bytes, twin.bytes),
      joined(twin.bytes, twin.bytes, filler(1)),
      joined(twin.bytes, twin.bytes, new Uint8Array(1)),
      joined(twin.bytes),
    ]) {
      const { scanned, data } = await found(bytes);
      assert.deepEqual({ scanned, data }, { scanned: true, data: 5 });
    }
  });

  it('is told by its size where its end is damaged, if that fits', async () => {
    const damaged = changed(copy.bytes, [24, 25, 26]);
    assert.deepEqual(await found(damaged), {
      layers: [['0: 0@0+27']],
      ...{ primary: 1, data: 5, inPlace: true, scanned: false },
    });
    const two = changed(joined(twin.bytes, twin.bytes), [53]);
    assert.equal((await found(two)).scanned, false);
    assert.equal((await found(two)).data, 5);
    // What is damaged in it, or of another archive, tells nothing.
    const others = plainCopy(9, plainHeader(9));
    const own = idOf(copy.header);
    const lastOf = blockAt(others.bytes, others.layout.totalBlocks - 1);
    assert.equal(
      (
        await found(
          changed(copy.bytes, [26], (block) => void lastOf.copy(block)),
          own,
        )
      ).scanned,
      false,
    );
    const wrongPosition = (block: Buffer) => {
      block[16]! ^= 1;
    };
    assert.equal((await found(changed(copy.bytes, [26], wrongPosition))).scanned, false);
    // No layout has one block more or less.
    assert.equal((await found(joined(damaged, filler(1)))).scanned, true);
    assert.equal((await found(damaged.subarray(0, -blockSizeBytes))).scanned, true);
    // Two copies are a whole number of copies.
    assert.equal((await found(joined(two, filler(1)))).scanned, true);
  });

  it('is not told by its size where its last block is a whole one of another kind', async () => {
    // The copy without its end: as long as a shorter one would be.
    const cut = copy.bytes.subarray(0, 13 * blockSizeBytes);
    const { scanned, data } = await found(cut);
    assert.deepEqual({ scanned, data }, { scanned: true, data: 5 });
  });

  it('is looked for by a scan where what stands there contradicts', async () => {
    // The last block says that there are five; all before it was moved by one block.
    const moved = joined(
      copy.bytes.subarray(0, blockSizeBytes),
      copy.bytes.subarray(0, 25 * blockSizeBytes),
      blockAt(copy.bytes, 26),
    );
    assert.equal((await found(moved)).scanned, true);
    // One block of nine that stands elsewhere is no reason, two are.
    const swapped = (places: readonly number[]) =>
      changed(copy.bytes, places, (block) => void blockAt(copy.bytes, 4).copy(block));
    assert.equal((await found(swapped([13]))).scanned, false);
    assert.equal((await found(swapped([13, 16]))).scanned, true);
    // What is damaged contradicts nothing, and of eight that are left one may.
    assert.equal((await found(changed(swapped([13]), [6, 10, 16]))).scanned, false);
    assert.equal((await found(changed(swapped([13]), [6, 10, 16, 20]))).scanned, true);
    assert.equal((await found(changed(copy.bytes, [3, 6, 10, 13, 16, 20, 23]))).scanned, false);
    const wrongPosition = (block: Buffer) => {
      block[16]! ^= 1;
    };
    assert.equal((await found(changed(copy.bytes, [6, 10, 13], wrongPosition))).scanned, false);
    // Nor do blocks of another archive.
    const foreign = plainCopy(5, plainHeader(9)).bytes;
    assert.equal(
      (await found(changed(copy.bytes, [6, 10, 13], (block) => void blockAt(foreign, 4).copy(block)))).scanned,
      false,
    );
  });

  it('in several sources has to be the same in all of them', async () => {
    assert.deepEqual(await found([copy.bytes, copy.bytes]), {
      layers: [['0: 0@0+27'], ['1: 0@0+27']],
      ...{ primary: 2, data: 5, inPlace: true, scanned: false },
    });
    for (const other of [copy.bytes.subarray(0, 80_000), plainCopy(2).bytes]) {
      assert.equal((await found([copy.bytes, other])).scanned, true);
      assert.equal((await found([other, copy.bytes])).scanned, true);
    }
  });
});

describe('a scan', () => {
  it('finds where blocks lie, and guesses where damaged ones may', async () => {
    const bytes = joined(new Uint8Array(100), changed(copy.bytes, [0, 1, 10, 26]));
    const { map, inPlace, scanned } = await locate(optionsOf(bytes));
    const at = (position: number, count: number) => {
      return { source: 0, offset: 100 + position * blockSizeBytes, position, count };
    };
    assert.deepEqual(map.layers, [[at(2, 24)], [at(0, 2), at(26, 1)]]);
    assert.deepEqual({ primary: map.primaryLayers, inPlace, scanned }, { primary: 1, inPlace: false, scanned: true });
  });

  it('tells what is in place nevertheless', async () => {
    const relocated = async (bytes: Uint8Array | readonly Uint8Array[]) => {
      const options = optionsOf(bytes);
      const { inPlace, scanned } = await relocate(await findHeader(options), options);
      assert.equal(scanned, true);
      return inPlace;
    };
    assert.equal(await relocated(copy.bytes), true);
    assert.equal(await relocated(joined(twin.bytes, twin.bytes)), true);
    assert.equal(await relocated(joined(twin.bytes, filler(2), twin.bytes)), true);
    assert.equal(await relocated([copy.bytes, copy.bytes]), true);
    assert.equal(await relocated(twin.bytes), false);
    assert.equal(await relocated(joined(twin.bytes, twin.bytes, twin.bytes)), false);
    assert.equal(await relocated(joined(new Uint8Array(1), copy.bytes)), false);
    assert.equal(await relocated(joined(copy.bytes, new Uint8Array(1))), false);
    assert.equal(await relocated(changed(joined(twin.bytes, twin.bytes), [26])), false);
    assert.equal(await relocated(changed(joined(twin.bytes, twin.bytes), [27])), false);
    assert.equal(await relocated(changed(copy.bytes, [0])), false);
    assert.equal(await relocated(changed(copy.bytes, [26])), false);
    assert.equal(await relocated([copy.bytes, joined(copy.bytes, new Uint8Array(1))]), false);
  });

  it('leaves out what lies beyond the outline', async () => {
    // Three final headers tell of 27 blocks; a whole block claims to be one behind them.
    const beyond = blockOf(copy, { position: 27, bandDataBlocks: 5, kind: 2, ordinal: 0 });
    const { layers } = await found(joined(copy.bytes, filler(1), beyond));
    // That the block before it may be the last one is a guess.
    assert.deepEqual(layers, [['0: 0@0+27'], ['0: 27@26+1']]);
    const inside = blockOf(copy, { position: 23, bandDataBlocks: 5, kind: 2, ordinal: 1 });
    assert.deepEqual((await found(joined(copy.bytes, filler(1), inside))).layers[1], ['0: 28@23+1']);
  });

  it('takes the outline that most final headers tell of', async () => {
    const longer = plainCopy(6);
    const finals = (of: PlainCopy, ...ordinals: number[]) =>
      ordinals.map((ordinal) => blockAt(of.bytes, of.layout.finalPosition(ordinal)));
    const body = copy.bytes.subarray(0, 24 * blockSizeBytes);
    const dataIn = async (...ends: Uint8Array[]) => (await found(joined(new Uint8Array(1), body, ...ends))).data;
    assert.equal(await dataIn(...finals(copy, 0, 1), ...finals(longer, 0)), 5);
    assert.equal(await dataIn(...finals(copy, 0), ...finals(longer, 1, 2)), 6);
    assert.equal(await dataIn(...finals(longer, 1, 2), ...finals(copy, 0)), 6);
    // Of as many the first.
    assert.equal(await dataIn(...finals(longer, 1), ...finals(copy, 2)), 6);
    assert.equal(await dataIn(...finals(copy, 1), ...finals(longer, 2)), 5);
  });

  it('takes parity for it where there is no final header, and the size where there is neither', async () => {
    const shifted = (...lost: number[]) => joined(new Uint8Array(1), changed(copy.bytes, lost));
    const finals = [24, 25, 26];
    const parity = Array.from({ length: 16 }, (_, index) => 8 + index);
    assert.equal((await found(shifted(...finals))).data, 5);
    assert.equal((await found(shifted(...finals, ...parity.slice(1)))).data, 5);
    assert.equal((await found(shifted(...finals, ...parity))).data, 5);
    const lost = [...finals, ...parity].flatMap((place) => [place, total + place]);
    assert.equal((await found(joined(new Uint8Array(1), changed(joined(twin.bytes, twin.bytes), lost)))).data, 5);
    // Neither tells anything: the size is no copy's, and what is found lies beyond what it would be.
    const far = blockAt(plainCopy(20).bytes, 22);
    const bytes = joined(copy.bytes.subarray(0, 3 * blockSizeBytes), far, filler(5));
    await assert.rejects(locate(optionsOf(bytes)), { code: 'archive.damaged', message: /outline is lost/ });
    // Nor does parity count for an outline behind which there is a block.
    const behind = joined(new Uint8Array(1), changed(copy.bytes, finals).subarray(0, -3 * blockSizeBytes));
    assert.equal((await found(joined(behind, blockAt(plainCopy(40).bytes, 26)))).data, 5);
    await assert.rejects(locate(optionsOf(joined(behind, blockAt(plainCopy(40).bytes, 27)))), {
      code: 'archive.damaged',
    });
  });

  it('takes the last parity, of which there may be several bands', async () => {
    const header2 = plainHeader(2, { dataBlocks: 1, parityBlocks: 2 });
    // A band of 64 data blocks and 128 of parity in 195 blocks, and one of a single data block with 2 of parity.
    const long = plainCopy(65, header2);
    assert.equal(long.layout.totalBlocks, 195 + 6 + 3);
    const cut = long.bytes.subarray(0, 201 * blockSizeBytes);
    assert.equal((await found(joined(new Uint8Array(1), cut))).data, 65);
    // Parity that was moved to the front does not count for less.
    const turned = joined(cut.subarray(195 * blockSizeBytes), cut.subarray(0, 195 * blockSizeBytes));
    assert.equal((await found(turned)).data, 65);
    // Only the first band is left.
    assert.equal((await found(joined(new Uint8Array(1), cut.subarray(0, 195 * blockSizeBytes)))).data, 64);
  });

  it('believes no parity of a band that cannot be', async () => {
    const bytes = joined(new Uint8Array(1), copy.bytes.subarray(0, 24 * blockSizeBytes));
    // Bands have 256 data blocks at most.
    for (const [bandDataBlocks, data] of [
      [0, 5],
      [257, 5],
      [256, 256],
      [1, undefined],
    ] as const) {
      const claim = blockOf(copy, { position: 24, bandDataBlocks, kind: 2, ordinal: 0 });
      if (data === undefined)
        await assert.rejects(locate(optionsOf(joined(bytes, claim))), { code: 'archive.damaged' });
      else assert.equal((await found(joined(bytes, claim))).data, data, `${bandDataBlocks}`);
    }
  });

  it('believes no block of a position far beyond what the sources hold', async () => {
    // 64 times as many blocks as there are in the sources, the last of which is not whole.
    const first = joined(new Uint8Array(1), copy.bytes.subarray(0, 8 * blockSizeBytes));
    const dataWith = async (position: number) => {
      const claim = blockOf(copy, { position, bandDataBlocks: 1, kind: 3, ordinal: 0 });
      const bytes = joined(first, blockAt(copy.bytes, 9), claim);
      assert.equal(Math.ceil(bytes.length / blockSizeBytes), 11);
      return (await found(bytes)).data;
    };
    const limit = 11 * 64;
    // The first of three final headers of a copy whose last band has one data block: 387 blocks are a full band.
    const layouts = Array.from({ length: 600 }, (_, index) => plainLayoutBlocks(index + 1));
    const most = Math.max(...layouts.filter((blocks) => blocks - 3 < limit));
    const least = Math.min(...layouts.filter((blocks) => blocks - 3 >= limit));
    assert.equal(await dataWith(most - 3), layouts.indexOf(most) + 1);
    assert.equal(await dataWith(least - 3), 5);
  });
});

/** Blocks of a copy with so many data blocks, of the shape of these tests. */
function plainLayoutBlocks(dataBlocks: number): number {
  const full = 3 + 256 + 128;
  const bands = Math.floor((dataBlocks - 1) / 256);
  const last = dataBlocks - bands * 256;
  const stripes = last <= 4 ? 1 : last <= 32 ? 8 : 64;
  return bands * full + 3 + last + 2 * stripes + 3;
}
