/** Faults of the index and the tail (section 6), and shapes of an index that are right. */
import type { Bends, ReferenceEntry, Specification } from '../reference-writer.ts';
import { writeArchive } from '../reference-writer.ts';
import { ageA, ageSlots, bent, file, type Made, smallEntries, type Vector } from './vector.ts';

type Line = Record<string, unknown>;

const untrustworthy = 'The index contradicts itself, and nothing that it says can be used.';

function refused(name: string, describes: string, make: () => Made): Vector {
  return { name, describes, expect: 'archive.corrupt', verifyState: 'archive.corrupt', make };
}

/** A tail that does not authenticate: the archive is lost, which verify finds rather than fails on. */
function lostTail(name: string, describes: string, make: () => Made): Vector {
  return { name, describes, expect: 'archive.damaged', verifyState: 'lost', make };
}

/** A change of the first line of the only index part. */
function head(name: string, describes: string, change: (line: Line) => void): Vector {
  return refused(`index-${name}`, `${describes} ${untrustworthy}`, () => bent(changeLine(0, change)));
}

/** A change of the line of `files/docs/a.txt`. */
function entryLine(name: string, describes: string, change: (line: Line) => void): Vector {
  return refused(`index-${name}`, `${describes} ${untrustworthy}`, () => bent(changeLine(2, change)));
}

function changeLine(number: number, change: (line: Line) => void): Bends {
  return {
    index: (_part, lines) =>
      lines.map((text, index) => {
        if (index !== number) return text;
        const line = JSON.parse(text) as Line;
        change(line);
        return JSON.stringify(line);
      }),
  };
}

function tail(name: string, describes: string, change: (tail: Buffer) => void): Vector {
  return refused(`tail-${name}`, describes, () => bent({ tail: change }));
}

function number(name: string, describes: string, offset: number, value: bigint): Vector {
  return tail(name, describes, (bytes) => void bytes.writeBigUInt64LE(value, offset));
}

function right(name: string, describes: string, specification: Partial<Specification>): Vector {
  const make = () => writeArchive({ seed: name, entries: [], ...specification });
  return { name, describes, expect: 'ok', verifyState: 'intact', blocks: { damaged: 0, solved: 0, lost: 0 }, make };
}

/** An archive with one path that must not be written; the other entry is right. */
function unsafe(name: string, describes: string, entries: ReferenceEntry[], lostEntry: string): Vector {
  return {
    name: `path-${name}`,
    describes: `${describes} A restore of all refuses before it writes; the blocks and segments are right.`,
    expect: 'target.unsafe',
    verifyState: 'intact',
    lostEntries: [lostEntry],
    make: () => writeArchive({ seed: name, entries: [...entries, file('files/docs/good.txt', 40)] }),
  };
}

const link: ReferenceEntry = {
  path: 'files/docs/link',
  kind: 'symlink',
  bytes: Buffer.alloc(0),
  metadata: { mode: 0o777, mtimeNs: '1700000000000000000', uid: 0, gid: 0, target: '/tmp' },
};

const interleaved = [file('files/docs/a.bin', 1500), file('files/docs/b.bin', 1500)];
const inTurns = [0, 1, 2].flatMap(() => [[0, 500] as const, [1, 500] as const]);
const manySmall = Array.from({ length: 20 }, (_, index) => file(`files/docs/${index}.txt`, index * 3));
const parts = { entries: manySmall, segmentSize: 100, indexEverySegments: 2 };

