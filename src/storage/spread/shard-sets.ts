import { type SpreadShape, shardCount } from '../../archive/spread/shard-format.ts';
import type { Storage, StoredObject } from '../storage.ts';
import { parseShardName } from './shard-name.ts';

/** One of the storages that archives are laid over. */
export interface SpreadMember {
  /** For people: its name in the configuration. */
  readonly label: string;
  readonly storage: Storage;
}

/** A shard where it lies. */
export interface PlacedShard {
  readonly index: number;
  readonly member: SpreadMember;
  readonly object: StoredObject;
}

/** Shards that were written together: one archive. */
export interface ShardSet {
  /** Of the archive. */
  readonly name: string;
  readonly tag: string;
  readonly shape: SpreadShape;
  readonly shards: readonly PlacedShard[];
  /** Storages that hold the mark that it is being removed. */
  readonly goneOn: readonly SpreadMember[];
}

/** What the storages hold together. */
export interface ShardListing {
  readonly sets: readonly ShardSet[];
  /** What is no part of a spread archive, with all places where it is. */
  readonly others: ReadonlyMap<string, readonly { readonly member: SpreadMember; readonly object: StoredObject }[]>;
  /** Storages that could not be listed. */
  readonly failures: readonly { readonly member: SpreadMember; readonly error: unknown }[];
}

/** Indexes of which no storage has the shard. */
export function missingShards({ shape, shards }: ShardSet): number[] {
  const there = new Set(shards.map(({ index }) => index));
  return Array.from({ length: shardCount(shape) }, (_, index) => index).filter((index) => !there.has(index));
}

/** Whether the archive can be had from what is there. */
export function isComplete(set: ShardSet): boolean {
  return shardCount(set.shape) - missingShards(set).length >= set.shape.data;
}

/** When the last of its shards was written. */
export function modifiedMs({ shards }: ShardSet): number {
  return shards.reduce((latest, { object }) => Math.max(latest, object.modifiedMs), 0);
}

/** Of several archives of one name the one that counts: the newest that is complete. */
export function chooseSet(sets: readonly ShardSet[]): ShardSet | undefined {
  return sets
    .filter((set) => set.goneOn.length === 0 && isComplete(set))
    .sort((left, right) => modifiedMs(right) - modifiedMs(left) || (left.tag < right.tag ? 1 : -1))[0];
}

/** The archive as one object: its size is what all its shards take. */
export function objectOf(set: ShardSet): StoredObject {
  const locks = set.shards.flatMap(({ object }) => object.lockedUntilMs ?? []);
  return {
    name: set.name,
    sizeBytes: set.shards.reduce((sum, { object }) => sum + object.sizeBytes, 0),
    modifiedMs: modifiedMs(set),
    ...(locks.length > 0 ? { lockedUntilMs: Math.max(...locks) } : {}),
  };
}

/** Gathers what storages list, as it comes in. */
export class ShardGathering {
  readonly #sets = new Map<
    string,
    { name: string; tag: string; shape: SpreadShape; shards: PlacedShard[]; goneOn: SpreadMember[] }
  >();
  readonly #others = new Map<string, { member: SpreadMember; object: StoredObject }[]>();
  readonly #failures: { member: SpreadMember; error: unknown }[] = [];

  /** Lists one storage; a failure is noted. */
  async add(member: SpreadMember, prefix: string): Promise<void> {
    try {
      for await (const object of member.storage.list(prefix)) this.#take(member, object);
    } catch (error) {
      this.#failures.push({ member, error });
    }
  }

  get listing(): ShardListing {
    return { sets: [...this.#sets.values()], others: this.#others, failures: this.#failures };
  }

  #take(member: SpreadMember, object: StoredObject): void {
    const parsed = parseShardName(object.name);
    if (parsed === undefined) {
      this.#others.set(object.name, [...(this.#others.get(object.name) ?? []), { member, object }]);
      return;
    }
    const { name, tag, shape, index } = parsed;
    const key = `${name}.${shape.data}of${shardCount(shape)}.${tag}`;
    const set = this.#sets.get(key) ?? { name, tag, shape, shards: [], goneOn: [] };
    this.#sets.set(key, set);
    // A storage may list an object twice, though it should not.
    if (index === 'gone') {
      if (!set.goneOn.includes(member)) set.goneOn.push(member);
    } else if (!set.shards.some((shard) => shard.index === index && shard.member === member)) {
      set.shards.push({ index, member, object });
    }
  }
}
