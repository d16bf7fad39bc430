import type { KeyObject } from 'node:crypto';
import type { Clock } from '../clock.ts';
import { HoldfastError } from '../errors.ts';
import type { CatalogueState, Intent, KnownChain } from '../history/catalogue-state.ts';
import type { Random } from '../random.ts';
import { isThere } from '../storage/is-there.ts';
import type { Storage } from '../storage/storage.ts';
import { catalogueFolder } from './catalogue-folder.ts';
import {
  type CatalogueRecord,
  publicKeyText,
  type RecordedObject,
  recordName,
  sealRecord,
} from './catalogue-record.ts';
import { type ChainReading, lastWords, listRecords, readChains, rememberedCount } from './chain.ts';
import { storedFacts } from './object-facts.ts';

/** What a writer of catalogues works with. */
export interface CatalogueWriterOptions {
  readonly state: CatalogueState;
  readonly key: KeyObject;
  readonly clock: Clock;
  readonly random: Random;
  /** Told where a storage has less of its catalogue than was put there. */
  readonly onRollback: (message: string) => void;
}

/** What a record tells, without its place in the chain. */
type RecordContents = Pick<CatalogueRecord, 'event' | 'object' | 'adopted' | 'objects' | 'removals' | 'removed'>;

/** What the record says that sums a chain up. */
type ChainSum = Pick<CatalogueRecord, 'objects' | 'removals' | 'removed'>;

/** A storage and what it is called. */
export interface CataloguedPlace {
  readonly name: string;
  readonly storage: Storage;
}

/** Other processes may be at the same chain; one of them is always done, so that tries have an end. */
const maximumTries = 100;
/** What was about to be done, and cannot be told to be done or not, is forgotten after so long. */
const intentLifeMs = 7 * 24 * 60 * 60 * 1000;
/** Chains that a record tells of, the own ones among them. */
const toldChains = 64;

/** Records until a chain is summed up: more for a long list, so that its rewriting costs little for each record. */
export function recordsUntilCheckpoint(objectCount: number): number {
  return Math.min(256, Math.max(32, Math.ceil(objectCount / 4)));
}

/**
 * Appends to the chains of this machine, one on each storage. The history decides on the order: a record is part of its chain when it is in the
 * history's outbox, and goes to the storage from there, by this process or a later one. An object of its own for each record needs nothing of
 * the storage but that it keeps objects.
 */
export class CatalogueWriter {
  readonly #options: CatalogueWriterOptions;
  readonly #publicKey: string;
  readonly #opened = new Map<Storage, Promise<string>>();
  /** What this process is about to do itself. */
  readonly #mine = new Set<string>();

  constructor(options: CatalogueWriterOptions) {
    this.#options = options;
    this.#publicKey = publicKeyText(options.key);
  }

  /** Writes down what is about to be done; what is given back records that it was, with what the storage tells of it. */
  async intend(
    place: CataloguedPlace,
    event: Intent['event'],
    object: Omit<RecordedObject, 'sizeBytes'> | { readonly name: string },
  ): Promise<(stored?: Pick<RecordedObject, 'sizeBytes' | 'shards'>) => Promise<void>> {
    const { state, clock } = this.#options;
    const chain = await this.#open(place);
    const id = await state.intend({ chain, event, object: JSON.stringify(object), atMs: clock.nowMs() });
    this.#mine.add(id);
    return async (stored) => {
      await this.append(place, { event, object: { ...object, ...stored } }, id);
      this.#mine.delete(id);
      await this.#sumUp(place, chain);
    };
  }

  /** Puts a record at the end of the chain, and on the storage. */
  async append(place: CataloguedPlace, what: RecordContents, intentId?: string): Promise<void> {
    const chain = await this.#open(place);
    await this.#append(place, chain, what, intentId);
  }

  /** Records what a process that died did, and brings to the storage what it did not; gives the chain. */
  async settle(place: CataloguedPlace): Promise<string> {
    return await this.#open(place);
  }

