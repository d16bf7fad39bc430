import { catalogueFolder } from '../catalogue/catalogue-folder.ts';
import type { ChainHead, RecordedObject } from '../catalogue/catalogue-record.ts';
import { type ChainReading, lastWords, readChains } from '../catalogue/chain.ts';
import { formatHead } from '../catalogue/chain-head.ts';
import { isRecordedName, shardsOf, storedFacts } from '../catalogue/object-facts.ts';
import { systemClock } from '../clock.ts';
import { throwIfAborted } from '../errors.ts';
import type { CatalogueState, KnownChain } from '../history/catalogue-state.ts';
import { chooseSet, type ShardListing, type ShardSet } from '../storage/spread/shard-sets.ts';
import { type CatalogueFinding, isViolation } from './catalogue-finding.ts';
import {
  expectationOf,
  isKnownChain,
  judgeHead,
  judgeObject,
  type KnownHead,
  missingObjects,
  type PresentObject,
  toldHeads,
} from './catalogue-findings.ts';
import { errorReport } from './error-report.ts';
import type { OutputReport, RunOptions } from './options.ts';
import type { NamedStorage } from './scrub.ts';

/** What {@link verifyCatalogue} takes. */
export interface VerifyCatalogueOptions extends Pick<RunOptions, 'signal' | 'clock'> {
  readonly storages: readonly NamedStorage[];
  /** What is known of the chains: the history's. Without it, each chain is one that is not known. */
  readonly state?: CatalogueState | undefined;
  /** Heads that were noted elsewhere. */
  readonly expectedHeads?: readonly (ChainHead & { readonly chain: string })[];
  /** The key of this machine's own records. Another machine's folder on local disk may have the name of one here. */
  readonly ownPublicKey?: string | undefined;
  /** `headers`, unless set: each archive is told by its header; `names`: by its name and size alone, so that no archive is opened. */
  readonly level?: 'names' | 'headers';
}

/** A chain on a storage. */
export interface CatalogueChainReport {
  readonly chain: string;
  /** Whether the history knows its writer. */
  readonly isKnown: boolean;
  /** Its end as text, to be noted elsewhere; absent where no record of it can be used. */
  readonly head?: string;
  readonly recordCount: number;
}

/** What {@link verifyCatalogue} found. */
export interface CatalogueReport {
  readonly storages: readonly {
    readonly storage: string;
    readonly chains: readonly CatalogueChainReport[];
    /** Archives and plain dumps that are there. */
    readonly archiveCount: number;
  }[];
  readonly findings: readonly CatalogueFinding[];
  /** Whether a finding means that somebody changed what is on a storage. */
  readonly isViolated: boolean;
  /** Storages that could not be read: nothing is known of them. */
  readonly failedStorages: readonly { readonly storage: string; readonly error: NonNullable<OutputReport['error']> }[];
  readonly durationMs: number;
}

/** A storage as it was read. */
export interface CatalogueReading {
  readonly storage: string;
  readonly place: string;
  readonly backend: string;
  readonly chains: readonly ChainReading[];
  readonly present: readonly PresentObject[];
  /** Archives over several storages that cannot be read now, while storages are away that may have what they lack. */
  readonly hidden: readonly PresentObject[];
  /** By name; null where it cannot be told what an object is. Empty where objects are not opened. */
  readonly facts: ReadonlyMap<string, RecordedObject | null>;
  /** As they were before the contents were read. */
  readonly chainsBefore: readonly ChainReading[];
  /** Names of objects that are being written or removed, or were when a process died. */
  readonly intended: ReadonlySet<string>;
}

/** Headers that are read at once: most of the time goes by on the network. */
const headersAtOnce = 8;

interface ReadOptions {
  readonly level?: 'names' | 'headers' | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly state?: CatalogueState | undefined;
}

/** A catalogue that changes while its storage is read is read again, so often at most. */
const maximumReadings = 4;

