/**
 * Faults of blocks (sections 2 to 4), in the archive of two copies of 13 blocks: 0-2 header, 3-6 data, 7-9 parity, 10-12 final header.
 * A damaged block is one that is missing or is not what its position needs. Solved are data positions that parity gives back: header
 * blocks are copies of each other, and parity is made anew from the data.
 */
import { blockSize, hashBlock, type Specification, writeArchive } from '../reference-writer.ts';
import {
  blockEntries,
  blocky,
  changed,
  blockyCount as count,
  file,
  flip,
  type Made,
  type Vector,
  wipe,
} from './vector.ts';

const oneCopy = { copies: 1 };
const lostFirst = ['files/docs/a.bin'];

function repairable(name: string, describes: string, damaged: number, solved: number, make: () => Made): Vector {
  const blocks = { damaged, solved, lost: 0 };
  return { name: `block-${name}`, describes, expect: 'ok', verifyState: 'repairable', blocks, make };
}

/** A byte of the archive with one copy: header blocks repeat each other, data and parity blocks are solved. */
function atByte(name: string, describes: string, block: number, offset: number): Vector {
  const make = () => changed((bytes) => void flip(bytes, block * blockSize + offset), oneCopy);
  return repairable(name, `${describes} There is one copy.`, 1, block >= 3 && block < 7 ? 1 : 0, make);
}

/** The same blocks wiped in every copy. */
function wipeAll(positions: readonly number[]) {
  return (bytes: Buffer) => {
    for (let first = 0; first < bytes.length / blockSize; first += count) {
      for (const position of positions) wipe(bytes, first + position);
    }
    return bytes;
  };
}

const single: Vector[] = [
  atByte('flip-id', 'A byte of the archive id of a data block.', 3, 0),
  atByte('flip-position', 'A byte of the position of a data block.', 3, 16),
  atByte('flip-kind', 'The kind of a data block.', 3, 28),
  atByte('flip-payload', 'A byte of the payload of a data block.', 4, 1000),
  atByte('flip-inner-hash', 'A byte of the inner hash of a data block.', 4, 4064),
  atByte('flip-outer-hash', 'A byte of the outer hash of a data block.', 5, 4080),
  atByte('flip-parity', 'A byte of a parity block.', 8, 2000),
  atByte('flip-header', 'A byte of the header in block 0.', 0, 50),
  atByte('flip-final', 'The last byte of the file.', count - 1, 4095),
  repairable('flip-first-copy', 'A byte of a data block of the first copy: the second has the block.', 1, 0, () =>
    changed((bytes) => void flip(bytes, 4 * blockSize + 1000)),
  ),
  repairable('flip-both', 'The same byte of a data block in both copies: parity gives it back.', 2, 1, () =>
    changed((bytes) => {
      flip(bytes, 4 * blockSize + 1000);
      flip(bytes, (count + 4) * blockSize + 1000);
    }),
  ),
];

const headers: Vector[] = [
  repairable('headers-of-first-copy', 'All header blocks of the first copy are zeros.', 6, 0, () =>
    changed((bytes) => {
      for (const position of [0, 1, 2, 10, 11, 12]) wipe(bytes, position);
    }),
  ),
  repairable(
    'headers-by-majority',
    'Every header block of both copies has a byte changed, each another one: only the majority of them gives the header.',
    12,
    0,
    () =>
      changed((bytes) => {
        for (const [index, position] of [0, 1, 2, 10, 11, 12].entries()) {
          flip(bytes, position * blockSize + 60 + index);
          flip(bytes, (count + position) * blockSize + 70 + index);
        }
      }),
  ),
  {
    name: 'block-headers-gone',
    describes: 'Every header block of both copies is zeros: nothing tells what this is.',
    expect: 'archive.not_an_archive',
    verifyState: 'archive.not_an_archive',
    make: () => changed(wipeAll([0, 1, 2, 10, 11, 12])),
  },
];

