/** Faults of the file as a whole (section 3): cut, shifted, joined, in other files. */
import { blockSize } from '../reference-writer.ts';
import { blocky, bytes, changed, blockyCount as count, type Made, small, type Vector, wipe } from './vector.ts';

const copyLength = count * blockSize;
const inBlock4 = 4 * blockSize + 100;
const oneCopy = { copies: 1 };

function remove(file: Buffer, length: number): Buffer {
  return Buffer.concat([file.subarray(0, inBlock4), file.subarray(inBlock4 + length)]);
}

/** Those whose blocks lie where section 3 puts them; any other is repairable, even when no block is damaged. */
const inPlace = ['copies-8', 'filler', 'filler-three'];

function ok(name: string, describes: string, damaged: number, make: () => Made): Vector {
  const verifyState = damaged === 0 && inPlace.includes(name) ? 'intact' : 'repairable';
  const blocks = { damaged, solved: 0, lost: 0 };
  return { name: `file-${name}`, describes, expect: 'ok', verifyState, blocks, make };
}

function refused(name: string, describes: string, expect: string, file: () => Buffer): Vector {
  return { name: `file-${name}`, describes, expect, verifyState: expect, make: () => ({ file: file(), entries: [] }) };
}

function solved(name: string, describes: string, count: number, change: (file: Buffer) => Buffer): Vector {
  return {
    ...ok(name, describes, count, () => changed(change, oneCopy)),
    blocks: { damaged: count, solved: count, lost: 0 },
  };
}

const moved: Vector[] = [
  ok('copies-8', 'Eight copies, the most there may be.', 0, () => small({ copies: 8, parityBlocks: 2, dataBlocks: 2 })),
  ok('filler', 'Filler of 10,000 zeros between the copies.', 0, () => blocky({ fillerBytes: 10_000 })),
  ok('filler-three', 'Three copies with filler of a block and a half between them.', 0, () =>
    small({ copies: 3, fillerBytes: 6144 }),
  ),
  ok('foreign-tail', '5,000 foreign bytes after the last copy.', 0, () =>
    changed((file) => Buffer.concat([file, bytes('tail', 5000)]), oneCopy),
  ),
  ok('image', 'The archive lies within an image, at an offset that is not a multiple of anything.', 0, () =>
    changed((file) => Buffer.concat([bytes('before', 12_345), file, bytes('after', 777)]), oneCopy),
  ),
  ok(
    'rotated',
    'The last six blocks of the only copy stand before the others: all are there, at other places.',
    0,
    () =>
      changed((file) => {
        const end = copyLength - 6 * blockSize;
        return Buffer.concat([file.subarray(end), file.subarray(0, end)]);
      }, oneCopy),
  ),
  solved(
    'byte-inserted',
    'One byte was inserted within block 4 of the only copy: what follows is shifted.',
    1,
    (file) => Buffer.concat([file.subarray(0, inBlock4), Buffer.from([7]), file.subarray(inBlock4)]),
  ),
  solved('byte-removed', 'One byte was removed from block 4 of the only copy.', 1, (file) => remove(file, 1)),
  solved('4096-removed', '4,096 bytes were removed over the bounds of blocks 4 and 5 of the only copy.', 2, (file) =>
    remove(file, 4096),
  ),
  {
    name: 'file-swapped-blocks',
    describes:
      'Blocks 3 and 5 of the only copy stand in each other’s place. Whether a reader finds them there or solves them is its own affair.',
    expect: 'ok',
    verifyState: 'repairable',
    make: () => changed((file) => void swap(file, 3, 5), oneCopy),
  },
];

const cut: Vector[] = [
  ok('copy-missing-first', 'The first copy was cut off.', count, () => changed((file) => file.subarray(copyLength))),
  ok('copy-missing-last', 'The last copy was cut off.', count, () => changed((file) => file.subarray(0, copyLength))),
  ok('ends-zeroed', 'The first and the last four blocks of the file are zeros.', 8, () =>
    changed((file) => {
      wipe(file, 0, 4);
      wipe(file, 2 * count - 4, 4);
    }),
  ),
  ok('truncated-51', 'The file ends after 51 % of its bytes.', count, () =>
    changed((file) => file.subarray(0, Math.floor(file.length * 0.51))),
  ),
  {
    name: 'file-truncated-in-parity',
    describes:
      'The only copy ends within its second parity block. No final header block is left, and the size tells nothing: the band size in the frame of the first parity block tells how many data blocks there were.',
    expect: 'ok',
    verifyState: 'repairable',
    blocks: { damaged: 5, solved: 0, lost: 0 },
    make: () => changed((file) => file.subarray(0, 8 * blockSize + 100), oneCopy),
  },
];

const others: Vector[] = [
  refused(
    'two-archives',
    'Two archives one after the other: which is meant is not for the reader to guess.',
    'archive.ambiguous',
    () => Buffer.concat([small().file, small({ seed: 'another' }).file]),
  ),
  refused('empty', 'An empty file.', 'archive.not_an_archive', () => Buffer.alloc(0)),
  refused('31-bytes', 'A file of 31 bytes, shorter than a frame.', 'archive.not_an_archive', () => bytes('short', 31)),
  refused('text', 'A text that begins with HOLDFAST.', 'archive.not_an_archive', () =>
    Buffer.from('HOLDFAST is a word.\n'.repeat(500)),
  ),
  refused('zeros', 'A file of zeros.', 'archive.not_an_archive', () => Buffer.alloc(2 * blockSize)),
];

function swap(file: Buffer, a: number, b: number): void {
  const block = Buffer.from(file.subarray(a * blockSize, (a + 1) * blockSize));
  file.copyWithin(a * blockSize, b * blockSize, (b + 1) * blockSize);
  block.copy(file, b * blockSize);
}

export const layoutVectors: readonly Vector[] = [...moved, ...cut, ...others];