const shapes: Vector[] = [
  right('index-no-entries', 'An archive with no entries: no data segment, one index part.', {}),
  right('index-empty-file', 'A file without bytes has no runs.', { entries: [file('files/docs/empty', 0)] }),
  right('index-spanning', 'A file of 2,500 bytes over three segments in one run.', {
    entries: [file('files/docs/long.bin', 2500)],
    segmentSize: 1000,
  }),
  right('index-small-files', '20 small files share one segment.', { entries: manySmall }),
  right('index-interleaved', 'Two files in turns of 500 bytes over segments of 400: runs interleave.', {
    entries: interleaved,
    order: inTurns,
    segmentSize: 400,
  }),
  right('index-parts', 'An index of several parts, with runs that go on over the parts between segments.', parts),
  {
    ...right('index-parts-aes', 'An index of several parts in an encrypted archive.', { ...parts, slots: ageSlots }),
    identity: ageA.identity,
  },
  right('index-symlink', 'A symbolic link. It points outside, which is its own affair: it is made, never followed.', {
    entries: [...smallEntries, link],
  }),
  right('index-path-bytes', 'A name that is not UTF-8: its bytes stand in pathBytes.', {
    entries: [{ ...file('files/docs/\ufffd.txt', 10), pathBytes: Buffer.from('files/docs/\xe9.txt', 'latin1') }],
  }),
  {
    ...right('index-kind-unknown', 'An entry of an unknown kind is passed over.', {
      entries: [...smallEntries, { ...file('future/thing', 30), kind: 'hologram' }],
    }),
    passedOver: ['future/thing'],
  },
  {
    ...right('index-member-unknown', 'An unknown member of an entry is ignored.', {}),
    make: () => bent(changeLine(2, (line) => void Object.assign(line, { flavour: 'mint' }))),
  },
];

const lines: Vector[] = [
  refused('index-not-json', `The first line is not JSON. ${untrustworthy}`, () =>
    bent({ index: (_part, all) => ['{"part":0,', ...all.slice(1)] }),
  ),
  refused('index-not-utf8', `A byte of the index is not UTF-8. ${untrustworthy}`, () =>
    bent({ member: (segment, packed) => (segment === 1 ? Buffer.from(packed).fill(0xff, 30, 31) : packed) }),
  ),
  head('part-number', 'The only part says that it is part 1.', (line) => void Object.assign(line, { part: 1 })),
  head('first-segment', 'The first part begins at segment 1.', (line) => void Object.assign(line, { firstSegment: 1 })),
  head('segments-missing', 'The list of segments is not there.', (line) => void delete line['segments']),
  head('segments-count', 'The list has a segment more than there are.', (line) => {
    (line['segments'] as number[][]).push([1, 17]);
  }),
  head('segment-length', 'A sealed length is one byte too long: the lengths no longer add up.', (line) => {
    const segments = line['segments'] as number[][];
    segments[0]![1] = segments[0]![1]! + 1;
  }),
  head('segment-plain-0', 'A segment has a plain length of 0; the least is 1.', (line) => {
    (line['segments'] as number[][])[0]![0] = 0;
  }),
  head('previous-self', 'The first part names itself as the one before it.', (line) => {
    line['previous'] = { segment: 1, offset: 1216, length: 900 };
  }),
  refused('index-previous-cycle', `The second part names itself as the one before it. ${untrustworthy}`, () =>
    writeArchive({ seed: 'cycle', ...parts, bends: { index: cycle } }),
  ),
  entryLine(
    'run-segment',
    'A run begins in a segment that is not there.',
    (line) => void Object.assign(line, { runs: [[9, 0, 300]] }),
  ),
  entryLine(
    'run-offset',
    'A run begins behind the end of its segment.',
    (line) => void Object.assign(line, { runs: [[0, 1200, 300]] }),
  ),
  entryLine(
    'run-in-index',
    'A run begins in an index part.',
    (line) => void Object.assign(line, { runs: [[1, 0, 300]] }),
  ),
  entryLine('run-beyond-end', 'A run goes on beyond the last segment.', (line) => {
    line['runs'] = [[0, 1000, 300]];
  }),
  refused('index-run-overflow', `The length of a run is 2^53 + 1. ${untrustworthy}`, () =>
    bent({ index: (_part, all) => all.map((text) => text.replace('[0,0,300]', '[0,0,9007199254740993]')) }),
  ),
  entryLine(
    'run-negative',
    'The offset of a run is negative.',
    (line) => void Object.assign(line, { runs: [[0, -1, 300]] }),
  ),
  entryLine(
    'run-fraction',
    'The length of a run is not a whole number.',
    (line) => void Object.assign(line, { runs: [[0, 0, 300.5]] }),
  ),
  entryLine(
    'size-wrong',
    'The size of an entry is not the sum of its runs.',
    (line) => void Object.assign(line, { size: 299 }),
  ),
  entryLine('sha256-missing', 'An entry has no SHA-256.', (line) => void delete line['sha256']),
  entryLine('path-missing', 'An entry has no path.', (line) => void delete line['path']),
  entryLine(
    'path-twice',
    'Two entries have the same path.',
    (line) => void Object.assign(line, { path: 'files/docs/b.bin' }),
  ),
  {
    name: 'index-sha256-wrong',
    describes:
      'The SHA-256 of an entry is that of other bytes. All tags are right, so it was written so: the entry contradicts the index and is refused.',
    expect: 'archive.corrupt',
    verifyState: 'archive.corrupt',
    lostEntries: ['files/docs/a.txt'],
    make: () => bent(changeLine(2, (line) => void Object.assign(line, { sha256: '00'.repeat(32) }))),
  },
];

