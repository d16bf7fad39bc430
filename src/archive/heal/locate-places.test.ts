import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { blockAt, type PlainCopy, plainCopy, plainHeader } from '../../../test/archive/plain-copy.ts';
import { SeededRandom } from '../../testing/seeded-random.ts';
import type { Header } from '../header.ts';
import type { RandomAccess } from '../random-access.ts';
import { WorkerPool } from '../worker/worker-pool.ts';
import { sealBlock } from './block.ts';
import { blockSizeBytes, frameSizeBytes } from './geometry.ts';
import { findHeader, findWholeHeader, type LocateOptions, locate, relocate, scanSource } from './locate.ts';

/** Where an archive is looked for, and what is believed: small copies, and where each step finds what it looks for. */

const workers = new WorkerPool(0);
after(() => workers.close());

/** Headers 0 to 2, data 3 to 7, 16 of parity (8 stripes), final headers 24 to 26. */
const copy = plainCopy(5);
const total = 27;
const { header } = copy;
const twin = plainCopy(5, plainHeader(1, { copies: 2 }));
const headerPlaces = [0, 1, 2, 24, 25, 26];

/** A source over bytes, with the offsets of what was read of it. */
function sourceOf(bytes: Uint8Array): RandomAccess & { readonly reads: number[] } {
  const reads: number[] = [];
  return {
    reads,
    sizeBytes: bytes.length,
    read: async (offset, into) => {
      assert.ok(offset >= 0 && offset < bytes.length);
      reads.push(offset);
      const given = bytes.subarray(offset, offset + into.length);
      into.set(given);
      return given.length;
    },
    close: async () => undefined,
  };
}

function optionsOf(bytes: Uint8Array | readonly Uint8Array[], archiveId?: string): LocateOptions {
  const all = bytes instanceof Uint8Array ? [bytes] : bytes;
  return { sources: all.map(sourceOf), workers, archiveId };
}

/** Layers as `source: offset@position+count`, all in blocks. */
async function found(bytes: Uint8Array | readonly Uint8Array[], archiveId?: string) {
  const { map, layout, inPlace, scanned } = await locate(optionsOf(bytes, archiveId));
  const layers = map.layers.map((layer) =>
    layer.map(({ source, offset, position, count }) => `${source}: ${offset / blockSizeBytes}@${position}+${count}`),
  );
  return { layers, primary: map.primaryLayers, data: layout.totalDataBlocks, inPlace, scanned };
}

function joined(...parts: Uint8Array[]): Buffer {
  return Buffer.concat(parts);
}

const filler = (blocks: number, seed = 3) => new SeededRandom(seed).bytes(blocks * blockSizeBytes);

function zero(block: Buffer): void {
  block.fill(0);
}

/** The bytes with blocks made into something else: zeros unless told. */
function changed(bytes: Uint8Array, places: readonly number[], change: (block: Buffer, index: number) => void = zero) {
  const result = Buffer.from(bytes);
  for (const [index, place] of places.entries()) change(blockAt(result, place), index);
  return result;
}

/** One byte of the body wrong, in each block another one. */
function flip(block: Buffer, index: number): void {
  block[frameSizeBytes + 20 + 3 * index]! ^= 0xff;
}

function idOf({ archiveId }: Header): string {
  return Buffer.from(archiveId).toString('hex');
}

/** A block of this archive with a frame and a body of one's own. */
function blockOf(of: PlainCopy, frame: Parameters<typeof sealBlock>[2], body: Uint8Array = of.headerBody): Buffer {
  const block = Buffer.alloc(blockSizeBytes);
  block.set(body, frameSizeBytes);
  sealBlock(block, of.header.archiveId, frame);
  return block;
}

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

