import assert from 'node:assert/strict';
import type { ShardSource } from '../../archive/spread/shard.ts';
import { isShape, type SpreadShape, shardCount } from '../../archive/spread/shard-format.ts';
import { type SpreadAccess, tooFewShards } from '../../archive/spread/spread-access.ts';
import { type Clock, systemClock, systemWait, type Wait } from '../../clock.ts';
import { HoldfastError, throwIfAborted } from '../../errors.ts';
import { type Random, systemRandom } from '../../random.ts';
import { FanOutWriter } from '../fan-out/fan-out-writer.ts';
import { checkObjectName } from '../object-name.ts';
import type {
  OpenedObject,
  Storage,
  StorageProperties,
  StorageWriter,
  StoredObject,
  WriterOptions,
} from '../storage.ts';
import { openSet } from './open-set.ts';
import { removeSet } from './remove-set.ts';
import { tagSizeBytes } from './shard-name.ts';
import {
  chooseSet,
  missingShards,
  objectOf,
  ShardGathering,
  type ShardListing,
  type ShardSet,
  type SpreadMember,
} from './shard-sets.ts';
import { SpreadWriter } from './spread-writer.ts';
import { keepFirst, replaceOlder } from './take-name.ts';

/** What archives are called, and nothing else. */
const archiveEnd = '.holdfast';
const rebuildBytes = 4 * 1024 * 1024;

/** Over what a {@link SpreadStorage} lays archives. */
export interface SpreadStorageOptions {
  /** Any `data` of the shards give an archive back; there are `parity` more. */
  readonly shape: SpreadShape;
  /** As many storages as there are shards: each takes the shard of its place. */
  readonly members: readonly SpreadMember[];
  /** A storage that takes longer is passed over while reading, as long as the others are enough: 15,000 unless set. */
  readonly slowAfterMs?: number;
  /** A storage that takes nothing for this long is given up while writing: 300,000 unless set. */
  readonly stallTimeoutMs?: number;
  readonly clock?: Clock;
  readonly wait?: Wait;
  readonly random?: Random;
}

/** What a rebuild did to one shard. */
export interface RebuiltShard {
  readonly index: number;
  readonly label: string;
  readonly error?: unknown;
}

/**
 * Lays each archive over several storages as k + m shards, any k of which give it back (`docs/format.md` section 8). Archives are objects whose
 * names end in `.holdfast`; all else, such as marks of pins, stands whole on each storage. An archive is there when k of its shards
 * are. Each writing has a tag of its own in its shards' names, so that a new archive of an old name never mixes with the old one, which is removed
 * when the new one stands. Of two that are written at once one is withdrawn, with `storage.conflict`. What is deleted is marked first on the
 * storages that answer: from then on it is not listed any more, and a later writer removes what stayed.
 *
 * @example
 * const storage = new SpreadStorage({ shape: { data: 3, parity: 2 }, members });
 * await createBackup({ sources, output: { storage, name: 'shop.holdfast' }, copies: 1, keys });
 */
export class SpreadStorage implements Storage {
  readonly shape: SpreadShape;
  readonly members: readonly SpreadMember[];
  readonly #slowAfterMs: number;
  readonly #stallTimeoutMs: number;
  readonly #clock: Clock;
  readonly #wait: Wait;
  readonly #random: Random;

  constructor(options: SpreadStorageOptions) {
    const { shape, members } = options;
    assert(isShape(shape) && members.length === shardCount(shape), 'there is a storage for each shard');
    this.shape = shape;
    this.members = members;
    this.#slowAfterMs = options.slowAfterMs ?? 15_000;
    this.#stallTimeoutMs = options.stallTimeoutMs ?? 300_000;
    this.#clock = options.clock ?? systemClock;
    this.#wait = options.wait ?? systemWait;
    this.#random = options.random ?? systemRandom;
  }

  get spread(): this {
    return this;
  }

  get properties(): StorageProperties {
    const { data, parity } = this.shape;
    return {
      backend: 'spread',
      place: `${data} + ${parity} shards over ${this.members.map(({ label }) => label).join(', ')}`,
      warnings: this.members.flatMap(({ label, storage }) =>
        storage.properties.warnings.map((text) => `${label}: ${text}`),
      ),
      usesSpool: false,
    };
  }

