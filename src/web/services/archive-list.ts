import { delay } from '../../clock.ts';
import { retentionPolicy } from '../../config/retention-settings.ts';
import type { History } from '../../history/history.ts';
import type { RunRecord } from '../../history/run-record.ts';
import { pinSuffix } from '../../operation/pin.ts';
import { retentionFacts } from '../../operation/retention-facts.ts';
import { isPlainName } from '../../plain/plain-name.ts';
import { judgeRetention, type RetentionArchive } from '../../policy/retention.ts';
import type { KnownPlace } from './run-digest.ts';
import { type ServiceContext, shownErrorOf, type WebStorage } from './service-context.ts';
import type { ArchiveFacts, ReplicaFacts, ShownError } from './web-services.ts';

/** Lists of storages are good for so long; then they are read anew behind what is shown. */
const listingLastsMs = 60_000;
/** Which rules keep what changes with the clock too. */
const verdictLastsMs = 10 * 60_000;
/** What nobody waits for is made a little later. */
const remakeAfterMs = 500;
/** Objects of one storage that are looked at. */
const maximumObjects = 100_000;
/** Runs that are asked why nothing is removed. */
const heldRuns = 1000;
/** Of these the newest are read each time. */
const lookedRuns = 50;

interface ListedObject extends RetentionArchive {
  readonly url: string;
  readonly format: 'holdfast' | 'plain';
  readonly modifiedMs: number;
  readonly isNamed: boolean;
}

interface Listing {
  readonly listedMs: number;
  readonly objects: readonly ListedObject[];
  readonly failed: readonly { readonly storage: string; readonly error: ShownError }[];
}

/** The archives of all storages as they are shown, and what they were made of. */
export interface ArchiveSnapshot {
  readonly listedMs: number;
  readonly failed: Listing['failed'];
  /** The newest first. */
  readonly archives: readonly ArchiveFacts[];
  readonly byName: ReadonlyMap<string, ArchiveFacts>;
}

/** What lies on the storages, held in memory: asked for often, read once a minute at most. */
export class ArchiveList {
  readonly #context: ServiceContext;
  #listing: Listing | undefined;
  #reading: Promise<Listing> | undefined;
  #named: { readonly listing: Listing; readonly archives: readonly NamedArchive[] } | undefined;
  readonly #backups = new NewestBackups();
  #isStale = false;
  #mustMake = false;
  #making: { readonly listing: Listing; readonly done: Promise<void> } | undefined;
  #made: { readonly listing: Listing; readonly key: string; readonly snapshot: ArchiveSnapshot } | undefined;

  constructor(context: ServiceContext) {
    this.#context = context;
  }

  /** Something was written or removed: what is held is read anew before it is shown. */
  invalidate(): void {
    this.#isStale = true;
  }

  /** Something was found out about archives: what is shown of them is made anew before it is shown. */
  forgetFacts(): void {
    this.#mustMake = true;
  }

