/** Archives laid over shards (section 8): lost, damaged, mixed up. */
import { spreadArchive } from '../reference-spread.ts';
import { blockSize, type Written } from '../reference-writer.ts';
import { blocky, small, wipe } from './vector.ts';

/** A set of shards with one fault, and what a reader has to answer that is given all of them. */
export interface SpreadVector {
  readonly name: string;
  /** The fault, and why the answer is what it is. */
  readonly describes: string;
  /** `ok`, or the code of the error that a full restore ends with. */
  readonly expect: string;
  /** `intact` where every shard is there and whole, `repairable`, or the code of the error that a check ends with. */
  readonly verifyState: string;
  /** The state of each shard, by its number; null where a reader does not get so far. */
  readonly shards: readonly ('intact' | 'damaged' | 'missing')[] | null;
  make(): MadeShards;
}

/** What a generator made: the files, and the entries that went in. */
export interface MadeShards {
  readonly files: readonly { readonly name: string; readonly bytes: Buffer }[];
  readonly entries: Written['entries'];
}

/** What stands in `expect.json`: the question and the answer. */
export function spreadExpectation(vector: SpreadVector, made: MadeShards) {
  const { name, describes, expect, verifyState, shards } = vector;
  const files = made.files.map((file) => file.name);
  return { name, describes, files, expect, entries: expect === 'ok' ? made.entries : [], verifyState, shards };
}

const one = { copies: 1 };
const intact = 'intact';

function fileName(index: number, k = 3, m = 2): string {
  return `shop.holdfast.${k}of${k + m}.0a1b2c3d.${index + 1}`;
}

/** The archive of faults in blocks, 13 of them in one copy, as 3 + 2 shards: rows 0 to 4, the last with one block. */
function shardsOf(
  change: (shards: (Buffer | undefined)[]) => (Buffer | undefined)[] | undefined,
  shape: { readonly k: number; readonly m: number } = { k: 3, m: 2 },
): MadeShards {
  const { file, entries } = blocky(one);
  const shards: (Buffer | undefined)[] = spreadArchive(file, shape.k, shape.m);
  const changed = change(shards) ?? shards;
  const files = changed.flatMap((bytes, index) =>
    bytes === undefined ? [] : [{ name: fileName(index, shape.k, shape.m), bytes }],
  );
  return { files, entries };
}

/** Overwrites the block of a row with zeros. */
function wipeRow(shards: readonly (Buffer | undefined)[], index: number, row: number): void {
  const shard = shards[index];
  if (shard !== undefined) wipe(shard, row + 2);
}

function without(...indexes: number[]): () => MadeShards {
  return () => shardsOf((shards) => shards.map((shard, index) => (indexes.includes(index) ? undefined : shard)));
}

