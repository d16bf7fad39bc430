/** What a writing does about other archives of its name, once all its own shards stand. */
import { HoldfastError } from '../../errors.ts';
import { nameTaken } from '../name-taken.ts';
import type { WrittenPart } from '../storage.ts';
import { removeSet } from './remove-set.ts';
import { chooseSet, isComplete, type ShardListing, type ShardSet } from './shard-sets.ts';

/** A writing that has put its shards in place. */
export interface NameClaim {
  readonly name: string;
  readonly tag: string;
  /** The archive, for people. */
  readonly place: string;
  /** What the storages hold, listed since its shards stand. */
  readonly listing: ShardListing;
  readonly nowMs: number;
}

/** Withdraws an archive where another of its name is there: two that are written at once both see that, and none hides the other. */
export async function keepFirst({ name, tag, place, listing, nowMs }: NameClaim): Promise<WrittenPart[]> {
  const ofName = listing.sets.filter((set) => set.name === name);
  const isTaken = ofName.some((set) => set.tag !== tag && set.goneOn.length === 0 && isComplete(set));
  if (!isTaken) return [];
  const own = ofName.find((set) => set.tag === tag);
  if (own) await removeSet(own, { allAnswered: listing.failures.length === 0, nowMs });
  throw nameTaken(place);
}

/**
 * Removes the archives of the name that this one replaces, and what an earlier removal left. Of two that are written at once both choose the
 * same one, as readers do; the other one is withdrawn, with `storage.conflict`. Shards of a writing that may still put more in place stay.
 *
 * @param before What the storages held when this writing began: that is older, whatever its times say, which may be as coarse as seconds.
 */
export async function replaceOlder(claim: NameClaim, before: ShardListing): Promise<WrittenPart[]> {
  const { name, tag, place, listing, nowMs } = claim;
  const allAnswered = listing.failures.length === 0;
  const ofName = listing.sets.filter((set) => set.name === name);
  const own = ofName.filter((set) => set.tag === tag);
  const others = ofName.filter((set) => set.tag !== tag);
  const older = others.filter((set) => set.goneOn.length > 0 || stoodBefore(set, before));
  // One who does not see all may choose another than the other writer does, and leaves it to that one.
  const rivals = allAnswered ? others.filter((set) => !older.includes(set) && isComplete(set)) : [];
  const chosen = chooseSet([...own, ...rivals]);
  if (chosen !== undefined && chosen.tag !== tag) {
    for (const set of own) await removeSet(set, { allAnswered, nowMs });
    throw writtenAtOnce(place);
  }
  if (chosen === undefined) return [];
  const problems: WrittenPart[] = [];
  for (const set of [...older, ...rivals]) {
    try {
      await removeSet(set, { allAnswered, nowMs });
    } catch (error) {
      problems.push({ label: `an older ${name}`, url: place, error });
    }
  }
  return problems;
}

/** Whether it was an archive when the writing began, or has got no shard since: then whoever wrote it is dead. */
function stoodBefore(set: ShardSet, before: ShardListing): boolean {
  const known = before.sets.find((one) => one.name === set.name && one.tag === set.tag);
  return known !== undefined && (isComplete(known) || known.shards.length === set.shards.length);
}

function writtenAtOnce(place: string): HoldfastError {
  return new HoldfastError('storage.conflict', {
    message: `${place}: another archive of this name was written at the same time, and stands`,
    hint: 'give each run a name of its own',
    context: { place },
  });
}