  /** The chain of this machine on a storage, settled; looked up once a process. */
  #open(place: CataloguedPlace): Promise<string> {
    const { storage } = place;
    let opening = this.#opened.get(storage);
    if (opening === undefined) {
      opening = this.#find(place).then(async (known) => {
        await this.#look(place, known);
        await this.#settleIntents(place, known.chain);
        await this.#send(storage, known.chain);
        return known.chain;
      });
      this.#opened.set(storage, opening);
      // A storage that does not answer may do so later in the same process.
      opening.catch(() => this.#opened.delete(storage));
    }
    return opening;
  }

  async #find({ name, storage }: CataloguedPlace): Promise<KnownChain> {
    const { state, random } = this.#options;
    const place = storage.url(catalogueFolder);
    const own = async () =>
      (await state.chains(place)).find((one) => one.publicKey === this.#publicKey && one.storage === name);
    const known = await own();
    if (known !== undefined) return known;
    const left = (await readChains(storage)).find(({ publicKey }) => publicKey === this.#publicKey);
    const before = (await state.chains()).find((one) => one.chain === left?.chain);
    // A storage that was moved, or has another name by now. One that differs in both is a copy, and begins a chain of its own.
    if (before !== undefined && (before.place === place || before.storage === name)) {
      await state.move(before.chain, { place, storage: name });
      return { ...before, place, storage: name };
    }
    // Where the history is a new one, the chain goes on where it ended.
    const reading = before === undefined ? left : undefined;
    const chain = reading?.chain ?? Buffer.from(random.bytes(8)).toString('hex');
    const head = reading?.head ?? { sequence: 0, hash: '' };
    const checkpointAt = head.sequence + recordsUntilCheckpoint(0);
    await state.begin({ chain, place, storage: name, publicKey: this.#publicKey, ...head, checkpointAt });
    const begun = await own();
    if (begun !== undefined) return begun;
    throw new HoldfastError('catalogue.invalid', { message: `no chain could be begun for the catalogue on ${name}` });
  }

  /** Whether the storage has what was put there; a history that was put back itself learns what came after it. */
  async #look({ name, storage }: CataloguedPlace, known: KnownChain): Promise<void> {
    const { state, onRollback } = this.#options;
    const { chain, sequence } = known;
    // Before the listing: what is in neither was there, and is gone.
    const waiting = new Set((await state.waiting(chain)).map((record) => record.sequence));
    const top = (await listRecords(storage, chain)).get(chain)?.at(-1)?.sequence ?? 0;
    if (top > sequence) {
      const [reading] = await readChains(storage, { chain });
      if (reading?.publicKey === this.#publicKey && reading.head !== undefined) await state.see(chain, reading.head);
      return;
    }
    for (let missing = sequence; missing > top; missing--) {
      if (waiting.has(missing)) continue;
      onRollback(
        `${name}: its catalogue ends at record ${top}, though record ${missing} was put there: archives may be missing; see \`holdfast catalogue verify\``,
      );
      return;
    }
  }

  async #settleIntents({ storage, name }: CataloguedPlace, chain: string): Promise<void> {
    const { state, clock } = this.#options;
    for (const intent of await state.intents(chain)) {
      // Who is still at work records it itself.
      const isOld = clock.nowMs() - intent.atMs > intentLifeMs;
      if (this.#mine.has(intent.id) || (intent.life === 'running' && !isOld)) continue;
      const object = JSON.parse(intent.object) as Partial<RecordedObject> & { readonly name: string };
      const stored = await storedFacts(storage, object.name);
      const isDone =
        intent.event === 'removed'
          ? stored === undefined && !(await isThere(storage, object.name))
          : stored !== undefined && stored.digest === object.digest;
      if (isDone) {
        const what = { event: intent.event, object: stored ?? object, adopted: true } as const;
        await this.#append({ storage, name }, chain, what, intent.id);
      } else if (intent.life === 'dead' || isOld) {
        await state.dropIntent(intent.id);
      }
    }
  }

  async #append(
    { storage }: CataloguedPlace,
    chain: string,
    what: RecordContents,
    intentId: string | undefined,
  ): Promise<void> {
    const { state } = this.#options;
    for (let tries = 0; tries < maximumTries; tries++) {
      const chains = await state.chains();
      const from = chains.find((known) => known.chain === chain);
      if (from === undefined) break;
      if (!(await this.#advance(from, chains, what))) continue;
      try {
        await this.#send(storage, chain);
      } finally {
        // Not before: who holds the storage against its catalogue meanwhile would find neither the intent nor the record. Should the process
        // die before this, the same is recorded twice, which says nothing else.
        if (intentId !== undefined) await state.dropIntent(intentId);
      }
      return;
    }
    throw cannotAppend(chain);
  }

  /** Puts a record behind the end of a chain; false where that is not its end any more. */
  async #advance(from: KnownChain, chains: readonly KnownChain[], what: RecordContents): Promise<boolean> {
    const { state, key, clock } = this.#options;
    const { chain } = from;
    const sequence = from.sequence + 1;
    const record: CatalogueRecord = {
      format: 1,
      chain,
      publicKey: this.#publicKey,
      sequence,
      previous: from.sequence === 0 ? null : from.hash,
      atMs: Math.round(clock.nowMs()),
      ...what,
      heads: headsOf(chains, from),
    };
    const { text, hash } = sealRecord(record, key);
    return await state.advance(from, { chain, sequence, name: recordName(record), body: text, hash });
  }

  async #send(storage: Storage, chain: string): Promise<void> {
    const { state } = this.#options;
    for (const { name, body, sequence, hash } of await state.waiting(chain)) {
      await putText(storage, name, body);
      await state.sent({ chain, sequence, hash });
    }
  }

  /** Once in a while one record takes the place of all before it, which are removed then. A chain that is not whole stays as it is. */
  async #sumUp(place: CataloguedPlace, chain: string): Promise<void> {
    const { state } = this.#options;
    const known = await state.chains();
    const own = known.find((one) => one.chain === chain);
    if (own === undefined || own.sequence < own.checkpointAt) return;
    const readings = (await readChains(place.storage)).filter((reading) =>
      known.some((one) => one.chain === reading.chain && one.publicKey === reading.publicKey),
    );
    const reading = readings.find((one) => one.chain === chain);
    const isWhole = reading?.problems.length === 0 && reading.head?.hash === own.hash;
    const sum = isWhole ? sumOf(reading, readings) : undefined;
    await state.setCheckpointAt(chain, own.sequence + recordsUntilCheckpoint(sum?.objects.length ?? 0));
    if (sum !== undefined) await this.#checkpoint(place, own, sum);
  }

  /** Puts one record in the place of all that were before it; `sum` reads what it says, and is given what is to be the origin of that. */
  async checkpoint(
    place: CataloguedPlace,
    sum: (origin: { sequence: number; atMs: number }) => Promise<ChainSum>,
  ): Promise<void> {
    const { state, clock } = this.#options;
    const chain = await this.#open(place);
    for (let tries = 0; tries < maximumTries; tries++) {
      const own = (await state.chains()).find((one) => one.chain === chain);
      if (own === undefined) break;
      const origin = { sequence: own.sequence + 1, atMs: Math.round(clock.nowMs()) };
      if (await this.#checkpoint(place, own, await sum(origin))) return;
    }
    throw cannotAppend(chain);
  }

  /** False where the chain went on since it was read: the sum lacks what another process recorded, whose record would be removed. */
  async #checkpoint(place: CataloguedPlace, own: KnownChain, sum: ChainSum): Promise<boolean> {
    const { chain } = own;
    const chains = await this.#options.state.chains();
    if (!(await this.#advance(own, chains, { event: 'checkpoint', ...sum }))) return false;
    await this.#send(place.storage, chain);
    const records = (await listRecords(place.storage, chain)).get(chain) ?? [];
    const newest = records.findLast(({ isCheckpoint }) => isCheckpoint);
    for (const { name, sequence } of records) {
      if (newest !== undefined && sequence < newest.sequence) await place.storage.delete(name);
    }
    return true;
  }
}

function cannotAppend(chain: string): HoldfastError {
  return new HoldfastError('catalogue.invalid', {
    message: `the chain ${chain} of the catalogue cannot be appended to`,
  });
}

/** What a chain says, but for what others know better. */
function sumOf(own: ChainReading, all: readonly ChainReading[]) {
  const words = lastWords(all);
  const others = all.filter(({ chain }) => chain !== own.chain);
  const isClaimed = (name: string) => others.some(({ last }) => last.get(name)?.event === 'written');
  const objects: NonNullable<CatalogueRecord['objects']> = [];
  const removals: NonNullable<CatalogueRecord['removals']> = [];
  const removed = [...own.removed];
  for (const [name, { event, object, sequence, atMs }] of own.last) {
    if (event === 'removed' && isClaimed(name)) removals.push({ name, sequence, atMs });
    if (event === 'removed' || object === undefined) continue;
    if (words.get(name)?.event === 'written') objects.push({ ...object, sequence, atMs });
    else removed.push(object);
  }
  return { objects, removals, removed: removed.slice(-rememberedCount) };
}

/** The ends of the other chains, those of the same place first. */
function headsOf(chains: readonly KnownChain[], own: KnownChain): CatalogueRecord['heads'] {
  const others = chains
    .filter(({ chain, sequence }) => chain !== own.chain && sequence > 0)
    .sort((left, right) => Number(right.place === own.place) - Number(left.place === own.place))
    .slice(0, toldChains);
  return Object.fromEntries(
    others.map(({ chain, sequence, hash, storage }) => [chain, { sequence, hash, place: storage }]),
  );
}

/** Puts a small object in place. A repetition puts the same bytes there. */
async function putText(storage: Storage, name: string, text: string): Promise<void> {
  const bytes = Buffer.from(text);
  const writer = await storage.writer(name, { copies: 1, expectedSizeBytes: bytes.length });
  try {
    await writer.write(bytes);
    await writer.commit();
  } catch (error) {
    await writer.abort();
    throw error;
  }
}