function cycle(part: number, all: string[]): string[] {
  if (part !== 1) return all;
  const line = JSON.parse(all[0]!) as Line;
  line['previous'] = { segment: 5, offset: 900, length: 700 };
  return [JSON.stringify(line), ...all.slice(1)];
}

const paths: Vector[] = [
  unsafe('parent', 'A path with `..` leaves the folder.', [file('files/../../evil.txt', 20)], 'files/../../evil.txt'),
  unsafe('absolute', 'A path begins with a slash.', [file('/tmp/holdfast-evil.txt', 20)], '/tmp/holdfast-evil.txt'),
  unsafe('nul', 'A path holds NUL.', [file('files/docs/a\0.txt', 20)], 'files/docs/a\0.txt'),
  unsafe(
    'dot',
    'A path holds `.`, and so is another name of files/docs/good.txt.',
    [file('files/./docs/good.txt', 20)],
    'files/./docs/good.txt',
  ),
  unsafe(
    'through-link',
    'A file lies under a path that is a symbolic link of the same archive: both cannot be. Who gives out the rest keeps the file and leaves the link away.',
    [link, file('files/docs/link/evil.txt', 20)],
    'files/docs/link',
  ),
];

const tails: Vector[] = [
  lostTail(
    'tail-number-in-clear',
    'The number before the sealed tail is one too large, so that the tail fails its tag: damaged beyond repair, since nothing leads to the index.',
    () => bent({ tailNumber: (value) => value + 1 }),
  ),
  lostTail('tail-number-huge', 'The number before the sealed tail is 2^60; the tail fails its tag.', () =>
    bent({ tailNumber: () => 2 ** 60 }),
  ),
  number('number-inside', 'The tail tells of one segment more than its own number.', 0, 3n),
  number('length-contradicts', 'The length of all segments is not where the last index part ends.', 8, 100n),
  number('length-huge', 'The length of all segments is 2^60.', 8, 2n ** 60n),
  number('entry-bytes', 'The tail has another sum of entry bytes than the index.', 16, 1199n),
  number('entry-bytes-huge', 'The sum of entry bytes is 2^60.', 16, 2n ** 60n),
  number('entry-count', 'The tail counts an entry more than the index has.', 24, 4n),
  number('index-segment', 'The last index part has a number that is not there.', 32, 5n),
  number('index-offset-huge', 'The last index part stands at 2^60.', 40, 2n ** 60n),
  tail(
    'index-length-huge',
    'The last index part is 2^32-1 bytes long.',
    (bytes) => void bytes.writeUInt32LE(2 ** 32 - 1, 48),
  ),
  tail('index-parts-0', 'There are 0 index parts.', (bytes) => void bytes.writeUInt32LE(0, 52)),
  tail(
    'index-parts-2',
    'There are 2 index parts; the only one has none before it.',
    (bytes) => void bytes.writeUInt32LE(2, 52),
  ),
];

export const indexVectors: readonly Vector[] = [...shapes, ...lines, ...paths, ...tails];