export const spreadVectors: readonly SpreadVector[] = [
  {
    name: 'whole',
    describes: 'Three data and two parity shards, all whole.',
    expect: 'ok',
    verifyState: 'intact',
    shards: [intact, intact, intact, intact, intact],
    make: () => shardsOf(() => undefined),
  },
  {
    name: 'many',
    describes: 'Ten data shards and sixteen parity shards of an archive of nine blocks: one data shard has no row.',
    expect: 'ok',
    verifyState: 'intact',
    shards: Array.from({ length: 26 }, () => intact),
    make: () => {
      const { file, entries } = small();
      const files = spreadArchive(file, 10, 16).map((bytes, index) => ({ name: fileName(index, 10, 16), bytes }));
      return { files, entries };
    },
  },
  {
    name: 'lost-m',
    describes: 'Two data shards are lost, as many as there are parity shards.',
    expect: 'ok',
    verifyState: 'repairable',
    shards: ['missing', intact, 'missing', intact, intact],
    make: without(0, 2),
  },
  {
    name: 'lost-parity',
    describes: 'The parity shards are lost.',
    expect: 'ok',
    verifyState: 'repairable',
    shards: [intact, intact, intact, 'missing', 'missing'],
    make: without(3, 4),
  },
  {
    name: 'lost-m-and-one',
    describes: 'Three shards are lost: two are left, and three are needed.',
    expect: 'archive.damaged',
    verifyState: 'archive.damaged',
    shards: null,
    make: without(1, 2, 4),
  },
  {
    name: 'rows-damaged-in-all',
    describes: 'Every shard is damaged, and no row in more than two blocks.',
    expect: 'ok',
    verifyState: 'repairable',
    shards: ['damaged', 'damaged', 'damaged', 'damaged', 'damaged'],
    make: () =>
      shardsOf((shards) => {
        for (const [index, row] of [
          [0, 1],
          [1, 1],
          [2, 2],
          [3, 2],
          [4, 3],
          [0, 3],
          [3, 4],
          [4, 4],
        ] as const)
          wipeRow(shards, index, row);
        return undefined;
      }),
  },
  {
    name: 'row-of-the-own-parity',
    describes:
      'One parity shard, and two blocks of one row are lost: the row does not give them back, the parity of the archive does.',
    expect: 'ok',
    verifyState: 'repairable',
    shards: ['damaged', intact, 'damaged', intact],
    make: () =>
      shardsOf(
        (shards) => {
          wipeRow(shards, 0, 1);
          wipeRow(shards, 2, 1);
          return undefined;
        },
        { k: 3, m: 1 },
      ),
  },
  {
    name: 'foreign',
    describes: 'One shard is of another archive, laid out alike: it counts as missing.',
    expect: 'ok',
    verifyState: 'repairable',
    shards: [intact, 'missing', intact, intact, intact],
    make: () =>
      shardsOf((shards) => {
        const other = spreadArchive(blocky({ ...one, seed: 'another' }).file, 3, 2);
        return shards.map((shard, index) => (index === 1 ? other[1] : shard));
      }),
  },
  {
    name: 'other-arrangement',
    describes: 'One shard is of the same archive, laid over two and two: it counts as missing.',
    expect: 'ok',
    verifyState: 'repairable',
    shards: [intact, intact, intact, 'missing', intact],
    make: () =>
      shardsOf((shards) => {
        const other = spreadArchive(blocky(one).file, 2, 2);
        return shards.map((shard, index) => (index === 3 ? other[3] : shard));
      }),
  },
  {
    name: 'wrong-names',
    describes: 'The files have the names of one another: what a shard says of itself counts.',
    expect: 'ok',
    verifyState: 'intact',
    shards: [intact, intact, intact, intact, intact],
    make: () => shardsOf(([a, b, c, d, e]) => [d, a, e, c, b]),
  },
  {
    name: 'heads-lost',
    describes: 'The first two blocks of every shard are lost: their ends tell what they were.',
    expect: 'ok',
    verifyState: 'repairable',
    shards: ['damaged', 'damaged', 'damaged', 'damaged', 'damaged'],
    make: () =>
      shardsOf((shards) => {
        for (const shard of shards) if (shard !== undefined) wipe(shard, 0, 2);
        return undefined;
      }),
  },
  {
    name: 'ends-lost',
    describes: 'The ends of all shards are lost, and one of them is too long: most sizes tell how long the archive is.',
    expect: 'ok',
    verifyState: 'repairable',
    shards: ['damaged', 'damaged', 'damaged', 'damaged', 'damaged'],
    make: () =>
      shardsOf((shards) =>
        shards.map((shard, index) => {
          if (shard === undefined) return undefined;
          wipe(shard, shard.length / blockSize - 2, 2);
          return index === 3 ? Buffer.concat([shard, Buffer.alloc(7 * blockSize)]) : shard;
        }),
      ),
  },
  {
    name: 'cut',
    describes: 'Two shards end after half of their bytes.',
    expect: 'ok',
    verifyState: 'repairable',
    shards: ['damaged', intact, intact, 'damaged', intact],
    make: () =>
      shardsOf((shards) =>
        shards.map((shard, index) => (index === 0 || index === 3 ? shard?.subarray(0, 5 * blockSize - 7) : shard)),
      ),
  },
  {
    name: 'version',
    describes: 'Shards of a version that is not known.',
    expect: 'archive.version_unsupported',
    verifyState: 'archive.version_unsupported',
    shards: null,
    make: () => {
      const { file, entries } = blocky(one);
      return { files: spreadArchive(file, 3, 2, 2).map((bytes, index) => ({ name: fileName(index), bytes })), entries };
    },
  },
];