/** Reads a storage with its catalogue, at a moment when nothing is recorded if there is one. */
export async function readCatalogue(named: NamedStorage, options: ReadOptions): Promise<CatalogueReading> {
  const { name, storage } = named;
  const { signal, state } = options;
  const place = storage.url(catalogueFolder);
  let chains = await readChains(storage, { signal });
  for (let readings = 1; ; readings++) {
    const contents = await readContents(named, options);
    // Before the chains: an intent that is gone by now has its record there.
    const intended = await intendedNames(state, place);
    const chainsBefore = chains;
    chains = await readChains(storage, { signal });
    const endsOf = (all: readonly ChainReading[]) => all.map(({ chain, head }) => `${chain}:${head?.hash}`).sort();
    const isSame = endsOf(chainsBefore).join() === endsOf(chains).join();
    if (!isSame && readings < maximumReadings) continue;
    const { backend } = storage.properties;
    return { storage: name, place, backend, chains, chainsBefore, intended, ...contents };
  }
}

async function intendedNames(state: CatalogueState | undefined, place: string): Promise<Set<string>> {
  const names = new Set<string>();
  for (const { chain } of (await state?.chains(place)) ?? []) {
    for (const { object } of (await state?.intents(chain)) ?? []) {
      names.add((JSON.parse(object) as Pick<RecordedObject, 'name'>).name);
    }
  }
  return names;
}

/** Names on which the chains have another word than before. */
function namesBetween(before: readonly ChainReading[], after: readonly ChainReading[]): string[] {
  const [earlier, later] = [lastWords(before), lastWords(after)];
  return [...new Set([...earlier.keys(), ...later.keys()])].filter((name) => {
    const [left, right] = [earlier.get(name), later.get(name)];
    return left?.event !== right?.event || left?.sequence !== right?.sequence || left?.atMs !== right?.atMs;
  });
}

async function readContents(
  { storage }: NamedStorage,
  { level = 'headers', signal }: ReadOptions,
): Promise<Pick<CatalogueReading, 'present' | 'hidden' | 'facts'>> {
  const present: PresentObject[] = [];
  const spread = await storage.spread?.shardSets();
  const sets = Map.groupBy(spread?.sets ?? [], ({ name }) => name);
  const unknownPlaces = spread?.failures.map(({ member }) => member.label) ?? [];
  for await (const { name, sizeBytes } of storage.list()) {
    throwIfAborted(signal);
    if (!isRecordedName(name)) continue;
    const shards = sets.get(name)?.flatMap(shardsOf);
    present.push({ name, sizeBytes, ...(shards === undefined ? {} : { spread: { shards, unknownPlaces } }) });
  }
  const facts = new Map<string, RecordedObject | null>();
  for (let start = 0; level === 'headers' && start < present.length; start += headersAtOnce) {
    throwIfAborted(signal);
    const some = present.slice(start, start + headersAtOnce);
    const found = await Promise.all(some.map(({ name }) => storedFacts(storage, name)));
    for (const [index, { name }] of some.entries()) facts.set(name, found[index] ?? null);
  }
  return {
    present,
    hidden: hiddenIn(spread).map((name) => hiddenObject(name, sets.get(name) ?? [], unknownPlaces)),
    facts,
  };
}

/** Names of archives that are not listed, and would be if the storages that are away had their shards. */
function hiddenIn(listing: ShardListing | undefined): string[] {
  const { sets = [], failures = [] } = listing ?? {};
  const away = failures.length;
  const mayBeThere = ({ shape, shards, goneOn }: ShardSet) => {
    const seen = new Set(shards.map(({ index }) => index)).size;
    return goneOn.length === 0 && seen < shape.data && seen + away >= shape.data;
  };
  const isListed = (name: string) => chooseSet(sets.filter((set) => set.name === name)) !== undefined;
  const names = new Set(sets.filter(mayBeThere).map(({ name }) => name));
  return [...names].filter((name) => isRecordedName(name) && !isListed(name));
}

function hiddenObject(name: string, sets: readonly ShardSet[], unknownPlaces: readonly string[]): PresentObject {
  const shards = sets.flatMap(shardsOf);
  const sizeBytes = shards.reduce((sum, shard) => sum + shard.sizeBytes, 0);
  return { name, sizeBytes, spread: { shards, unknownPlaces } };
}

/** What the history knows, as it was when the storages were looked at. */
interface KnownState {
  readonly chains: readonly KnownChain[];
  /** Chains with records that wait to be brought to their storage, and the first of these. */
  readonly waiting: ReadonlyMap<string, number>;
}