  /** Reads the storages. */
  async refresh(): Promise<void> {
    this.#reading ??= this.#readAll().finally(() => {
      this.#reading = undefined;
    });
    await this.#reading;
  }

  /** What there is. The history has to be up to date. */
  async snapshot(): Promise<ArchiveSnapshot> {
    const { clock, digest, log } = this.#context;
    // A reading that was under way when something changed may not have seen it.
    if (this.#listing === undefined || this.#isStale) {
      do await this.refresh();
      while (this.#isStale);
    } else if (clock.nowMs() - this.#listing.listedMs > listingLastsMs) {
      this.refresh().catch((error: unknown) => log(`the storages cannot be listed: ${String(error)}`));
    }
    const listing = this.#listing ?? { listedMs: clock.nowMs(), objects: [], failed: [] };
    const key = `${digest.version}/${Math.floor(clock.nowMs() / verdictLastsMs)}`;
    const isOfOther = this.#made?.listing !== listing;
    if (isOfOther || this.#made?.key !== key) {
      const making = this.#remake(listing, key);
      // What changes by and by is made behind what is shown; a new list, or what was just found out, is waited for.
      if (isOfOther || this.#mustMake) await making;
      else making.catch((error: unknown) => log(`the archives cannot be judged: ${String(error)}`));
    }
    return this.#made?.snapshot ?? (await this.#make(listing));
  }

  async #remake(listing: Listing, key: string): Promise<void> {
    // What is being made of another list, or was begun before something was found out, is not what is asked for.
    while (this.#making !== undefined && (this.#mustMake || this.#making.listing !== listing)) await this.#making.done;
    this.#making ??= {
      listing,
      done: this.#makeOnce(listing, key).finally(() => {
        this.#making = undefined;
      }),
    };
    await this.#making.done;
  }

  async #makeOnce(listing: Listing, key: string): Promise<void> {
    // After the answers that are on their way, which do not wait for it.
    const isWaitedFor = this.#mustMake || this.#made?.listing !== listing;
    if (!isWaitedFor) await delay(remakeAfterMs);
    this.#mustMake = false;
    this.#made = { listing, key, snapshot: await this.#make(listing) };
  }

  async #readAll(): Promise<Listing> {
    this.#isStale = false;
    const { storages, clock } = this.#context;
    const failed: { storage: string; error: ShownError }[] = [];
    const lists = await Promise.all(
      storages
        .filter(({ configured }) => configured.enabled)
        .map(async (storage) => {
          try {
            return await this.#readOne(storage);
          } catch (error) {
            failed.push({ storage: storage.configured.name, error: shownErrorOf(error) });
            return [];
          }
        }),
    );
    const listing = { listedMs: clock.nowMs(), objects: lists.flat(), failed };
    this.#listing = listing;
    return listing;
  }

  async #readOne({ configured, open }: WebStorage): Promise<ListedObject[]> {
    const storage = await open();
    const found: ListedObject[] = [];
    const pins = new Set<string>();
    for await (const { name, sizeBytes, modifiedMs, lockedUntilMs } of storage.list()) {
      if (found.length >= maximumObjects) break;
      if (name.endsWith(pinSuffix)) {
        pins.add(name.slice(0, -pinSuffix.length));
        continue;
      }
      const format = name.endsWith('.holdfast') ? 'holdfast' : isPlainName(name) ? 'plain' : undefined;
      if (format === undefined) continue;
      const series = this.#context.readName(name);
      found.push({
        storage: configured.name,
        name,
        database: series?.database ?? '',
        createdMs: series?.createdMs ?? modifiedMs,
        isNamed: series !== undefined,
        sizeBytes,
        modifiedMs,
        format,
        url: storage.url(name),
        ...(lockedUntilMs === undefined ? {} : { lockedUntilMs }),
      });
    }
    return found.map((object) => ({ ...object, isPinned: pins.has(object.name) }));
  }

  async #make(listing: Listing): Promise<ArchiveSnapshot> {
    const reasons = await this.#judge(listing.objects);
    if (this.#named?.listing !== listing) this.#named = { listing, archives: inOrder(listing.objects) };
    const { digest } = this.#context;
    const archives = this.#named.archives.map((named) => {
      const places = named.objects.map(({ url }) => digest.place(url));
      const why = named.objects.map((object) => reasons.get(object) ?? noReasons);
      // Of most archives nothing has changed: what was made of them is good still.
      if (named.facts === undefined || !areSame(named.places, places) || !areAlike(named.why, why)) {
        named.facts = factsOf(named.objects, places, why);
        named.places = places;
        named.why = why;
      }
      return named.facts;
    });
    const byName = new Map(archives.map((archive) => [archive.name, archive]));
    return { listedMs: listing.listedMs, failed: listing.failed, archives, byName };
  }

  /** Why each is kept, as the next prune would say. */
  async #judge(objects: readonly ListedObject[]): Promise<ReadonlyMap<ListedObject, readonly string[]>> {
    const { loaded, history, digest, clock, timezone } = this.#context;
    const policy = retentionPolicy(loaded.config);
    const known = objects.filter(({ isNamed }) => isNamed);
    const others = objects.filter(({ isNamed }) => !isNamed).map((object) => [object, ['not named by us']] as const);
    if (policy === undefined) return new Map(objects.map((object) => [object, ['retention is off']]));
    const facts = retentionFacts(await this.#backups.read(history), { nowMs: clock.nowMs() });
    const judged = known.map((object) => {
      const { isProven, isSuspect, isDamaged } = digest.place(object.url);
      return { ...object, isProven, isDoubtful: object.sizeBytes === 0 || isSuspect || isDamaged };
    });
    const { verdicts } = judgeRetention(judged, policy, {
      nowMs: clock.nowMs(),
      timezone,
      hold: (database, storage) => facts.hold(database, storage),
    });
    const kept = verdicts.map(({ keep, reasons }, index) => [known[index], keep ? reasons : []] as const);
    return new Map([...kept, ...others].flatMap(([object, why]) => (object === undefined ? [] : [[object, why]])));
  }
}