  async writer(name: string, options: WriterOptions): Promise<StorageWriter> {
    checkObjectName(name);
    throwIfAborted(options.signal);
    if (!name.endsWith(archiveEnd)) return await this.#mirrorWriter(name, options);
    if (options.copies !== 1) {
      throw new HoldfastError('usage.invalid', {
        message: `an archive of ${options.copies} copies cannot be spread over storages`,
        hint: 'what is spread has one copy, and shards for the rest: give copies: 1',
      });
    }
    const tag = Buffer.from(this.#random.bytes(tagSizeBytes)).toString('hex');
    const before = options.createOnly === true ? undefined : await this.#look(`${name}.`);
    const takeName = async () => {
      const listing = await this.#look(`${name}.`);
      const claim = { name, tag, place: this.url(name), listing, nowMs: this.#clock.nowMs() };
      return await (before === undefined ? keepFirst(claim) : replaceOlder(claim, before));
    };
    return await SpreadWriter.open({
      ...options,
      name: { name, shape: this.shape, tag },
      places: this.members.map((member, index) => ({ index, member })),
      neededShards: this.shape.data,
      stallTimeoutMs: this.#stallTimeoutMs,
      clock: this.#clock,
      wait: this.#wait,
      onCommitted: takeName,
    });
  }

  async open(name: string): Promise<OpenedObject> {
    checkObjectName(name);
    if (!name.endsWith(archiveEnd)) return await this.#openMirrored(name);
    return await this.#openSet(name, await this.#look(`${name}.`, { name }));
  }

  async stat(name: string): Promise<StoredObject> {
    checkObjectName(name);
    if (name.endsWith(archiveEnd)) return objectOf(this.#chosen(name, await this.#look(`${name}.`, { name })));
    const { others, failures } = await this.#look(name);
    const [found] = others.get(name) ?? [];
    if (found !== undefined) return found.object;
    throw this.#absent(name, failures);
  }

  async *list(prefix = ''): AsyncIterable<StoredObject> {
    const { sets, others, failures } = await this.#look(prefix);
    // A set with k shards is seen while no more than m storages are away, or is reported as one that may not be had now.
    if (failures.length > this.shape.parity) throw failures[0]?.error;
    for (const name of new Set(sets.map((set) => set.name))) {
      const chosen = chooseSet(sets.filter((set) => set.name === name));
      if (chosen !== undefined) yield objectOf(chosen);
    }
    for (const [name, places] of others) {
      const [first] = places;
      // Whole archives on one of the storages are no part of what is spread.
      if (first !== undefined && !name.endsWith(archiveEnd)) yield first.object;
    }
  }

  /** All shards of all archives, also of those that are not complete or are being removed. It does not throw where storages fail. */
  async shardSets(prefix = ''): Promise<ShardListing> {
    return await this.#look(prefix);
  }

  async delete(name: string): Promise<void> {
    checkObjectName(name);
    const { sets, others, failures } = await this.#look(name);
    for (const { member } of others.get(name) ?? []) if (!name.endsWith(archiveEnd)) await member.storage.delete(name);
    for (const set of sets)
      if (set.name === name) await removeSet(set, { allAnswered: failures.length === 0, nowMs: this.#clock.nowMs() });
    // Shards may be left where nobody answered: that is not "removed". What answered is marked, and stays out of lists.
    const [failure] = failures;
    if (failure !== undefined) throw failure.error;
  }

  url(name: string): string {
    return `spread:${name}`;
  }

  async close(): Promise<void> {
    for (const { storage } of this.members) await storage.close();
  }

  /**
   * Makes shards of an archive anew from the others, and puts them in place: where they lie, else on the storage of their place, else on one
   * that has none. Each is read back before it appears. Throws `archive.damaged` where the others do not give all of it.
   */
  async rebuild(
    name: string,
    indexes: readonly number[],
    options: {
      readonly signal?: AbortSignal | undefined;
      readonly onBytes?: (doneBytes: number, totalBytes: number) => void;
    } = {},
  ): Promise<RebuiltShard[]> {
    const { signal, onBytes } = options;
    const listing = await this.#look(`${name}.`);
    const set = this.#chosen(name, listing);
    const access = await this.#openSet(name, listing);
    try {
      const places = indexes.flatMap((index) => {
        const member = this.#homeOf(set, index);
        return member === undefined ? [] : [{ index, member }];
      });
      const homeless = indexes.filter((index) => !places.some((place) => place.index === index));
      const without = homeless.map((index): RebuiltShard => {
        const error = new HoldfastError('storage.conflict', { message: 'no storage is left that has no shard of it' });
        return { index, label: `shard ${index + 1}`, error };
      });
      if (places.length === 0) return without;
      const others = access.shards.flatMap((shard): ShardSource[] => {
        return shard === undefined || indexes.includes(shard.index)
          ? []
          : [{ access: shard.access, label: shard.label, index: shard.index }];
      });
      const writer = await SpreadWriter.open({
        copies: 1,
        expectedSizeBytes: access.sizeBytes,
        ...(signal && { signal }),
        name: { name, shape: set.shape, tag: set.tag },
        places,
        others,
        neededShards: 1,
        stallTimeoutMs: this.#stallTimeoutMs,
        clock: this.#clock,
        wait: this.#wait,
      });
      try {
        await copyArchive(access, writer, { signal, onBytes });
        await writer.commit(async () => undefined);
      } catch (error) {
        await writer.abort();
        throw error;
      }
      const made = writer.parts.map(({ label, error }, place): RebuiltShard => {
        const index = places[place]?.index ?? 0;
        return { index, label, ...(error === undefined ? {} : { error }) };
      });
      return [...made, ...without];
    } finally {
      await access.close();
    }
  }

  /** Where a shard is, or belongs. */
  #homeOf(set: ShardSet, index: number): SpreadMember | undefined {
    const there = set.shards.find((shard) => shard.index === index)?.member;
    if (there !== undefined) return there;
    const isFree = (member: SpreadMember | undefined) =>
      member !== undefined && !set.shards.some((shard) => shard.member === member);
    const own = this.members[index];
    return isFree(own) ? own : this.members.find(isFree);
  }

  /** Lists all storages. Where a name is wanted, those that are slow are not waited for once it is there. */
  async #look(prefix: string, hurry?: { readonly name: string }): Promise<ShardListing> {
    const gathering = new ShardGathering();
    const all = Promise.all(this.members.map((member) => gathering.add(member, prefix)));
    if (hurry === undefined) {
      await all;
      return gathering.listing;
    }
    const ended = new AbortController();
    const late = this.#wait(this.#slowAfterMs, ended.signal).catch(() => undefined);
    await Promise.race([all, late]);
    ended.abort();
    const isThere = chooseSet(gathering.listing.sets.filter(({ name }) => name === hurry.name)) !== undefined;
    if (!isThere) await all;
    return gathering.listing;
  }

  /** Throws `storage.not_found`, `archive.damaged`, and what a storage threw that may have what is wanted. */
  #chosen(name: string, { sets, failures }: ShardListing): ShardSet {
    const own = sets.filter((set) => set.name === name);
    const chosen = chooseSet(own);
    if (chosen !== undefined) return chosen;
    const [best] = own
      .filter(({ goneOn }) => goneOn.length === 0)
      .sort((left, right) => missingShards(left).length - missingShards(right).length);
    if (best === undefined) throw this.#absent(name, failures);
    const missing = missingShards(best);
    const there = shardCount(best.shape) - missing.length;
    if (there + failures.length >= best.shape.data) throw failures[0]?.error;
    const lack = tooFewShards({ shape: best.shape, missing, places: this.members.map(({ label }) => label) });
    const { message, hint, context } = lack;
    throw new HoldfastError(lack.code, { message: `${name}: ${message}`, hint, context });
  }

  /** So many storages must be away, that all shards of an archive could be on them, for its absence to be unknown. */
  #absent(name: string, failures: ShardListing['failures']): unknown {
    const least = name.endsWith(archiveEnd) ? this.shape.data : this.members.length;
    if (failures.length >= least) return failures[0]?.error;
    return new HoldfastError('storage.not_found', {
      message: `${this.url(name)}: it does not exist`,
      context: { name },
    });
  }

  async #openSet(name: string, listing: ShardListing): Promise<SpreadAccess> {
    const { members } = this;
    const { failures } = listing;
    return await openSet(this.#chosen(name, listing), {
      members,
      failures,
      slowAfterMs: this.#slowAfterMs,
      wait: this.#wait,
    });
  }

  async #openMirrored(name: string): Promise<OpenedObject> {
    const { others, failures } = await this.#look(name);
    const [found] = others.get(name) ?? [];
    if (found === undefined) throw this.#absent(name, failures);
    return await found.member.storage.open(name);
  }

  /** What is no archive is small, and stands whole on each storage: on more than may be lost, at least. */
  async #mirrorWriter(name: string, options: WriterOptions): Promise<StorageWriter> {
    const targets = this.members.map(({ label, storage }) => ({ label, storage, name }));
    const timing = { clock: this.#clock, wait: this.#wait, stallTimeoutMs: this.#stallTimeoutMs };
    const writer = await FanOutWriter.open(targets, { ...options, ...timing });
    return {
      write: (bytes) => writer.write(bytes),
      commit: async (check) => {
        const stored = await writer.commit(check);
        const failed = writer.results.filter((result) => result.error !== undefined);
        if (this.members.length - failed.length > this.shape.parity) return stored;
        // It stays where it is: a mark too much harms nothing.
        throw failed[0]?.error;
      },
      abort: () => writer.abort(),
    };
  }

  /** Removes what earlier removals left, of all archives; gives how many are gone for good. */
  async removeLeftovers(prefix = ''): Promise<number> {
    const { sets, failures } = await this.#look(prefix);
    const leftovers = sets.filter(({ goneOn }) => goneOn.length > 0);
    for (const set of leftovers)
      await removeSet(set, { allAnswered: failures.length === 0, nowMs: this.#clock.nowMs() });
    return leftovers.length;
  }
}

/** Reads an archive from its shards, block by block whole, into a writer. */
async function copyArchive(
  access: SpreadAccess,
  writer: StorageWriter,
  options: {
    readonly signal: AbortSignal | undefined;
    readonly onBytes: ((doneBytes: number, totalBytes: number) => void) | undefined;
  },
): Promise<void> {
  for (let offset = 0; offset < access.sizeBytes; offset += rebuildBytes) {
    throwIfAborted(options.signal);
    const bytes = new Uint8Array(Math.min(rebuildBytes, access.sizeBytes - offset));
    await access.read(offset, bytes);
    if (access.unsolvedCount > 0) {
      throw new HoldfastError('archive.damaged', {
        message: 'the shards do not give all blocks: the archive has to be written anew',
      });
    }
    await writer.write(bytes);
    options.onBytes?.(offset + bytes.length, access.sizeBytes);
  }
}
