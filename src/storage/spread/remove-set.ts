import { HoldfastError } from '../../errors.ts';
import type { Storage } from '../storage.ts';
import { shardName } from './shard-name.ts';
import type { ShardSet } from './shard-sets.ts';

const goneText = new TextEncoder().encode('The shards of this archive are being removed: it was deleted.\n');

/**
 * Marks a set as gone, removes its shards, and the marks once nothing can be left. Where nothing could be removed the marks go again, so that the
 * archive is there as before. Throws `storage.locked` before anything is touched, and the first error of a storage after all was tried.
 *
 * @param options.allAnswered Whether all storages told what they hold: else a shard may be left that is not known of.
 */
export async function removeSet(
  set: ShardSet,
  options: { readonly allAnswered: boolean; readonly nowMs: number },
): Promise<void> {
  const locked = set.shards.find(({ object }) => (object.lockedUntilMs ?? 0) > options.nowMs);
  if (locked !== undefined) {
    throw new HoldfastError('storage.locked', { message: `${locked.member.label}: ${locked.object.name} is locked` });
  }
  const mark = shardName({ ...set, index: 'gone' });
  const marked = new Set(set.goneOn);
  const failures: unknown[] = [];
  for (const member of new Set(set.shards.map((shard) => shard.member))) {
    if (marked.has(member)) continue;
    try {
      await putMark(member.storage, mark);
      marked.add(member);
    } catch (error) {
      failures.push(error);
    }
  }
  if (marked.size === 0 && failures.length > 0) throw failures[0];
  let removed = 0;
  for (const { member, object } of set.shards) {
    try {
      await member.storage.delete(object.name);
      removed += 1;
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length === 0 ? options.allAnswered : removed === 0) {
    for (const member of marked) await member.storage.delete(mark);
  }
  if (failures.length > 0) throw failures[0];
}

async function putMark(storage: Storage, name: string): Promise<void> {
  const writer = await storage.writer(name, { copies: 1 });
  try {
    await writer.write(goneText);
    await writer.commit();
  } catch (error) {
    await writer.abort();
    throw error;
  }
}