/** The newest backups, read anew only as far as something has changed. */
class NewestBackups {
  #known: readonly RunRecord[] = [];

  async read(history: Pick<History, 'runs'>): Promise<readonly RunRecord[]> {
    const newest = await history.runs({ kind: 'backup', limit: lookedRuns });
    const ids = new Set(newest.map(({ id }) => id));
    const at = this.#known.findIndex(({ id }) => id === newest.at(-1)?.id);
    const older = this.#known.slice(at + 1);
    // Where they do not meet what was known, or an older one had not ended, all are read.
    const isAll =
      at < 0 || newest.length < lookedRuns || older.some(({ state, id }) => state === 'running' || ids.has(id));
    this.#known = isAll
      ? await history.runs({ kind: 'backup', limit: heldRuns })
      : [...newest, ...older].slice(0, heldRuns);
    return this.#known;
  }
}

/** An archive of a list, with what was made of it last. */
interface NamedArchive {
  readonly objects: readonly ListedObject[];
  places: readonly KnownPlace[];
  why: readonly (readonly string[])[];
  facts: ArchiveFacts | undefined;
}

const noReasons: readonly string[] = [];

/** The archives of a list, the newest first. */
function inOrder(objects: readonly ListedObject[]): NamedArchive[] {
  const byName = [...Map.groupBy(objects, ({ name }) => name)];
  const createdMs = (list: readonly ListedObject[]) => list[0]?.createdMs ?? 0;
  byName.sort(([name, list], [other, others]) => createdMs(others) - createdMs(list) || (name < other ? -1 : 1));
  return byName.map(([, list]) => ({ objects: list, places: [], why: [], facts: undefined }));
}

function areSame(left: readonly unknown[], right: readonly unknown[]): boolean {
  return left.length === right.length && left.every((value, index) => value === right[index]);
}

function areAlike(left: readonly (readonly string[])[], right: readonly (readonly string[])[]): boolean {
  return left.length === right.length && left.every((reasons, index) => areSame(reasons, right[index] ?? []));
}

function healthOf({ isDamaged, isSuspect, provenMs, wholeMs }: KnownPlace): ReplicaFacts['health'] {
  if (isDamaged) return 'damaged';
  if (isSuspect) return 'suspect';
  if (provenMs !== undefined) return 'proven';
  return wholeMs === undefined ? 'unproven' : 'whole';
}

const worstFirst = ['damaged', 'suspect', 'proven', 'whole', 'unproven'] as const;

function factsOf(
  objects: readonly ListedObject[],
  places: readonly KnownPlace[],
  why: readonly (readonly string[])[],
): ArchiveFacts {
  const replicas = objects.map((object, index): ReplicaFacts => {
    const { storage, url, sizeBytes, modifiedMs, lockedUntilMs, isPinned = false } = object;
    const place = places[index];
    const health = place === undefined ? 'unproven' : healthOf(place);
    const locked = lockedUntilMs === undefined ? {} : { lockedUntilMs };
    return { storage, url, sizeBytes, modifiedMs, ...locked, isPinned, keptBy: why[index] ?? noReasons, health };
  });
  const [first] = objects;
  const latest = (moments: readonly (number | undefined)[]) => Math.max(0, ...moments.map((moment) => moment ?? 0));
  const provenMs = latest(places.map((place) => place.provenMs));
  const checkMs = latest(places.map((place) => place.wholeMs));
  const drilledMs = latest(places.map((place) => place.drilledMs));
  const archiveId = places.find((place) => place.archiveId !== undefined)?.archiveId;
  return {
    name: first?.name ?? '',
    format: first?.format ?? 'holdfast',
    ...(first?.isNamed ? { series: first.database } : {}),
    createdMs: first?.createdMs ?? 0,
    sizeBytes: Math.max(...objects.map(({ sizeBytes }) => sizeBytes)),
    ...(archiveId === undefined ? {} : { archiveId }),
    replicas,
    isPinned: replicas.some(({ isPinned }) => isPinned),
    keptBy: [...new Set(replicas.flatMap(({ keptBy }) => keptBy))],
    health: worstFirst.find((one) => replicas.some(({ health }) => health === one)) ?? 'unproven',
    ...(provenMs > 0 ? { lastProofMs: provenMs } : {}),
    ...(checkMs > 0 ? { lastCheckMs: checkMs } : {}),
    ...(drilledMs > 0 ? { lastDrillMs: drilledMs } : {}),
  };
}