describe('chunks of a scan', () => {
  const chunkBytes = 4 * 1024 * 1024;

  /** A source of zeros with the first block of the copy at these offsets. */
  function sparse(sizeBytes: number, offsets: readonly number[], failing?: number) {
    const reads: number[] = [];
    const block = blockAt(copy.bytes, 0);
    const source: RandomAccess = {
      sizeBytes,
      read: async (offset, into) => {
        reads.push(offset);
        if (failing !== undefined && offset <= failing && failing < offset + into.length) throw new TypeError('torn');
        for (const at of offsets) {
          const from = Math.max(0, offset - at);
          const to = Math.min(blockSizeBytes, offset + into.length - at);
          if (to > from) into.set(block.subarray(from, to), at + from - offset);
        }
        return Math.min(into.length, sizeBytes - offset);
      },
      close: async () => undefined,
    };
    return { source, reads };
  }

  it('overlap by a block, which is found once', async () => {
    for (const id of [header.archiveId, undefined]) {
      for (const at of [chunkBytes - blockSizeBytes, chunkBytes - 1, chunkBytes - 100, chunkBytes, chunkBytes + 1]) {
        const { source } = sparse(chunkBytes + 3 * blockSizeBytes, [at]);
        const offsets: number[] = [];
        for await (const blocks of scanSource(source, { sources: [source], workers }, id)) {
          offsets.push(...blocks.map(({ offset }) => offset));
        }
        assert.deepEqual(offsets, [at]);
      }
    }
  });

  it('are read a few ahead of what was asked for, in order, and progress is told', async () => {
    const sizeBytes = 5 * chunkBytes + 1;
    const { source, reads } = sparse(sizeBytes, [100, 2 * chunkBytes, 5 * chunkBytes - 4096]);
    const progress: (readonly [number, number])[] = [];
    const onScan = (done: number, of: number) => progress.push([done, of]);
    const scan = scanSource(source, { sources: [source], workers, onScan }, header.archiveId);
    const first = await scan.next();
    assert.deepEqual(reads, [0, chunkBytes, 2 * chunkBytes]);
    const offsets: number[] = first.done === true ? [] : first.value.map(({ offset }) => offset);
    for await (const blocks of scan) offsets.push(...blocks.map(({ offset }) => offset));
    assert.deepEqual(offsets, [100, 2 * chunkBytes, 5 * chunkBytes - 4096]);
    assert.deepEqual(
      reads,
      [0, 1, 2, 3, 4, 5].map((index) => index * chunkBytes),
    );
    assert.deepEqual(
      progress,
      [0, 1, 2, 3, 4, 5].map((index) => [index * chunkBytes, sizeBytes]),
    );
  });

  it('are given up where the run is aborted, or its storage does not answer', async () => {
    const { source, reads } = sparse(3 * chunkBytes, []);
    const signal = AbortSignal.abort();
    const scan = scanSource(source, { sources: [source], workers, signal }, undefined);
    await assert.rejects(scan.next(), { code: 'operation.interrupted' });
    assert.deepEqual(reads, []);
  });
});

