/** Faults of segments and their members (section 6). */
import { type CodecName, member, zstdBomb } from '../codec-members.ts';
import { type Bends, type Specification, sha256, type Written, writeArchive } from '../reference-writer.ts';
import { ageA, ageSlots, bytes, directory, file, small, type Vector } from './vector.ts';

const first = 'files/docs/first.bin';
const second = 'files/docs/second.bin';

/** Two files, each a segment of its own: segments 0 and 1. */
function pair(bends: Bends, specification: Partial<Specification> = {}): Written {
  const entries = [file(first, 500), file(second, 500), directory('files/docs')];
  return writeArchive({ seed: 'pair', entries, segmentSize: 500, bends, ...specification });
}

/** Bytes that fail their tag are lost (section 7); bytes whose tag is right and that contradict the index are an error. */
const stateAfter: Record<string, string> = { 'archive.damaged': 'lost', 'archive.corrupt': 'archive.corrupt' };

function lost(
  name: string,
  describes: string,
  lostEntries: string[],
  make: () => Written,
  expect = 'archive.damaged',
): Vector {
  return { name: `segment-${name}`, describes, expect, verifyState: stateAfter[expect]!, lostEntries, make };
}

function codec(name: CodecName, deterministic: boolean): Vector {
  return {
    name: `codec-${name}`,
    describes: `Segments and index are members of ${name}.`,
    expect: 'ok',
    verifyState: 'intact',
    blocks: { damaged: 0, solved: 0, lost: 0 },
    deterministic,
    make: () => small({ codec: name, entries: [...textEntries], segmentSize: 700 }),
  };
}

const textEntries = [
  { path: 'files/docs/text.txt', kind: 'file', bytes: Buffer.from('the same words, again and again\n'.repeat(50)) },
  file('files/docs/noise.bin', 300),
];

function flipSealed(number: number, at: number): Bends {
  return {
    sealed: (segments) => {
      const segment = segments[number]!;
      const offset = at < 0 ? segment.length + at : at;
      segment[offset] = segment[offset]! ^ 1;
    },
  };
}

const swapped: Bends = {
  sealed: (segments) => {
    [segments[0], segments[1]] = [segments[1]!, segments[0]!];
  },
};

const foreign: Bends = {
  sealed: (segments) => {
    segments[0] = pair({}, { seed: 'another pair' }).sealed[0]!;
  },
};

const otherFixedPart = (number: number) => (number === 0 ? { fixedPart: sha256('another').subarray(0, 16) } : {});

const tags: Vector[] = [
  lost('tag-flipped', 'A bit of the digest of segment 0; the blocks are right.', [first], () =>
    pair(flipSealed(0, -1)),
  ),
  lost('bytes-flipped', 'A bit of the bytes of segment 1; the blocks are right.', [second], () =>
    pair(flipSealed(1, 0)),
  ),
  {
    ...lost('tag-flipped-aes', 'A bit of the GCM tag of segment 0.', [first], () =>
      pair(flipSealed(0, -1), { slots: ageSlots }),
    ),
    identity: ageA.identity,
  },
  {
    ...lost(
      'swapped-aes',
      'Segments 0 and 1 of an encrypted archive stand in each other’s place.',
      [first, second],
      () => pair(swapped, { slots: ageSlots }),
    ),
    identity: ageA.identity,
  },
  lost('swapped', 'Segments 0 and 1 stand in each other’s place.', [first, second], () => pair(swapped)),
  lost('repeated', 'Segment 0 stands a second time in the place of segment 1.', [second], () =>
    pair({ sealed: (segments) => void segments.splice(1, 1, segments[0]!) }),
  ),
  lost('foreign', 'Segment 0 is segment 0 of another archive, with the same length.', [first], () => pair(foreign)),
  lost('kind-index', 'Segment 0 was sealed as an index part, and the index names it as data.', [first], () =>
    pair({ sealAs: (number) => (number === 0 ? { kind: 1 } : {}) }),
  ),
  lost('kind-tail', 'Segment 0 was sealed as a tail.', [first], () =>
    pair({ sealAs: (number) => (number === 0 ? { kind: 2 } : {}) }),
  ),
  lost('number-wrong', 'Segment 1 was sealed as number 7.', [second], () =>
    pair({ sealAs: (number) => (number === 1 ? { number: 7 } : {}) }),
  ),
  lost('other-header', 'Segment 0 was sealed under another fixed part of the header.', [first], () =>
    pair({ sealAs: otherFixedPart }),
  ),
];

const contradiction = 'The tag is right, so it was written so: it contradicts the index, and its entry is refused.';

const members: Vector[] = [
  lost(
    'truncated-member',
    `The gzip member of segment 0 lacks its last 9 bytes. ${contradiction}`,
    [first],
    () => pair({ member: (number, packed) => (number === 0 ? packed.subarray(0, -9) : packed) }, { codec: 'gzip' }),
    'archive.corrupt',
  ),
  lost(
    'bomb',
    `The zstd member of segment 0 expands to 64 MiB where the index says 500 bytes. Expansion has to stop at 500. ${contradiction}`,
    [first],
    () => pair({ member: (number, packed) => (number === 0 ? zstdBomb(64) : packed) }, { codec: 'zstd' }),
    'archive.corrupt',
  ),
  lost(
    'member-short',
    `The index says that segment 1 has 401 bytes; its member has 400. ${contradiction}`,
    [second],
    () =>
      pair(
        { statedPlain: (number, length) => (number === 1 ? length + 1 : length) },
        { codec: 'gzip', entries: [file(first, 500), file(second, 400), directory('files/docs')] },
      ),
    'archive.corrupt',
  ),
  lost(
    'codec-wrong',
    `The header says gzip; segment 0 is a member of zstd. ${contradiction}`,
    [first],
    () =>
      pair(
        { member: (number, packed) => (number === 0 ? member('zstd', bytes(first, 500)) : packed) },
        { codec: 'gzip' },
      ),
    'archive.corrupt',
  ),
];

export const segmentVectors: readonly Vector[] = [
  codec('none', true),
  codec('zstd', true),
  codec('zstd-real', false),
  codec('gzip', true),
  codec('bz2', false),
  codec('xz', false),
  ...tags,
  ...members,
];
