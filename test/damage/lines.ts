import { blockSizeBytes } from '../../src/archive/heal/geometry.ts';
import type { Corruptor, Damage, SeededRandom } from '../../src/testing/index.ts';
import type { Subject } from './subject.ts';

/** A line of `docs/guarantee.md`: a kind of damage, and what must come of it. */
export interface Line {
  readonly name: string;
  /** Which subjects it holds for. */
  readonly subjects: readonly string[];
  readonly expect: 'recovered' | 'refused' | 'never wrong';
  /** Damages of one trial, one after the other. */
  readonly damage: (make: Corruptor, random: SeededRandom, subject: Subject, trial: number) => readonly Damage[];
  /** Runs at most so often, where more trials would be the same. */
  readonly trials?: number;
}

const twoCopies = ['small', 'medium'];
const all = ['small', 'medium', 'single'];

function lossAnywhere(fraction: number): Line['damage'] {
  return (make, random, { bytes }) => {
    const length = Math.floor(bytes.length * fraction);
    return [make.loseRange(random.integer(bytes.length - length + 1), length)];
  };
}

/** A hole at the same offset of both copies, placed so that it lies in data. */
function twinHole(lengthOf: (subject: Subject) => number): Line['damage'] {
  return (make, random, subject) => {
    const copyBytes = subject.blocksPerCopy * blockSizeBytes;
    const length = Math.min(copyBytes, lengthOf(subject));
    const offset = random.integer(copyBytes - length + 1);
    return [make.zeroRange(offset, length), make.zeroRange(offset + copyBytes, length)];
  };
}

const contiguous = [0.01, 0.1, 0.25, 0.4, 0.49].map(
  (fraction): Line => ({
    name: `contiguous loss of ${fraction * 100} %`,
    subjects: twoCopies,
    expect: 'recovered',
    damage: lossAnywhere(fraction),
  }),
);

const flips = [10, 100, 1000, 10_000, 50_000].map(
  (count): Line => ({
    name: `${count} single-byte flips`,
    subjects: ['medium'],
    expect: 'recovered',
    damage: (make) => [make.flipBytes(count)],
    trials: count > 5000 ? 3 : 10,
  }),
);

const sectors = [0.1, 0.15].flatMap((fraction) =>
  (['zero', 'random'] as const).map(
    (fill): Line => ({
      name: `${fraction * 100} % of all sectors, ${fill === 'zero' ? 'zeroed' : 'random'}`,
      subjects: twoCopies,
      expect: 'recovered',
      damage: (make) => [make.loseSectors(fraction, { fill })],
    }),
  ),
);

