import { checkShard } from '../../archive/spread/check-shard.ts';
import type { ShardSource } from '../../archive/spread/shard.ts';
import { type SpreadShape, shardCount } from '../../archive/spread/shard-format.ts';
import { SpreadAccess } from '../../archive/spread/spread-access.ts';
import { SpreadEncoder } from '../../archive/spread/spread-encoder.ts';
import type { Clock, Wait } from '../../clock.ts';
import { HoldfastError, throwIfAborted } from '../../errors.ts';
import { Lane } from '../fan-out/lane.ts';
import type { RandomAccess, StorageWriter, StoredObject, WriterOptions, WrittenPart } from '../storage.ts';
import { Backlog } from './backlog.ts';
import { type ShardName, shardName } from './shard-name.ts';
import type { SpreadMember } from './shard-sets.ts';

/** Bytes that may wait for slow storages, all of them together. */
const bufferBytes = 16 * 1024 * 1024;

/** What a {@link SpreadWriter} makes. */
export interface SpreadWriterOptions extends WriterOptions {
  readonly name: Omit<ShardName, 'index'>;
  /** Where each shard that is to be made goes. */
  readonly places: readonly { readonly index: number; readonly member: SpreadMember }[];
  /** Shards that are there already, to read with those that are made. */
  readonly others?: readonly ShardSource[];
  /** How many must be written, that the archive counts as written. */
  readonly neededShards: number;
  readonly stallTimeoutMs: number;
  readonly clock: Clock;
  readonly wait: Wait;
  /** Called when the archive stands; what it throws is told as a part that failed. */
  readonly onCommitted?: () => Promise<readonly WrittenPart[]>;
}

/**
 * Lays an archive over storages, a shard on each. A storage that fails is left out from then on; when too few are left the writer fails, and
 * nothing stays. Before any shard appears, the archive is read back from all of them, and every block of every shard is checked.
 * Memory: 16 MiB for slow storages, what the encoder holds, and that of each storage's writer.
 */
export class SpreadWriter implements StorageWriter {
  readonly #options: SpreadWriterOptions;
  readonly #shape: SpreadShape;
  readonly #lanes: ReadonlyMap<number, Lane>;
  readonly #backlogs: ReadonlyMap<number, Backlog>;
  readonly #encoder: SpreadEncoder;
  #checkFailure: { readonly error: unknown } | undefined;
  #more: readonly WrittenPart[] = [];

  /** Opens a writer on each storage. Throws where too few can be opened. */
  static async open(options: SpreadWriterOptions): Promise<SpreadWriter> {
    throwIfAborted(options.signal);
    const writer = new SpreadWriter(options);
    await Promise.all([...writer.#lanes.values()].map((lane) => lane.open()));
    try {
      writer.#throwIfTooFew();
    } catch (error) {
      await writer.abort();
      throw error;
    }
    return writer;
  }

  private constructor(options: SpreadWriterOptions) {
    this.#options = options;
    const { name, places, copies: _, onReplicate: _onReplicate, ...given } = options;
    this.#shape = name.shape;
    const { signal, expectedSizeBytes, headers, isPublic } = given;
    const shared = {
      copies: 1,
      stallTimeoutMs: options.stallTimeoutMs,
      clock: options.clock,
      wait: options.wait,
      ...(expectedSizeBytes === undefined ? {} : { expectedSizeBytes: Math.ceil(expectedSizeBytes / name.shape.data) }),
      ...(signal && { signal }),
      ...(headers && { headers }),
      ...(isPublic === undefined ? {} : { isPublic }),
    };
    this.#lanes = new Map(
      places.map(({ index, member: { label, storage } }) => {
        return [index, new Lane({ label, storage, name: shardName({ ...name, index }) }, shared)];
      }),
    );
    this.#backlogs = new Map(places.map(({ index }) => [index, new Backlog()]));
    this.#encoder = new SpreadEncoder({
      shape: name.shape,
      wanted: places.map(({ index }) => index),
      emit: (index, bytes) => {
        const [lane, backlog] = [this.#lanes.get(index), this.#backlogs.get(index)];
        if (lane !== undefined && backlog !== undefined) lane.push(backlog.piece(bytes));
      },
    });
  }

  get parts(): readonly WrittenPart[] {
    const own = [...this.#lanes.values()].map(({ target, stored, failure }): WrittenPart => {
      const place = { label: target.label, url: target.storage.url(target.name) };
      if (failure !== undefined) return { ...place, error: failure.error };
      return { ...place, ...(stored && { stored }) };
    });
    return [...own, ...this.#more];
  }