const stripes: Vector[] = [
  repairable('stripe-m-lost', 'As many data blocks as there is parity, 3, are gone from both copies.', 6, 3, () =>
    changed(wipeAll([3, 4, 5])),
  ),
  repairable('stripe-m-lost-mixed', 'Two data blocks and a parity block are gone from the only copy.', 3, 2, () =>
    changed(wipeAll([3, 6, 8]), oneCopy),
  ),
  repairable(
    'parity-lost',
    'All parity blocks are gone from both copies; it can be made anew from the data.',
    6,
    0,
    () => changed(wipeAll([7, 8, 9])),
  ),
  {
    name: 'block-stripe-m-1-lost',
    describes:
      'One block more than there is parity is gone from both copies: the first data block and all parity. What lies in the other blocks can be had.',
    expect: 'archive.damaged',
    verifyState: 'lost',
    blocks: { damaged: 8, solved: 0, lost: 1 },
    lostEntries: lostFirst,
    make: () => changed(wipeAll([3, 7, 8, 9])),
  },
  {
    name: 'block-tail-lost',
    describes:
      'One block more than there is parity is gone, the last data block among them: nothing leads to the index, and which entries are lost is not known.',
    expect: 'archive.damaged',
    verifyState: 'lost',
    make: () => changed(wipeAll([6, 7, 8, 9])),
  },
  repairable(
    'complementary',
    'The first copy lacks data blocks 0 and 1 and its parity, the second data blocks 2 and 3: each has what the other lacks.',
    7,
    0,
    () =>
      changed((bytes) => {
        for (const position of [3, 4, 7, 8, 9, count + 5, count + 6]) wipe(bytes, position);
      }),
  ),
];

const contradicting = 'Its hash is right, and it is not what its place needs. There is one copy: parity gives it back.';

/** A change of one block of the only copy, with right hashes. */
function forged(name: string, describes: string, position: number, change: (block: Buffer) => void): Vector {
  const make = () =>
    changed((bytes) => {
      const block = bytes.subarray(position * blockSize, (position + 1) * blockSize);
      change(block);
      hashBlock(block);
    }, oneCopy);
  return repairable(name, describes, 1, position < 7 ? 1 : 0, make);
}

const frames: Vector[] = [
  forged('position-2-60', `A data block says that its position is 2^60. ${contradicting}`, 4, (block) => {
    block.writeBigUInt64LE(2n ** 60n, 16);
  }),
  forged(
    'position-other',
    `A data block says that it is the next one, which follows it. ${contradicting}`,
    4,
    (block) => {
      block.writeBigUInt64LE(5n, 16);
    },
  ),
  forged(
    'parity-band-size-huge',
    `A parity block says that its band has 2^32-1 data blocks. Its hash is right, and it is not what its place needs.`,
    7,
    (block) => {
      block.writeUInt32LE(2 ** 32 - 1, 24);
    },
  ),
  forged(
    'final-band-size-huge',
    'The last block of the file says that its band has 2^32-1 data blocks, with a right hash. The other final header blocks say the truth.',
    12,
    (block) => void block.writeUInt32LE(2 ** 32 - 1, 24),
  ),
  forged('foreign', `A data block of another archive. ${contradicting}`, 4, (block) => {
    blocky({ seed: 'foreign' }).blocks[4]!.copy(block);
  }),
];

const twoBands: Partial<Specification> = { dataBlocks: 1, parityBlocks: 2, copies: 1, segmentSize: 65_536 };

function bands(change: (bytes: Buffer, blocks: number) => void): () => Made {
  return () => {
    const entries = [file('files/docs/large.bin', 262_144)];
    const written = writeArchive({ seed: 'bands', entries, ...twoBands });
    change(written.file, written.geometry.blockCount);
    return written;
  };
}

const large: Vector[] = [
  repairable(
    'band-burst',
    'An archive of two bands, the first with 64 stripes of one data and two parity blocks. 64 data blocks in a row and one row of parity are gone: two erasures in every stripe, as many as there is parity.',
    128,
    64,
    bands((bytes) => wipe(bytes, 3, 128)),
  ),
  {
    name: 'block-stripes-8',
    describes: 'An archive whose only band has 8 stripes, without a fault.',
    expect: 'ok',
    verifyState: 'intact',
    blocks: { damaged: 0, solved: 0, lost: 0 },
    make: () =>
      writeArchive({ seed: 'eight', entries: [...blockEntries, file('files/docs/c.bin', 30_000)], segmentSize: 8000 }),
  },
];

export const blockVectors: readonly Vector[] = [...single, ...headers, ...stripes, ...frames, ...large];
