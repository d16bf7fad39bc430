/** Faults of key slots and keys (section 5). */
import { ageA, ageB, ageSlots, bent, type Made, small, type Vector } from './vector.ts';

const slotOffset = 56;

function argon2(name: string, describes: string, change: { memory?: number; passes?: number; lanes?: number }): Vector {
  const parameters = { memory: 65_536, passes: 3, lanes: 4, ...change };
  return {
    name: `slot-argon2-${name}`,
    describes: `${describes} It is refused before anything is derived.`,
    passphrase: 'correct horse',
    expect: 'archive.corrupt',
    verifyState: 'archive.corrupt',
    make: () => small({ slots: [{ type: 'passphrase', key: 'correct horse', argon2: parameters }] }),
  };
}

function slotField(name: string, describes: string, change: (header: Buffer) => void): Vector {
  const expect = 'archive.corrupt';
  const make = () => bent({ header: change }, { slots: ageSlots });
  return { name: `slot-${name}`, describes, identity: ageA.identity, expect, verifyState: expect, make };
}

function opens(vector: Omit<Vector, 'expect' | 'verifyState' | 'blocks'>): Vector {
  return { ...vector, expect: 'ok', verifyState: 'intact', blocks: { damaged: 0, solved: 0, lost: 0 } };
}

function passphraseArchive(): Made {
  return small({ slots: [{ type: 'passphrase', key: 'correct horse' }] });
}

export const keyVectors: readonly Vector[] = [
  opens({
    name: 'key-passphrase',
    describes: 'One passphrase slot with the least parameters, and the right passphrase.',
    passphrase: 'correct horse',
    make: passphraseArchive,
  }),
  {
    name: 'key-passphrase-wrong',
    describes: 'A passphrase that opens no slot.',
    passphrase: 'incorrect horse',
    expect: 'key.wrong',
    verifyState: 'key.wrong',
    make: passphraseArchive,
  },
  opens({
    name: 'key-second-slot',
    describes: 'Two passphrase slots; the passphrase is that of the second.',
    passphrase: 'second',
    make: () =>
      small({
        slots: [
          { type: 'passphrase', key: 'first' },
          { type: 'passphrase', key: 'second' },
        ],
      }),
  }),
  opens({
    name: 'key-passphrase-nfd',
    describes: 'Sealed with the passphrase in NFC, and given in NFD: both are the same passphrase.',
    passphrase: 'Gr\u00fc\u00dfe \u00e9t\u00e9'.normalize('NFD'),
    make: () => small({ slots: [{ type: 'passphrase', key: 'Gr\u00fc\u00dfe \u00e9t\u00e9' }] }),
  }),
  opens({
    name: 'key-age',
    describes: 'One age slot, and its identity.',
    identity: ageA.identity,
    make: () => small({ slots: ageSlots }),
  }),
  {
    name: 'key-age-wrong',
    describes: 'An age identity that opens no slot.',
    identity: ageB.identity,
    expect: 'key.wrong',
    verifyState: 'key.wrong',
    make: () => small({ slots: ageSlots }),
  },
  {
    name: 'key-missing',
    describes: 'An encrypted archive, and no key at all.',
    expect: 'key.missing',
    verifyState: 'intact',
    blocks: { damaged: 0, solved: 0, lost: 0 },
    make: () => small({ slots: ageSlots }),
  },
  opens({
    name: 'slot-unknown-type',
    describes: 'A slot of an unknown type stands before a good one: it is skipped.',
    identity: ageA.identity,
    make: () => small({ slots: [{ type: 'unknown', key: '' }, ...ageSlots] }),
  }),
  opens({
    name: 'slot-label-not-utf8',
    describes: 'The label of the slot is not UTF-8. It is for people: U+FFFD is shown, and the slot opens.',
    identity: ageA.identity,
    make: () => small({ slots: [{ type: 'age', key: ageA.recipient, label: Buffer.from([0x61, 0xff, 0xfe]) }] }),
  }),
  opens({
    name: 'slot-16',
    describes: '16 slots, the most there may be; the last one opens.',
    identity: ageA.identity,
    make: () =>
      small({ slots: [...Array.from({ length: 15 }, () => ({ type: 'unknown', key: '' }) as const), ...ageSlots] }),
  }),
  {
    name: 'slot-17',
    describes: '17 slots, one too many, though they fit.',
    identity: ageA.identity,
    expect: 'archive.corrupt',
    verifyState: 'archive.corrupt',
    make: () =>
      small({ slots: [...Array.from({ length: 16 }, () => ({ type: 'unknown', key: '' }) as const), ...ageSlots] }),
  },
  slotField('label-65', 'A label of 65 bytes.', (header) => {
    header[slotOffset + 1] = 65;
  }),
  slotField('body-beyond-header', 'The body of the slot goes on beyond the header.', (header) => {
    header.writeUInt16LE(65_535, slotOffset + 2);
  }),
  slotField('body-into-code', 'The body of the slot ends within the code of the header.', (header) => {
    header.writeUInt16LE(header.readUInt16LE(slotOffset + 2) + 1, slotOffset + 2);
  }),
  slotField('count-too-many', 'The header tells of a slot more than stand in it.', (header) =>
    header.writeUInt16LE(2, 50),
  ),
  argon2('memory-64-gib', 'Argon2id with 64 GiB of memory.', { memory: 64 * 1024 * 1024 }),
  argon2('memory-65535', 'Argon2id with 1 KiB less than the least memory.', { memory: 65_535 }),
  argon2('passes-4294967295', 'Argon2id with 2^32-1 passes.', { passes: 2 ** 32 - 1 }),
  argon2('lanes-0', 'Argon2id with no lanes.', { lanes: 0 }),
];