  async write(bytes: Uint8Array): Promise<void> {
    throwIfAborted(this.#options.signal);
    this.#encoder.push(bytes);
    const eachBytes = Math.max(1024 * 1024, Math.floor(bufferBytes / shardCount(this.#shape)));
    await Promise.all([...this.#backlogs.values()].map((backlog) => backlog.settle(eachBytes)));
    this.#throwIfTooFew();
  }

  async commit(check?: (stored: RandomAccess) => Promise<void>): Promise<StoredObject> {
    this.#encoder.finish();
    const arrived = new Map<number, RandomAccess>();
    const decided = Promise.withResolvers<ReadonlyMap<number, unknown>>();
    const here: Promise<void>[] = [];
    const committing = [...this.#lanes].map(([index, lane]) => {
      const arrival = Promise.withResolvers<void>();
      here.push(arrival.promise);
      // A shard appears when all were judged.
      const judged = async (_work: () => Promise<void>, stored: RandomAccess) => {
        arrived.set(index, stored);
        arrival.resolve();
        const failures = await decided.promise;
        if (failures.has(index)) throw failures.get(index);
      };
      return lane.commit(check && (async () => undefined), judged).finally(() => arrival.resolve());
    });
    if (check !== undefined) {
      await Promise.all(here);
      decided.resolve(await this.#judge(arrived, check));
    }
    await Promise.all(committing);
    const written = [...this.#lanes.values()].filter((lane) => lane.isOpen && lane.stored !== undefined);
    if (written.length < this.#options.neededShards) await this.#takeBack(written);
    this.#throwIfTooFew();
    this.#more = (await this.#options.onCommitted?.()) ?? [];
    const objects = written.flatMap(({ stored }) => stored ?? []);
    return {
      name: this.#options.name.name,
      sizeBytes: objects.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      modifiedMs: Math.max(...objects.map(({ modifiedMs }) => modifiedMs)),
    };
  }

  async abort(): Promise<void> {
    await Promise.all([...this.#lanes.values()].map((lane) => (lane.stored === undefined ? lane.abort() : undefined)));
  }

  /** Reads the archive from what was written, and every shard; gives what is wrong with each. It does not throw. */
  async #judge(
    arrived: ReadonlyMap<number, RandomAccess>,
    check: (stored: RandomAccess) => Promise<void>,
  ): Promise<ReadonlyMap<number, unknown>> {
    const failures = new Map<number, unknown>();
    try {
      if (arrived.size < this.#options.neededShards) this.#throwIfTooFew(arrived.size);
      const { others = [], name, stallTimeoutMs, wait, signal } = this.#options;
      const made = [...arrived].map(([index, access]) => {
        return { access: this.#limited(access), label: this.#lanes.get(index)?.target.label ?? '', index };
      });
      const shards = [...made, ...others];
      const access = await SpreadAccess.open({ shards, shape: name.shape, slowAfterMs: stallTimeoutMs, pause: wait });
      await check(access);
      for (const { index } of made) {
        const shard = access.shards[index];
        const health = shard && (await checkShard(access, shard, { signal }));
        if (health?.state !== 'intact') failures.set(index, health?.error ?? notAsWritten(index));
      }
    } catch (error) {
      this.#checkFailure = { error };
      for (const index of arrived.keys()) failures.set(index, error);
    }
    return failures;
  }

  /** Reads that do not end fail: a lane that waits to be judged is not watched. */
  #limited(stored: RandomAccess): RandomAccess {
    const { stallTimeoutMs, wait } = this.#options;
    return {
      sizeBytes: stored.sizeBytes,
      isSequential: stored.isSequential,
      read: async (offset, into) => {
        const ended = new AbortController();
        const limit = async (): Promise<never> => {
          await wait(stallTimeoutMs, ended.signal);
          throw new HoldfastError('storage.timeout', {
            message: `reading back did not move for ${Math.round(stallTimeoutMs / 1000)} s`,
          });
        };
        const limited = limit();
        limited.catch(() => undefined);
        try {
          return await Promise.race([stored.read(offset, into), limited]);
        } finally {
          ended.abort();
        }
      },
      close: () => stored.close(),
    };
  }

  /** Removes shards of an archive that did not come to be. What cannot be removed is no archive, and is told of. */
  async #takeBack(written: readonly Lane[]): Promise<void> {
    const failed: unknown[] = [];
    for (const { target } of written) {
      try {
        await target.storage.delete(target.name);
      } catch (error) {
        failed.push(error);
      }
    }
    if (failed.length === 0) return;
    const reasons = failed.map((error) => (error instanceof Error ? error.message : String(error)));
    throw new HoldfastError('storage.failed', {
      message: `${this.#tooFew(written.length).message}; what was written could not be removed: ${reasons.join('; ')}`,
      hint: `remove it with \`holdfast delete ${this.#options.name.name}\``,
      cause: new AggregateError(failed),
    });
  }

  #throwIfTooFew(count = [...this.#lanes.values()].filter((lane) => lane.isOpen).length): void {
    if (count >= this.#options.neededShards) return;
    throwIfAborted(this.#options.signal);
    if (this.#checkFailure !== undefined) throw this.#checkFailure.error;
    throw this.#tooFew(count);
  }

  #tooFew(count: number): HoldfastError {
    const failed = this.parts.filter(({ error }) => error !== undefined);
    const reasons = failed.map(
      ({ label, error }) => `${label}: ${error instanceof Error ? error.message : String(error)}`,
    );
    const known = failed.map(({ error }) => error).find((error) => error instanceof HoldfastError);
    return new HoldfastError(known?.code ?? 'storage.failed', {
      message: `${count} storages took a shard, and ${this.#options.neededShards} must: ${reasons.join('; ')}`,
      ...(known === undefined ? {} : { hint: known.hint }),
      context: { storages: failed.map(({ label }) => label) },
      cause: new AggregateError(failed.map(({ error }) => error)),
    });
  }
}

function notAsWritten(index: number): HoldfastError {
  return new HoldfastError('archive.verify_failed', {
    message: `what was written does not read back as it was: shard ${index + 1} is damaged`,
  });
}