/** Both sides of each limit. */
export const lines: readonly Line[] = [
  ...contiguous,
  { name: 'contiguous loss of 65 %', subjects: twoCopies, expect: 'refused', damage: lossAnywhere(0.65) },
  {
    name: 'tail cut by up to 49 %',
    subjects: twoCopies,
    expect: 'recovered',
    damage: (make, random, { bytes }) => [
      make.truncate(bytes.length - random.integer(Math.floor(bytes.length * 0.49))),
    ],
  },
  {
    name: 'tail cut by 60 %',
    subjects: twoCopies,
    expect: 'refused',
    damage: (make, _random, { bytes }) => [make.truncate(Math.floor(bytes.length * 0.4))],
    trials: 2,
  },
  ...flips,
  {
    name: 'random errors, 1 in 250',
    subjects: twoCopies,
    expect: 'recovered',
    damage: (make) => [make.randomErrors(1 / 250)],
    trials: 3,
  },
  {
    name: 'random errors, 1 in 12',
    subjects: ['small'],
    expect: 'refused',
    damage: (make) => [make.randomErrors(1 / 12)],
    trials: 1,
  },
  {
    name: 'a hole of 64 KiB at the same offset of both copies',
    subjects: ['medium'],
    expect: 'recovered',
    damage: twinHole(() => 64 * 1024),
  },
  {
    name: 'a hole of 5 % of the band in both copies',
    subjects: twoCopies,
    expect: 'recovered',
    damage: twinHole(({ blocksPerCopy }) => Math.floor(blocksPerCopy * blockSizeBytes * 0.05)),
  },
  {
    name: 'a hole of 40 % of the band in both copies',
    subjects: twoCopies,
    expect: 'refused',
    damage: twinHole(({ blocksPerCopy }) => Math.floor(blocksPerCopy * blockSizeBytes * 0.4)),
  },
  ...sectors,
  {
    name: '45 % of all sectors',
    subjects: ['medium'],
    expect: 'refused',
    damage: (make) => [make.loseSectors(0.45)],
    trials: 4,
  },
  {
    name: 'both ends of the file zeroed',
    subjects: all,
    expect: 'recovered',
    damage: (make, _random, { bytes, header }) => {
      const length = header.copies === 1 ? 3 * blockSizeBytes : Math.floor(bytes.length * 0.02);
      // One copy keeps the header at one end: that is all it has.
      if (header.copies === 1) return [make.zeroRange(0, length)];
      return [make.zeroRange(0, length), make.zeroRange(bytes.length - length, length)];
    },
    trials: 1,
  },
  {
    name: 'one byte put in',
    subjects: all,
    expect: 'recovered',
    damage: (make, random, { bytes }) => [make.insert(random.integer(bytes.length), random.bytes(1))],
  },
  {
    name: 'one byte taken out',
    subjects: all,
    expect: 'recovered',
    damage: (make, random, { bytes }) => [make.remove(random.integer(bytes.length), 1)],
  },
  {
    name: 'a megabyte (or an eighth) taken out of the middle',
    subjects: twoCopies,
    expect: 'recovered',
    damage: (make, _random, { bytes }) => {
      const length = Math.min(1024 * 1024, Math.floor(bytes.length / 8));
      return [make.remove(Math.floor(bytes.length / 2) - Math.floor(length / 2), length)];
    },
    trials: 1,
  },
  { name: 'halves swapped', subjects: all, expect: 'recovered', damage: (make) => [make.swapHalves()], trials: 1 },
  {
    name: 'a tail of foreign bytes',
    subjects: all,
    expect: 'recovered',
    damage: (make, random) => [make.appendForeign(random.bytes(1 + random.integer(300_000)))],
  },
  {
    name: 'carved out of a raw image',
    subjects: all,
    expect: 'recovered',
    damage: (make, random) => [
      make.embed(random.bytes(1 + random.integer(200_000)), random.bytes(1 + random.integer(200_000))),
    ],
  },
  {
    name: 'one copy: m lost blocks of a stripe',
    subjects: ['single'],
    expect: 'recovered',
    damage: (make, random) => [make.zeroRange((3 + random.integer(1000)) * blockSizeBytes, 56 * blockSizeBytes)],
  },
  {
    name: 'one copy: twice as many',
    subjects: ['single'],
    expect: 'refused',
    damage: (make, random) => [make.zeroRange((3 + random.integer(800)) * blockSizeBytes, 280 * blockSizeBytes)],
  },
  {
    name: 'one copy: random errors, 1 in 2,000',
    subjects: ['single'],
    expect: 'recovered',
    damage: (make) => [make.randomErrors(1 / 2000)],
    trials: 3,
  },
  {
    name: 'several kinds at once',
    subjects: all,
    expect: 'never wrong',
    damage: (make, random, { bytes }) => [
      make.flipBytes(random.integer(2000)),
      make.loseRange(random.integer(bytes.length), random.integer(Math.floor(bytes.length / 3))),
      make.remove(random.integer(bytes.length >> 1), random.integer(10_000)),
      make.insert(random.integer(bytes.length >> 1), random.bytes(random.integer(10_000))),
    ],
  },
];
