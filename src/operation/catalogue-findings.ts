import type { CatalogueRecord, RecordedObject, RecordedShard } from '../catalogue/catalogue-record.ts';
import { type ChainReading, type LastEvent, lastWords } from '../catalogue/chain.ts';
import { formatHead } from '../catalogue/chain-head.ts';
import type { KnownChain } from '../history/catalogue-state.ts';
import type { CatalogueFinding } from './catalogue-finding.ts';

/** An object as a storage lists it. */
export interface PresentObject {
  readonly name: string;
  readonly sizeBytes: number;
  /** Of an archive that is laid over several storages: all shards under its name, and the storages that did not tell what they have. */
  readonly spread?: { readonly shards: readonly RecordedShard[]; readonly unknownPlaces: readonly string[] };
}

/** What tells an object from others: an archive's id, else the digest of its beginning. */
function identityOf({ archiveId, digest }: Pick<RecordedObject, 'archiveId' | 'digest'>): string {
  return archiveId ?? digest;
}

/** What a storage should hold, and where else archives that are found may come from. */
export interface Expectation {
  readonly words: ReadonlyMap<string, LastEvent>;
  /** By identity: the names under which it was put. */
  readonly knownNames: ReadonlyMap<string, ReadonlySet<string>>;
}

/** What trusted chains say of a storage. */
export function expectationOf(chains: readonly ChainReading[]): Expectation {
  const words = lastWords(chains);
  const knownNames = new Map<string, Set<string>>();
  const know = (object: RecordedObject | undefined) => {
    if (object === undefined) return;
    const names = knownNames.get(identityOf(object)) ?? new Set<string>();
    knownNames.set(identityOf(object), names.add(object.name));
  };
  for (const { last, removed } of chains) {
    for (const { object } of last.values()) know(object);
    for (const object of removed) know(object);
  }
  return { words, knownNames };
}

type ObjectFinding = Pick<CatalogueFinding, 'kind' | 'name' | 'message'>;

/** Holds an object against the catalogue; `facts` are absent where they were not looked at, and null where they cannot be told. */
export function judgeObject(
  present: PresentObject,
  facts: RecordedObject | null | undefined,
  { words, knownNames }: Expectation,
): ObjectFinding | undefined {
  const { name } = present;
  const word = words.get(name);
  const otherNames = facts ? [...(knownNames.get(identityOf(facts)) ?? [])].filter((other) => other !== name) : [];
  if (word?.event !== 'written' || word.object === undefined) {
    if (otherNames.length > 0) {
      return { kind: 'renamed', name, message: `it is the archive that was put there as ${otherNames.join(', ')}` };
    }
    if (word !== undefined) return { kind: 'returned', name, message: 'it is there, though it was removed' };
    return { kind: 'unrecorded', name, message: 'it is not in the catalogue' };
  }
  const recorded = word.object;
  if (facts === null) return { kind: 'unreadable', name, message: 'what it is cannot be read; see `holdfast scrub`' };
  if (facts !== undefined && identityOf(facts) !== identityOf(recorded)) {
    const origin = otherNames.length > 0 ? `: it is the one that was put there as ${otherNames.join(', ')}` : '';
    return { kind: 'changed', name, message: `it is not the archive that was put there${origin}` };
  }
  if (facts !== undefined && facts.digest !== recorded.digest) {
    return { kind: 'changed', name, message: 'other keys open it than when it was put there' };
  }
  if (present.spread !== undefined && recorded.shards !== undefined) {
    return judgeShards(name, present.spread, recorded.shards);
  }
  if (present.sizeBytes === recorded.sizeBytes) return undefined;
  const message = `it has ${present.sizeBytes} bytes, and had ${recorded.sizeBytes} when it was put there`;
  return { kind: 'changed', name, message };
}