async function readState(state: CatalogueState | undefined): Promise<KnownState> {
  const chains = (await state?.chains()) ?? [];
  const waiting = new Map<string, number>();
  for (const { chain } of chains) {
    const [first] = (await state?.waiting(chain)) ?? [];
    if (first !== undefined) waiting.set(chain, first.sequence);
  }
  return { chains, waiting };
}

/** What is wrong on one storage by itself. */
export function judgeStorage(reading: CatalogueReading, { chains: known }: KnownState): CatalogueFinding[] {
  const { storage, chains, present, hidden, facts } = reading;
  const isFirst = known.length === 0;
  const findings: CatalogueFinding[] = [];
  const isTrusted = (chain: ChainReading) => isFirst || isKnownChain(known, chain);
  const trusted = chains.filter(isTrusted);
  for (const chain of chains) {
    const at = { storage, chain: chain.chain };
    findings.push(...chain.problems.map((problem) => ({ ...at, ...problem })));
    if (isKnownChain(known, chain) || chain.head === undefined) continue;
    const message = `the chain ${chain.chain} is by a writer that this history does not know: only \`holdfast rebuild\` makes it known`;
    findings.push({ ...at, kind: 'unknown_chain', message });
  }
  // Where there is no catalogue, and none is known of, nothing can be told.
  if (chains.length === 0) return findings;
  const expectation = expectationOf(trusted);
  const found = [
    ...present.flatMap((object) => judgeObject(object, facts.get(object.name), expectation) ?? []),
    ...hidden.flatMap((object) => judgeObject(object, undefined, expectation) ?? []),
    ...missingObjects([...present, ...hidden], facts, expectation),
  ];
  // Of what was written or removed while the contents were read it cannot be told which came first; the next look tells.
  const unsettled = new Set([...reading.intended, ...namesBetween(reading.chainsBefore.filter(isTrusted), trusted)]);
  const isSettled = ({ name = '' }) => !unsettled.has(name);
  findings.push(...found.filter(isSettled).map((finding) => ({ storage, ...finding })));
  return findings;
}

/** As far as records were brought to the storage: what waits for that comes with the next run. */
function withoutWaiting(head: KnownHead, waiting: ReadonlyMap<string, number>): KnownHead {
  const first = waiting.get(head.chain);
  if (first === undefined || first > head.sequence) return head;
  const { chain, knownFrom } = head;
  return { chain, sequence: first - 1, knownFrom };
}

/** What is known of the ends of chains from elsewhere, against what the storages have. */
function judgeHeads(
  readings: readonly CatalogueReading[],
  { chains: known, waiting }: KnownState,
  { ownPublicKey, expectedHeads = [] }: Pick<VerifyCatalogueOptions, 'ownPublicKey' | 'expectedHeads'>,
): CatalogueFinding[] {
  const findings: CatalogueFinding[] = [];
  const mayBeElsewhere = (chain: string, backend: string | undefined) => {
    const key = known.find((one) => one.chain === chain)?.publicKey;
    return backend === 'local' && key !== undefined && key !== ownPublicKey;
  };
  // Where a storage is a copy of another one, the newer of the two tells.
  const find = (chain: string) =>
    readings
      .flatMap(({ storage, chains }) => chains.map((reading) => ({ storage, reading })))
      .filter(({ reading }) => reading.chain === chain)
      .sort((left, right) => (right.reading.head?.sequence ?? 0) - (left.reading.head?.sequence ?? 0))[0];
  for (const { storage, place, backend, chains } of readings) {
    for (const one of known.filter(
      (chain) => chain.place === place && chain.storage === storage && chain.sequence > 0,
    )) {
      const reading = chains.find(({ chain, publicKey }) => chain === one.chain && publicKey === one.publicKey);
      if (reading === undefined && mayBeElsewhere(one.chain, backend)) continue;
      const finding = judgeHead(reading, withoutWaiting({ ...one, knownFrom: 'this history' }, waiting));
      if (finding !== undefined) findings.push({ storage, chain: one.chain, ...finding });
    }
  }
  const isTrusted = (reading: ChainReading) => known.length === 0 || isKnownChain(known, reading);
  for (const told of toldHeads(readings, isTrusted).values()) {
    const found = find(told.chain);
    const at = readings.find(({ storage }) => storage === told.place);
    const isReported = findings.some(({ chain }) => chain === told.chain);
    if (isReported) continue;
    if (found === undefined && (at === undefined || mayBeElsewhere(told.chain, at.backend))) continue;
    const finding = judgeHead(found?.reading, withoutWaiting(told, waiting));
    if (finding !== undefined) findings.push({ storage: found?.storage ?? told.place, chain: told.chain, ...finding });
  }
  for (const expected of expectedHeads) {
    const found = find(expected.chain);
    const finding = judgeHead(found?.reading, { ...expected, knownFrom: 'what was noted' });
    if (finding !== undefined) findings.push({ storage: found?.storage ?? '', chain: expected.chain, ...finding });
  }
  return findings;
}

