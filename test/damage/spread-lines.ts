import { blockSizeBytes } from '../../src/archive/heal/geometry.ts';
import { rowOffset, type SpreadShape, shardCount, shardRows } from '../../src/archive/spread/shard-format.ts';
import { SpreadAccess } from '../../src/archive/spread/spread-access.ts';
import { SpreadEncoder } from '../../src/archive/spread/spread-encoder.ts';
import type { WorkerPool } from '../../src/archive/worker/worker-pool.ts';
import { HoldfastError } from '../../src/errors.ts';
import { Corruptor, memoryRandomAccess, type SeededRandom } from '../../src/testing/index.ts';
import { judge, type Outcome, type Subject } from './subject.ts';

/** A shard as it is left; undefined where it is lost. */
type Left = Uint8Array | undefined;

/** A line of `docs/guarantee.md` about archives that are spread over storages. */
export interface SpreadLine {
  readonly name: string;
  readonly shape: SpreadShape;
  readonly expect: 'recovered' | 'refused' | 'never wrong';
  readonly damage: (shards: readonly Uint8Array[], random: SeededRandom, subject: Subject) => readonly Left[];
}

/** Indexes of so many shards, at random. */
function choose(shards: readonly unknown[], count: number, random: SeededRandom): Set<number> {
  const indexes = shards.map((_, index) => index);
  while (indexes.length > count) indexes.splice(random.integer(indexes.length), 1);
  return new Set(indexes);
}

function lose(count: number): SpreadLine['damage'] {
  return (shards, random) => {
    const lost = choose(shards, count, random);
    return shards.map((shard, index) => (lost.has(index) ? undefined : shard));
  };
}

function noise(count: number): SpreadLine['damage'] {
  return (shards, random) => {
    const lost = choose(shards, count, random);
    return shards.map((shard, index) => (lost.has(index) ? random.bytes(shard.length) : shard));
  };
}

/** A bad block in so many shards, at each row. */
function badRows(shape: SpreadShape, count: number, also?: SpreadLine['damage']): SpreadLine['damage'] {
  return (shards, random, subject) => {
    const left = (also?.(shards, random, subject) ?? shards).map((shard) => shard && Uint8Array.from(shard));
    const there = left.flatMap((shard, index) => (shard === undefined ? [] : [{ shard, index }]));
    for (let row = 0; row < shardRows(shape, shape.data, subject.blocksPerCopy); row += 1) {
      const bad = choose(there, count, random);
      for (const [place, { shard, index }] of there.entries()) {
        if (!bad.has(place) || row >= shardRows(shape, index, subject.blocksPerCopy)) continue;
        random.fill(shard.subarray(rowOffset(row), rowOffset(row) + blockSizeBytes));
      }
    }
    return left;
  };
}

function sectorsOfAll(fraction: number, lost: number): SpreadLine['damage'] {
  return (shards, random, subject) =>
    lose(lost)(shards, random, subject).map((shard) => {
      return shard && new Corruptor(random).loseSectors(fraction, { fill: 'random' }).applyTo(shard);
    });
}

function linesFor(shape: SpreadShape): SpreadLine[] {
  const { data, parity } = shape;
  const over = `${data} + ${parity} storages`;
  const cutAndShifted: SpreadLine['damage'] = (shards, random) => {
    const [cut, shifted] = [...choose(shards, 2, random)];
    return shards.map((shard, index) => {
      const make = new Corruptor(random);
      if (index === cut) return make.truncate(random.integer(shard.length)).applyTo(shard);
      return index === shifted ? make.insert(random.integer(shard.length), random.bytes(7)).applyTo(shard) : shard;
    });
  };
  const wild: SpreadLine['damage'] = (shards, random) => {
    return shards.map((shard) => {
      const make = new Corruptor(random);
      const kinds = [
        make.flipBytes(200),
        make.truncate(random.integer(shard.length)),
        make.loseSectors(0.2),
        make.swapHalves(),
      ];
      return kinds[random.integer(5)]?.applyTo(shard) ?? shard;
    });
  };
  return [
    { name: `${over}: any ${parity} lost`, shape, expect: 'recovered', damage: lose(parity) },
    { name: `${over}: ${parity + 1} lost`, shape, expect: 'refused', damage: lose(parity + 1) },
    { name: `${over}: any ${parity} overwritten`, shape, expect: 'recovered', damage: noise(parity) },
    { name: `${over}: ${parity + 1} overwritten`, shape, expect: 'refused', damage: noise(parity + 1) },
    { name: `${over}: ${parity} bad blocks in every row`, shape, expect: 'recovered', damage: badRows(shape, parity) },
    {
      name: `${over}: one lost, ${parity - 1} bad in every row`,
      shape,
      expect: 'recovered',
      damage: badRows(shape, parity - 1, lose(1)),
    },
    { name: `${over}: ${parity + 1} bad in every row`, shape, expect: 'refused', damage: badRows(shape, parity + 1) },
    { name: `${over}: one lost, 1 % of sectors`, shape, expect: 'recovered', damage: sectorsOfAll(0.01, 1) },
    { name: `${over}: one cut, one shifted`, shape, expect: 'recovered', damage: cutAndShifted },
    { name: `${over}: all kinds at once`, shape, expect: 'never wrong', damage: wild },
  ];
}

/** Both sides of each limit. */
export const spreadLines: readonly SpreadLine[] = [
  ...linesFor({ data: 3, parity: 2 }),
  ...linesFor({ data: 6, parity: 3 }),
];

/** Lays the subject over shards. */
export function shardsOf({ bytes }: Subject, shape: SpreadShape): Uint8Array[] {
  const parts = Array.from({ length: shardCount(shape) }, (): Uint8Array[] => []);
  const encoder = new SpreadEncoder({ shape, emit: (index, part) => void parts[index]?.push(part) });
  encoder.push(bytes);
  encoder.finish();
  return parts.map((pieces) => Uint8Array.from(Buffer.concat(pieces)));
}

/** Reads everything of what is left of the shards, and judges it. */
export async function judgeShards(
  workers: WorkerPool,
  subject: Subject,
  shape: SpreadShape,
  left: readonly Left[],
): Promise<Outcome> {
  const shards = left.flatMap((bytes, index) =>
    bytes === undefined ? [] : [{ access: memoryRandomAccess(bytes), label: `${index}`, index }],
  );
  try {
    return await judge(workers, subject, [await SpreadAccess.open({ shards, shape })]);
  } catch (error) {
    if (!(error instanceof HoldfastError)) return { kind: 'wrong', what: String(error) };
    return { kind: 'refused', code: error.code, lost: subject.truth.size, right: 0 };
  }
}