describe('the header', () => {
  const bodyOf = async (bytes: Uint8Array | readonly Uint8Array[], archiveId?: string) =>
    (await findHeader(optionsOf(bytes, archiveId))).header;

  it('is looked for at the three first and the three last blocks', async () => {
    for (const place of headerPlaces) {
      const others = headerPlaces.filter((other) => other !== place);
      assert.equal((await bodyOf(changed(copy.bytes, others))).generation, 0, `at ${place}`);
      const whole = await findWholeHeader([sourceOf(changed(copy.bytes, others))], undefined);
      assert.ok(whole !== undefined && whole !== 'several');
      assert.deepEqual(whole.body, Uint8Array.from(copy.headerBody));
    }
    assert.equal(await findWholeHeader([sourceOf(changed(copy.bytes, headerPlaces))], undefined), undefined);
    const asked = await findWholeHeader([sourceOf(copy.bytes)], idOf(header));
    assert.ok(asked !== undefined && asked !== 'several');
    assert.equal(await findWholeHeader([sourceOf(copy.bytes)], idOf(plainHeader(9))), undefined);
  });

  it('of the newest generation counts, the first of several of one', async () => {
    const variants = [
      { generation: 1, createdMs: 1 },
      { generation: 2, createdMs: 2 },
      { generation: 2, createdMs: 3 },
    ].map((changes) => plainCopy(5, { ...header, ...changes }));
    const placed = (order: readonly number[]) =>
      changed(copy.bytes, headerPlaces, (block, index) => {
        const variant = variants[order[index] ?? 0]!;
        blockAt(variant.bytes, headerPlaces[index]!).copy(block);
      });
    assert.equal((await bodyOf(placed([0, 0, 0, 0, 0, 0]))).createdMs, 1);
    // They are read from both ends: 0, 26, 1, 25, 2, 24.
    assert.equal((await bodyOf(placed([0, 2, 1, 0, 0, 0]))).createdMs, 3);
    assert.equal((await bodyOf(placed([0, 1, 0, 0, 0, 2]))).createdMs, 3);
    assert.equal((await bodyOf(placed([1, 0, 0, 0, 0, 2]))).createdMs, 2);
  });

  it('that nobody can read is told by its first error', async () => {
    const withBody = (body: Buffer) => (block: Buffer, index: number) => {
      const place = headerPlaces[index]!;
      const kind = place < 3 ? 0 : 3;
      const frame = {
        position: place,
        bandDataBlocks: kind === 0 ? 0 : 5,
        kind,
        ordinal: place < 3 ? place : place - 24,
      } as const;
      blockOf(copy, frame, body).copy(block);
    };
    const future = Buffer.from(copy.headerBody);
    future.writeUInt16LE(2, 8);
    const bytes = changed(copy.bytes, headerPlaces, withBody(future));
    await assert.rejects(bodyOf(bytes), { code: 'archive.version_unsupported' });
    const torn = Buffer.from(copy.headerBody);
    torn[38] = 0;
    blockOf(copy, { position: 26, bandDataBlocks: 5, kind: 3, ordinal: 2 }, torn).copy(blockAt(bytes, 26));
    await assert.rejects(bodyOf(bytes), { code: 'archive.version_unsupported' });
    blockAt(copy.bytes, 1).copy(blockAt(bytes, 1));
    assert.equal((await bodyOf(bytes)).generation, 0);
  });

  it('is put together from damaged ones by majority', async () => {
    // Each has another byte wrong, and all but one a wrong hash.
    const damaged = changed(copy.bytes, headerPlaces, flip);
    assert.equal((await bodyOf(damaged)).createdMs, header.createdMs);
    assert.equal((await found(damaged)).scanned, false);
    const frames = changed(damaged, headerPlaces.slice(0, 5), (block, index) => void block.fill(0xaa, 16 + index, 32));
    assert.equal((await bodyOf(frames)).createdMs, header.createdMs);
    const hashes = changed(damaged, [0, 1, 2, 24, 26], (block) => void block.fill(0xaa, 4080));
    assert.equal((await bodyOf(hashes)).createdMs, header.createdMs);
    const ids = changed(damaged, headerPlaces.slice(0, 2), (block) => void block.fill(0xaa, 0, 16));
    assert.equal((await bodyOf(ids)).createdMs, header.createdMs);
  });

  it('of which all have the same byte wrong is none, nor is one alone', async () => {
    const same = changed(copy.bytes, headerPlaces, (block) => flip(block, 0));
    await assert.rejects(bodyOf(same), { code: 'archive.not_an_archive' });
    const one = changed(changed(copy.bytes, headerPlaces), [2], (block) => {
      blockAt(copy.bytes, 2).copy(block);
      flip(block, 0);
    });
    await assert.rejects(bodyOf(one), { code: 'archive.not_an_archive' });
  });

  it('of two damaged ones is that of the first where they differ', async () => {
    // All other blocks are damaged as well, and have no vote.
    const others = Array.from({ length: total }, (_, place) => place).filter((place) => !headerPlaces.includes(place));
    const spoilt = changed(changed(copy.bytes, headerPlaces), others, (block) => flip(block, 0));
    const left = (first: number, second: number) =>
      changed(spoilt, [first, second], (block, index) => {
        blockAt(copy.bytes, index === 0 ? first : second).copy(block);
        // The first has a wrong hash, the second a wrong body.
        if (index === 0) block[blockSizeBytes - 1]! ^= 1;
        else flip(block, 0);
      });
    assert.equal((await bodyOf(left(0, 1))).createdMs, header.createdMs);
    assert.equal((await bodyOf(left(1, 2))).createdMs, header.createdMs);
    assert.equal((await bodyOf(left(26, 25))).createdMs, header.createdMs);
    await assert.rejects(bodyOf(left(2, 1)), { code: 'archive.not_an_archive' });
  });

  it('is put together of copies in the middle too, up to three', async () => {
    for (const copies of [2, 3]) {
      const { bytes } = plainCopy(5, plainHeader(1, { copies }));
      const all = joined(...Array.from({ length: copies }, () => bytes));
      const places = Array.from({ length: copies }, (_, at) => headerPlaces.map((place) => at * total + place)).flat();
      // All that stands at both ends of the file is lost; in the middle two are left, each with a fault of its own.
      const ends = [0, 1, 2, ...[3, 2, 1].map((back) => copies * total - back)];
      const damaged = changed(all, places);
      for (const [index, place] of [24, 27].entries()) {
        blockAt(all, place).copy(blockAt(damaged, place));
        const block = blockAt(damaged, place);
        if (index === 0) block[blockSizeBytes - 1]! ^= 1;
        else flip(block, 0);
      }
      assert.ok(ends.every((place) => blockAt(damaged, place).every((byte) => byte === 0)));
      assert.equal((await bodyOf(damaged)).copies, copies);
    }
  });

  it('is scanned for where it is not at its places', async () => {
    const bytes = joined(filler(4), changed(copy.bytes, [0, 1, 2, 24, 25]), filler(4, 8));
    assert.deepEqual(await bodyOf(bytes), (await findHeader(optionsOf(copy.bytes))).header);
    assert.equal((await found(bytes)).data, 5);
    const short = Buffer.from(copy.headerBody).fill(0, 48, 50);
    const none = blockOf(copy, { position: 0, bandDataBlocks: 0, kind: 0, ordinal: 0 }, short);
    await assert.rejects(bodyOf(joined(filler(4), none, filler(4))), { code: 'archive.not_an_archive' });
    for (const sizeBytes of [0, 1, 4095, 4096, 12_288]) {
      const message = sizeBytes === 0 ? 'the file is empty' : /./;
      await assert.rejects(bodyOf(new Uint8Array(sizeBytes)), { code: 'archive.not_an_archive', message });
    }
    await assert.rejects(
      bodyOf([new Uint8Array(0), new Uint8Array(1)]),
      ({ message }: Error) => !/empty/.test(message),
    );
  });

  it('of several archives is the one that is asked for', async () => {
    const other = plainCopy(2, plainHeader(7, { generation: 3 }));
    const both = joined(copy.bytes, other.bytes);
    for (const bytes of [both, joined(filler(4), both, filler(4, 8))]) {
      assert.equal((await bodyOf(bytes, idOf(header))).generation, 0);
      assert.equal((await bodyOf(bytes, idOf(other.header))).generation, 3);
      await assert.rejects(bodyOf(bytes, '00'.repeat(16)), { code: 'archive.not_an_archive' });
      await assert.rejects(bodyOf(bytes), {
        code: 'archive.ambiguous',
        message: `2 archives stand in this file: ${idOf(header)}, ${idOf(other.header)}`,
        context: { archiveIds: [idOf(header), idOf(other.header)] },
      });
    }
    assert.equal(await findWholeHeader([sourceOf(both)], undefined), 'several');
    // A damaged header of one archive is not given for another.
    const damaged = changed(copy.bytes, headerPlaces, flip);
    assert.equal((await bodyOf(damaged, idOf(header))).generation, 0);
    await assert.rejects(bodyOf(damaged, idOf(other.header)), { code: 'archive.not_an_archive' });
  });

  it('of very many archives names a few', async () => {
    const blocks = Array.from({ length: 120 }, (_, index) => {
      const { bytes } = plainCopy(1, plainHeader(100 + index));
      return blockAt(bytes, 0);
    });
    const ids = blocks.map((block) => block.toString('hex', 0, 16));
    await assert.rejects(bodyOf(joined(filler(3), ...blocks, filler(3))), {
      code: 'archive.ambiguous',
      message: `120 archives stand in this file: ${ids.slice(0, 8).join(', ')}`,
      context: { archiveIds: ids.slice(0, 100) },
    });
  });
});