/**
 * Holds storages against their catalogues: which archives are gone, changed, renamed or came back without anybody having done so by Holdfast, and
 * whether the catalogues themselves were rolled back, as far as the history, the other storages or `expectedHeads` know better. No key is
 * needed. A storage that cannot be read does not stop the rest.
 *
 * @example
 * const { isViolated, findings } = await verifyCatalogue({ storages: [{ name: 'offsite', storage }], state: history.catalogue });
 */
export async function verifyCatalogue(options: VerifyCatalogueOptions): Promise<CatalogueReport> {
  const { storages, state, signal } = options;
  const clock = options.clock ?? systemClock;
  const startMs = clock.monotonicMs();
  const readings: CatalogueReading[] = [];
  const failedStorages: { storage: string; error: NonNullable<OutputReport['error']> }[] = [];
  // Before the storages: what is written meanwhile is more than is known, and never less.
  const known = await readState(state);
  for (const named of storages) {
    try {
      readings.push(await readCatalogue(named, options));
    } catch (error) {
      throwIfAborted(signal);
      failedStorages.push({ storage: named.name, error: errorReport(error) });
    }
  }
  const findings = [
    ...readings.flatMap((reading) => judgeStorage(reading, known)),
    ...judgeHeads(readings, known, options),
  ];
  if (state !== undefined) await rememberHeads(readings, known.chains, findings, state);
  return {
    storages: readings.map(({ storage, chains, present }) => ({
      storage,
      archiveCount: present.length,
      chains: chains.map((reading) => ({
        chain: reading.chain,
        isKnown: isKnownChain(known.chains, reading),
        ...(reading.head && { head: formatHead(reading.chain, reading.head) }),
        recordCount: reading.recordCount,
      })),
    })),
    findings,
    isViolated: findings.some(isViolation),
    failedStorages,
    durationMs: Math.round(clock.monotonicMs() - startMs),
  };
}

/** What was seen of other machines' chains now may not be less the next time. */
async function rememberHeads(
  readings: readonly CatalogueReading[],
  known: readonly KnownChain[],
  findings: readonly CatalogueFinding[],
  state: CatalogueState,
): Promise<void> {
  for (const { chains } of readings) {
    for (const reading of chains) {
      const isDoubtful = findings.some(({ chain }) => chain === reading.chain);
      if (isDoubtful || !isKnownChain(known, reading) || reading.head === undefined) continue;
      await state.see(reading.chain, reading.head);
    }
  }
}

/** Makes the chains on storages known to a history that does not know them: what they say is trusted from then on. Gives those that are new. */
export async function learnChains(
  storages: readonly NamedStorage[],
  state: CatalogueState,
  signal?: AbortSignal,
): Promise<string[]> {
  const learnt: string[] = [];
  const known = new Set((await state.chains()).map(({ chain }) => chain));
  for (const { name, storage } of storages) {
    for (const { chain, publicKey, head } of await readChains(storage, { signal })) {
      if (known.has(chain) || publicKey === undefined || head === undefined) continue;
      const place = storage.url(catalogueFolder);
      await state.begin({ chain, place, storage: name, publicKey, ...head, checkpointAt: head.sequence + 32 });
      learnt.push(formatHead(chain, head));
    }
  }
  return learnt;
}