/** A shard is known by its name, which no other writing of the archive has; a scrub may have made it anew on another storage. */
function judgeShards(
  name: string,
  { shards, unknownPlaces }: NonNullable<PresentObject['spread']>,
  recorded: readonly RecordedShard[],
): ObjectFinding | undefined {
  const gone = recorded.filter(
    (shard) => !unknownPlaces.includes(shard.place) && !shards.some((there) => there.name === shard.name),
  );
  if (gone.length > 0) {
    const places = gone.map((shard) => shard.place).join(', ');
    const verb = gone.length === 1 ? 'is' : 'are';
    const message = `${gone.length} of its ${recorded.length} shards ${verb} gone from ${places} without having been removed`;
    return { kind: 'shard_missing', name, message };
  }
  const changed = recorded.find((shard) =>
    shards.some((there) => there.name === shard.name && there.sizeBytes !== shard.sizeBytes),
  );
  if (changed === undefined) return undefined;
  return {
    kind: 'changed',
    name,
    message: `its shard on ${changed.place} has another size than when it was put there`,
  };
}

/** What should be there and is not. */
export function missingObjects(
  present: readonly PresentObject[],
  found: ReadonlyMap<string, RecordedObject | null>,
  { words }: Expectation,
): ObjectFinding[] {
  const names = new Set(present.map(({ name }) => name));
  const placeOf = new Map<string, string>();
  for (const [name, facts] of found) if (facts) placeOf.set(identityOf(facts), name);
  return [...words].flatMap(([name, { event, object }]): ObjectFinding[] => {
    if (event !== 'written' || names.has(name)) return [];
    const elsewhere = object && placeOf.get(identityOf(object));
    const where = elsewhere === undefined ? '' : `; it stands there as ${elsewhere}`;
    return [{ kind: 'missing', name, message: `it was put there, and is gone without having been removed${where}` }];
  });
}

/** What is known of the end of a chain from elsewhere: the history, other chains, a note of the operator. */
export interface KnownHead {
  readonly chain: string;
  readonly sequence: number;
  /** Absent where only the number is known. */
  readonly hash?: string;
  /** For people: `this history`, `the catalogue on offsite`. */
  readonly knownFrom: string;
}

/** Whether a chain has the record that is known, and all before it. */
export function judgeHead(reading: ChainReading | undefined, known: KnownHead): ObjectFinding | undefined {
  const { chain, sequence, hash, knownFrom } = known;
  const top = reading?.head?.sequence ?? 0;
  if (top < sequence) {
    const end = top === 0 ? 'is gone' : `ends at record ${top}`;
    const message = `the chain ${chain} ${end}, though ${knownFrom} knows its record ${sequence}`;
    return { kind: 'rolled_back', message };
  }
  const there = reading?.hashes.get(sequence);
  if (there === undefined || hash === undefined || there === hash) return undefined;
  const message = `the chain ${chain} has another record ${sequence} than ${knownFrom} knows (${formatHead(chain, { sequence, hash })})`;
  return { kind: 'fork', message };
}

/** Heads that chains tell of other ones, each as new as anyone knows it. */
export function toldHeads(
  readings: readonly { readonly storage: string; readonly chains: readonly ChainReading[] }[],
  isTrusted: (reading: ChainReading) => boolean,
): Map<string, KnownHead & { readonly place: string }> {
  const told = new Map<string, KnownHead & { readonly place: string }>();
  for (const { storage, chains } of readings) {
    for (const reading of chains.filter(isTrusted)) {
      for (const [chain, head] of Object.entries(reading.heads) as [string, CatalogueRecord['heads'][string]][]) {
        if ((told.get(chain)?.sequence ?? 0) >= head.sequence) continue;
        told.set(chain, { chain, ...head, knownFrom: `the catalogue on ${storage}` });
      }
    }
  }
  return told;
}

/** Whether a chain is one that the history knows, by its key. */
export function isKnownChain(known: readonly KnownChain[], reading: ChainReading): boolean {
  return known.some(({ chain, publicKey }) => chain === reading.chain && publicKey === reading.publicKey);
}
