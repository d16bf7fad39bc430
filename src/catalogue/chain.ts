import { HoldfastError, throwIfAborted } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';
import { catalogueFolder } from './catalogue-folder.ts';
import {
  type CatalogueRecord,
  type ChainHead,
  openRecord,
  type RecordedObject,
  readRecordName,
} from './catalogue-record.ts';

/** The last word of a chain on a name. */
export interface LastEvent {
  readonly event: 'written' | 'removed';
  readonly object: RecordedObject | undefined;
  readonly sequence: number;
  readonly atMs: number;
  /** How far the writer knew the other chains then. */
  readonly heads: CatalogueRecord['heads'];
}

/** What is wrong with a chain by itself. */
export interface ChainProblem {
  /** `gap`: records are missing in it; `forged`: one is not by its writer; `fork`: one does not follow on the one before. */
  readonly kind: 'gap' | 'forged' | 'fork';
  readonly message: string;
}

/** A chain as a storage has it. */
export interface ChainReading {
  readonly chain: string;
  readonly publicKey: string | undefined;
  /** Its end; absent where no record can be used. */
  readonly head: ChainHead | undefined;
  readonly recordCount: number;
  /** By name. */
  readonly last: ReadonlyMap<string, LastEvent>;
  /** What was there before, by archive id or digest: the newest thousand. */
  readonly removed: readonly RecordedObject[];
  /** The newest that it tells of other chains. */
  readonly heads: CatalogueRecord['heads'];
  /** By sequence, as far as they are read. */
  readonly hashes: ReadonlyMap<number, string>;
  readonly problems: readonly ChainProblem[];
}

/** Objects that are remembered after they were removed. */
export const rememberedCount = 1000;
/** Records that are read at once: most of the time goes by on the network. */
const recordsAtOnce = 8;
/** A record is less than 10 KiB; a checkpoint has some 250 bytes for each archive. */
const recordLimitBytes = 64 * 1024;
const checkpointLimitBytes = 32 * 1024 * 1024;
/** A chain that is summed up while it is read is read again; one whose records are listed and never there is taken as it is. */
const maximumTries = 4;
/** Records from one checkpoint to the next, with room for those that could not be summed up. */
const recordCountLimit = 20_000;

interface NamedRecord {
  readonly name: string;
  readonly sequence: number;
  readonly isCheckpoint: boolean;
}

/** Names of records on a storage, by chain, in order. */
export async function listRecords(
  storage: Storage,
  chain?: string,
  signal?: AbortSignal,
): Promise<Map<string, NamedRecord[]>> {
  const found = new Map<string, NamedRecord[]>();
  const prefix = chain === undefined ? `${catalogueFolder}/` : `${catalogueFolder}/${chain}/`;
  for await (const { name } of storage.list(prefix)) {
    throwIfAborted(signal);
    const parts = readRecordName(name);
    if (parts === undefined) continue;
    const records = found.get(parts.chain) ?? [];
    records.push({ name, sequence: parts.sequence, isCheckpoint: parts.isCheckpoint });
    found.set(parts.chain, records);
  }
  for (const records of found.values()) records.sort((left, right) => left.sequence - right.sequence);
  return found;
}

/** A small object whole. Throws `catalogue.invalid` where it is larger than the limit. */
async function readText(storage: Storage, name: string, limitBytes: number): Promise<string> {
  const opened = await storage.open(name);
  try {
    if (opened.sizeBytes > limitBytes) throw new HoldfastError('catalogue.invalid', { message: 'it is too large' });
    const bytes = Buffer.alloc(opened.sizeBytes);
    let filled = 0;
    while (filled < bytes.length) {
      const count = await opened.read(filled, bytes.subarray(filled));
      if (count === 0) break;
      filled += count;
    }
    return bytes.toString('utf8', 0, filled);
  } finally {
    await opened.close();
  }
}

type Opened = { readonly named: NamedRecord } & (
  | { readonly record: CatalogueRecord; readonly hash: string }
  | { readonly problem: ChainProblem }
);

async function readOne(storage: Storage, chain: string, named: NamedRecord): Promise<Opened | undefined> {
  try {
    const limitBytes = named.isCheckpoint ? checkpointLimitBytes : recordLimitBytes;
    const { record, hash } = openRecord(await readText(storage, named.name, limitBytes));
    const isNamedRight =
      record.chain === chain &&
      record.sequence === named.sequence &&
      (record.event === 'checkpoint') === named.isCheckpoint;
    if (isNamedRight) return { named, record, hash };
    return { named, problem: { kind: 'forged', message: `${named.name}: it is another record than its name says` } };
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    // Summed up since it was listed.
    if (error.code === 'storage.not_found') return undefined;
    if (error.code !== 'catalogue.invalid' && error.code !== 'storage.failed') throw error;
    return { named, problem: { kind: 'forged', message: `${named.name}: ${error.message}` } };
  }
}

/** Puts the records of a chain together, in order. */
class ChainFold {
  readonly last = new Map<string, LastEvent>();
  readonly hashes = new Map<number, string>();
  readonly problems: ChainProblem[] = [];
  removed: RecordedObject[] = [];
  heads: CatalogueRecord['heads'] = {};
  publicKey: string | undefined;
  head: ChainHead | undefined;
  recordCount = 0;

