/** Faults of the header (section 5). The code of each is right, so that only the field is at fault. */
import { sha256 } from '../reference-writer.ts';
import { ageA, ageSlots, bent, small, type Vector } from './vector.ts';

function field(name: string, describes: string, change: (header: Buffer) => void, expect = 'archive.corrupt'): Vector {
  return { name: `header-${name}`, describes, expect, verifyState: expect, make: () => bent({ header: change }) };
}

function byte(name: string, describes: string, offset: number, value: number): Vector {
  return field(name, describes, (header) => {
    header[offset] = value;
  });
}

function word(name: string, describes: string, offset: number, value: number): Vector {
  return field(name, describes, (header) => {
    header.writeUInt32LE(value, offset);
  });
}

function length(name: string, describes: string, value: number): Vector {
  return field(name, describes, (header) => {
    header.writeUInt16LE(value, 48);
  });
}

const ranges: Vector[] = [
  field(
    'magic',
    'The magic is HOLDFISH, in blocks whose hash is right. Without the magic it is no header: not an archive.',
    (header) => header.write('HOLDFISH', 0, 'latin1'),
    'archive.not_an_archive',
  ),
  field('version-2', 'The format version is 2.', (header) => header.writeUInt16LE(2, 8), 'archive.version_unsupported'),
  byte('reserved-10', 'A reserved byte after the version is not zero: out of the ranges of the table.', 10, 1),
  byte('reserved-43', 'A reserved byte after M is not zero: out of the ranges of the table.', 43, 1),
  byte('cipher-2', 'The cipher is 2.', 36, 2),
  byte('codec-5', 'The codec is 5.', 37, 5),
  byte('copies-0', 'There are 0 copies.', 38, 0),
  byte('copies-9', 'There are 9 copies.', 38, 9),
  byte('data-blocks-0', 'K is 0.', 39, 0),
  byte('data-blocks-254', 'K is 254, and K + M is 256.', 39, 254),
  byte('parity-blocks-0', 'M is 0.', 40, 0),
  byte('parity-blocks-1', 'M is 1.', 40, 1),
  byte('parity-blocks-65', 'M is 65.', 40, 65),
  field('stripe-256', 'K is 192 and M is 64: K + M is 256.', (header) => {
    header[39] = 192;
    header[40] = 64;
  }),
  word('segment-size-0', 'The segment size is 0.', 44, 0),
  word('segment-size-16777217', 'The segment size is one byte above its limit.', 44, 2 ** 24 + 1),
  word('segment-size-4294967295', 'The segment size is as large as the field lets it be.', 44, 2 ** 32 - 1),
  length('length-4049', 'The header is longer than the body of a block.', 4049),
  length('length-65535', 'The header length is as large as the field lets it be.', 65_535),
  length('length-87', 'The header is shorter than its fields and its code.', 87),
  length('length-89', 'The header length leaves a byte between the slots and the code.', 89),
  field('slots-without-cipher', 'The cipher is none and the number of slots is 1.', (header) =>
    header.writeUInt16LE(1, 50),
  ),
  byte('cipher-without-slots', 'The cipher is AES-256-GCM and there are no slots.', 36, 1),
  field('slots-65535', 'The number of slots is as large as the field lets it be.', (header) =>
    header.writeUInt16LE(65_535, 50),
  ),
];

const codes: Vector[] = [
  {
    name: 'header-digest-wrong',
    describes: 'Cipher none: the code is not the SHA-256 of the header.',
    expect: 'archive.corrupt',
    verifyState: 'archive.corrupt',
    make: () => bent({ code: (header) => void header.writeUInt8(header.at(-1)! ^ 1, header.length - 1) }),
  },
  {
    name: 'header-mac-wrong',
    describes: 'A slot opens, and the code of the header is not the HMAC under its data key.',
    identity: ageA.identity,
    expect: 'archive.corrupt',
    verifyState: 'archive.corrupt',
    make: () =>
      bent({ code: (header) => void header.writeUInt8(header.at(-1)! ^ 1, header.length - 1) }, { slots: ageSlots }),
  },
  {
    name: 'header-mac-is-digest',
    describes: 'An encrypted archive whose code is the plain SHA-256 that cipher none has: anyone can make that.',
    identity: ageA.identity,
    expect: 'archive.corrupt',
    verifyState: 'archive.corrupt',
    make: () =>
      bent(
        { code: (header) => void sha256(header.subarray(0, -32)).copy(header, header.length - 32) },
        { slots: ageSlots },
      ),
  },
  {
    name: 'header-generations',
    describes:
      'The headers of the first copy have generation 0 and another slot; those of the second have generation 1, as after a change of keys that was cut off. The newest counts: its key opens the archive, though block 0 is older. The six older header blocks are not what their positions need.',
    identity: ageA.identity,
    expect: 'ok',
    verifyState: 'repairable',
    blocks: { damaged: 6, solved: 0, lost: 0 },
    make: makeGenerations,
  },
  {
    name: 'header-created-far',
    describes: 'The time of creation is 2^64-1: for people only, no reason to refuse.',
    expect: 'ok',
    verifyState: 'intact',
    blocks: { damaged: 0, solved: 0, lost: 0 },
    make: () => bent({ header: (header) => void header.fill(0xff, 28, 36) }),
  },
];

function makeGenerations() {
  const older = small({ slots: [{ type: 'unknown', key: '' }], copies: 2 });
  const newer = small({ slots: ageSlots, copies: 2, generation: 1 });
  const half = older.file.length / 2;
  return { file: Buffer.concat([older.file.subarray(0, half), newer.file.subarray(half)]), entries: newer.entries };
}

export const headerVectors: readonly Vector[] = [...ranges, ...codes];
