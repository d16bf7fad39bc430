import { delay } from '../../clock.ts';
import { retentionPolicy } from '../../config/retention-settings.ts';
import { pinSuffix } from '../../operation/pin.ts';
import { retentionFacts } from '../../operation/retention-facts.ts';
import { isPlainName } from '../../plain/plain-name.ts';
import { systemTimezone } from '../../policy/local-time.ts';
import { judgeRetention, type RetentionArchive } from '../../policy/retention.ts';
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
  #isStale = false;
  #mustMake = false;
  #making: Promise<void> | undefined;
  #made: { readonly key: string; readonly snapshot: ArchiveSnapshot } | undefined;

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
    if (this.#listing === undefined || this.#isStale) await this.refresh();
    else if (clock.nowMs() - this.#listing.listedMs > listingLastsMs) {
      this.refresh().catch((error: unknown) => log(`the storages cannot be listed: ${String(error)}`));
    }
    const listing = this.#listing ?? { listedMs: clock.nowMs(), objects: [], failed: [] };
    const key = `${listing.listedMs}/${digest.version}/${Math.floor(clock.nowMs() / verdictLastsMs)}`;
    if (this.#made?.key !== key) {
      const making = this.#remake(listing, key);
      // What changes by and by is made behind what is shown; a new list, or what was just found out, is waited for.
      if (this.#made === undefined || this.#mustMake || this.#made.snapshot.listedMs !== listing.listedMs) await making;
      else making.catch((error: unknown) => log(`the archives cannot be judged: ${String(error)}`));
    }
    return this.#made?.snapshot ?? (await this.#make(listing));
  }

  async #remake(listing: Listing, key: string): Promise<void> {
    if (this.#mustMake) await this.#making;
    this.#making ??= this.#makeOnce(listing, key).finally(() => {
      this.#making = undefined;
    });
    await this.#making;
  }

  async #makeOnce(listing: Listing, key: string): Promise<void> {
    // After the answers that are on their way, which do not wait for it.
    if (!this.#mustMake && this.#made !== undefined) await delay(remakeAfterMs);
    this.#mustMake = false;
    this.#made = { key, snapshot: await this.#make(listing) };
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
    const names = Map.groupBy(listing.objects, ({ name }) => name);
    const archives = [...names.values()].map((objects) => this.#factsOf(objects, reasons));
    archives.sort((left, right) => right.createdMs - left.createdMs || (left.name < right.name ? -1 : 1));
    const byName = new Map(archives.map((archive) => [archive.name, archive]));
    return { listedMs: listing.listedMs, failed: listing.failed, archives, byName };
  }

  /** Why each is kept, as the next prune would say. */
  async #judge(objects: readonly ListedObject[]): Promise<ReadonlyMap<ListedObject, readonly string[]>> {
    const { loaded, history, digest, clock } = this.#context;
    const policy = retentionPolicy(loaded.config);
    const known = objects.filter(({ isNamed }) => isNamed);
    const others = objects.filter(({ isNamed }) => !isNamed).map((object) => [object, ['not named by us']] as const);
    if (policy === undefined) return new Map(objects.map((object) => [object, ['retention is off']]));
    const runs = await history.runs({ kind: 'backup', limit: heldRuns });
    const facts = retentionFacts(runs, { nowMs: clock.nowMs() });
    const judged = known.map((object) => {
      const { isProven, isSuspect, isDamaged } = digest.place(object.url);
      return { ...object, isProven, isDoubtful: object.sizeBytes === 0 || isSuspect || isDamaged };
    });
    const { verdicts } = judgeRetention(judged, policy, {
      nowMs: clock.nowMs(),
      timezone: loaded.config.schedule?.timezone ?? systemTimezone(),
      hold: (database, storage) => facts.hold(database, storage),
    });
    const kept = verdicts.map(({ keep, reasons }, index) => [known[index], keep ? reasons : []] as const);
    return new Map([...kept, ...others].flatMap(([object, why]) => (object === undefined ? [] : [[object, why]])));
  }

  #factsOf(objects: readonly ListedObject[], reasons: ReadonlyMap<ListedObject, readonly string[]>): ArchiveFacts {
    const { digest } = this.#context;
    const places = objects.map(({ url }) => digest.place(url));
    const replicas = objects.map((object, index): ReplicaFacts => {
      const { storage, url, sizeBytes, modifiedMs, lockedUntilMs, isPinned = false } = object;
      const place = places[index];
      const health =
        place === undefined
          ? 'unproven'
          : place.isDamaged
            ? 'damaged'
            : place.isSuspect
              ? 'suspect'
              : place.provenMs !== undefined
                ? 'proven'
                : place.wholeMs !== undefined
                  ? 'whole'
                  : 'unproven';
      const locked = lockedUntilMs === undefined ? {} : { lockedUntilMs };
      return { storage, url, sizeBytes, modifiedMs, ...locked, isPinned, keptBy: reasons.get(object) ?? [], health };
    });
    const [first] = objects;
    const latest = (moments: readonly (number | undefined)[]) => Math.max(0, ...moments.map((moment) => moment ?? 0));
    const provenMs = latest(places.map((place) => place.provenMs));
    const checkMs = latest(places.map((place) => place.wholeMs));
    const archiveId = places.find((place) => place.archiveId !== undefined)?.archiveId;
    const health = (['damaged', 'suspect', 'proven', 'whole', 'unproven'] as const).find((one) =>
      replicas.some((replica) => replica.health === one),
    );
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
      health: health ?? 'unproven',
      ...(provenMs > 0 ? { lastProofMs: provenMs } : {}),
      ...(checkMs > 0 ? { lastCheckMs: checkMs } : {}),
    };
  }
}
