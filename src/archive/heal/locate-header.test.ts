import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import {
  blockOf,
  changed,
  copy,
  filler,
  flip,
  found,
  header,
  headerPlaces,
  idOf,
  joined,
  optionsOf,
  sourceOf,
  total,
  workers,
} from '../../../test/archive/located-copy.ts';
import { blockAt, plainCopy, plainHeader } from '../../../test/archive/plain-copy.ts';
import type { RandomAccess } from '../random-access.ts';
import { blockSizeBytes } from './geometry.ts';
import { findHeader, findWholeHeader, scanSource } from './locate.ts';

/** How the header is found, and how a source is scanned. */

after(() => workers.close());

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