  add({ named, ...opened }: Opened): void {
    if ('problem' in opened) {
      this.problems.push(opened.problem);
      return;
    }
    const { record, hash } = opened;
    if (this.publicKey !== undefined && record.publicKey !== this.publicKey) {
      this.problems.push({ kind: 'forged', message: `${named.name}: it is signed with another key than the others` });
      return;
    }
    this.#checkPlace(record, named.name);
    this.publicKey = record.publicKey;
    this.head = { sequence: record.sequence, hash };
    this.hashes.set(record.sequence, hash);
    this.recordCount += 1;
    this.heads = { ...this.heads, ...record.heads };
    if (record.event === 'checkpoint') this.#restart(record);
    else if (record.object !== undefined) this.#apply(record, record.event, record.object);
  }

  #checkPlace(record: CatalogueRecord, name: string): void {
    const { head } = this;
    if (head === undefined) {
      if (record.event === 'checkpoint' || record.sequence === 1) return;
      this.problems.push({ kind: 'gap', message: `${name}: the records before it are missing` });
    } else if (record.sequence !== head.sequence + 1) {
      const missing = `${head.sequence + 1} to ${record.sequence - 1}`;
      this.problems.push({ kind: 'gap', message: `${name}: the records ${missing} before it are missing` });
    } else if (record.previous !== head.hash) {
      this.problems.push({ kind: 'fork', message: `${name}: it does not follow on the record before it` });
    }
  }

  #restart({ objects = [], removals = [], removed = [] }: CatalogueRecord): void {
    this.last.clear();
    for (const { sequence, atMs, ...object } of objects) {
      this.last.set(object.name, { event: 'written', object, sequence, atMs, heads: {} });
    }
    for (const { name, sequence, atMs } of removals) {
      this.last.set(name, { event: 'removed', object: undefined, sequence, atMs, heads: {} });
    }
    this.removed = [...removed];
  }

  #apply(record: CatalogueRecord, event: 'written' | 'removed', object: NonNullable<CatalogueRecord['object']>): void {
    const { sequence, atMs, heads } = record;
    const before = this.last.get(object.name)?.object;
    const { name, archiveId, digest, sizeBytes, shards } = object;
    const whole =
      digest === undefined || sizeBytes === undefined
        ? undefined
        : { name, digest, sizeBytes, ...(archiveId && { archiveId }), ...(shards && { shards }) };
    this.last.set(name, { event, object: event === 'removed' ? before : whole, sequence, atMs, heads });
    if (before === undefined || before.digest === digest) return;
    this.removed.push(before);
    if (this.removed.length > rememberedCount) this.removed.shift();
  }
}

interface Claim extends LastEvent {
  readonly chain: string;
}

/** Which of two chains has the later word on a name: the one that knew of the other's, else the one that said it later. */
function later(left: Claim, right: Claim): Claim {
  const knows = (one: Claim, other: Claim) => (one.heads[other.chain]?.sequence ?? 0) >= other.sequence;
  if (knows(left, right)) return left;
  if (knows(right, left)) return right;
  return left.atMs > right.atMs ? left : right;
}

/** The last word on each name, of several chains. */
export function lastWords(chains: readonly ChainReading[]): Map<string, LastEvent> {
  const claims = new Map<string, Claim>();
  for (const { chain, last } of chains) {
    for (const [name, event] of last) {
      const before = claims.get(name);
      const claim = { ...event, chain };
      claims.set(name, before === undefined ? claim : later(before, claim));
    }
  }
  return claims;
}

/** Reads the chains on a storage, or one of them, from their newest checkpoints on, and checks each by itself. */
export async function readChains(
  storage: Storage,
  options: { readonly chain?: string; readonly signal?: AbortSignal | undefined } = {},
): Promise<ChainReading[]> {
  const { chain: wanted, signal } = options;
  const readings: ChainReading[] = [];
  for (const [chain, listed] of await listRecords(storage, wanted, signal)) {
    let names = listed;
    for (let tries = 1; ; tries++) {
      const { fold, isTorn } = await foldRecords(storage, chain, names, signal);
      const { publicKey, head, recordCount, last, removed, heads, hashes, problems } = fold;
      if (!isTorn || tries === maximumTries) {
        readings.push({ chain, publicKey, head, recordCount, last, removed, heads, hashes, problems });
        break;
      }
      names = (await listRecords(storage, chain, signal)).get(chain) ?? [];
    }
  }
  return readings;
}

/** Reads records from the newest checkpoint on; torn where some are gone by now, so that it says less than the chain ever did. */
async function foldRecords(
  storage: Storage,
  chain: string,
  names: readonly NamedRecord[],
  signal: AbortSignal | undefined,
): Promise<{ readonly fold: ChainFold; readonly isTorn: boolean }> {
  const start = Math.max(
    0,
    names.findLastIndex(({ isCheckpoint }) => isCheckpoint),
  );
  const records = names.slice(start, start + recordCountLimit);
  const fold = new ChainFold();
  let isTorn = false;
  for (let first = 0; first < records.length; first += recordsAtOnce) {
    throwIfAborted(signal);
    const some = records.slice(first, first + recordsAtOnce);
    for (const opened of await Promise.all(some.map((named) => readOne(storage, chain, named)))) {
      if (opened === undefined) isTorn = true;
      else fold.add(opened);
    }
  }
  return { fold, isTorn };
}
