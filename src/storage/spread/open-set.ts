import type { ShardSource } from '../../archive/spread/shard.ts';
import { SpreadAccess } from '../../archive/spread/spread-access.ts';
import type { Wait } from '../../clock.ts';
import { HoldfastError } from '../../errors.ts';
import type { OpenedObject } from '../storage.ts';
import { missingShards, type PlacedShard, type ShardListing, type ShardSet, type SpreadMember } from './shard-sets.ts';

/** How the shards of a set are opened. */
export interface OpenSetOptions {
  /** The storages of the shards, by their indexes. */
  readonly members: readonly SpreadMember[];
  /** Storages that did not tell whether they have one. */
  readonly failures: ShardListing['failures'];
  readonly slowAfterMs: number;
  readonly wait: Wait;
}

/** Opens all shards that are there as the archive that they are of. A storage that fails is told of when the archive cannot be read without it. */
export async function openSet(set: ShardSet, options: OpenSetOptions): Promise<SpreadAccess> {
  const { members, failures, slowAfterMs, wait } = options;
  const opening = set.shards.map(async (shard): Promise<ShardSource | undefined> => {
    const { index, member } = shard;
    try {
      return { access: await openOne(shard, options), label: member.label, index };
    } catch (error) {
      if (error instanceof HoldfastError && error.code === 'storage.not_found') return undefined;
      return { access: failedAccess(shard.object.sizeBytes, error), label: member.label, index };
    }
  });
  // One whose storage does not answer may be there, as large as the others.
  const sizeBytes = Math.max(0, ...set.shards.map(({ object }) => object.sizeBytes));
  const unknown = missingShards(set).flatMap((index): ShardSource[] => {
    const failed = failures.find(({ member }) => member === members[index]);
    return failed === undefined
      ? []
      : [{ access: failedAccess(sizeBytes, failed.error), label: failed.member.label, index }];
  });
  const shards = [...(await Promise.all(opening)).filter((source) => source !== undefined), ...unknown];
  const places = members.map(({ label }) => label);
  try {
    return await SpreadAccess.open({ shards, shape: set.shape, places, slowAfterMs, pause: wait });
  } catch (error) {
    for (const { access } of shards) await access.close();
    throw error;
  }
}

/** One that is slow is opened when it answers: reads wait for it. */
async function openOne({ member, object }: PlacedShard, options: OpenSetOptions): Promise<OpenedObject> {
  const opening = member.storage.open(object.name);
  opening.catch(() => undefined);
  const ended = new AbortController();
  const late = options.wait(options.slowAfterMs, ended.signal).then(
    () => undefined,
    () => undefined,
  );
  const opened = await Promise.race([opening, late]).finally(() => ended.abort());
  if (opened !== undefined) return opened;
  let answered: OpenedObject | undefined;
  opening.then(
    (one) => {
      answered = one;
    },
    () => undefined,
  );
  return {
    sizeBytes: object.sizeBytes,
    get isSequential() {
      return answered?.isSequential;
    },
    read: async (offset, into) => (await opening).read(offset, into),
    close: async () => void opening.then((one) => one.close()).catch(() => undefined),
  };
}

/** Stands for a shard that could not be opened. */
function failedAccess(sizeBytes: number, error: unknown): OpenedObject {
  return {
    sizeBytes,
    read: async () => {
      throw error;
    },
    close: async () => undefined,
  };
}
