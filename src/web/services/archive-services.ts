import { timeoutSignal } from '../../clock.ts';
import { HoldfastError } from '../../errors.ts';
import type { BlockMap } from '../../history/block-maps.ts';
import { summarizeArchive } from '../../operation/inspect.ts';
import { openArchive } from '../../operation/open.ts';
import type { ArchiveLocation, ArchiveSummary, BlockStep } from '../../operation/options.ts';
import { pinArchive, unpinArchive } from '../../operation/pin.ts';
import { Secret } from '../../secret.ts';
import { checkObjectName } from '../../storage/object-name.ts';
import { requireRole } from '../access/roles.ts';
import type { WebUser } from '../web-environment.ts';
import { openKeysOf } from './archive-facts.ts';
import { ArchiveList, type ArchiveSnapshot } from './archive-list.ts';
import { BlockMaps } from './block-maps.ts';
import { HeldContents } from './held-contents.ts';
import { pageBounds } from './page-bounds.ts';
import { type ServiceContext, shownErrorOf } from './service-context.ts';
import type { Uploads } from './uploads.ts';
import type {
  ArchiveContents,
  ArchiveFacts,
  ArchivePlace,
  ArchiveQuery,
  ArchiveServices,
  BlockMapEvent,
  BlockMapFacts,
  GivenKeys,
  JobFacts,
  Page,
  RestoreSource,
} from './web-services.ts';

/** An archive whose list of entries takes longer is looked at by a job, or on the command line. */
const openTimeoutMs = 120_000;
/** Archives that are opened at once: each takes worker threads. */
const openedAtOnce = 2;

/** Archives: lists of them, and what is in one. */
export class Archives implements ArchiveServices {
  readonly #context: ServiceContext;
  readonly #uploads: Uploads;
  readonly #held: HeldContents;
  readonly #maps: BlockMaps;
  #opening = 0;
  readonly #list: ArchiveList;

  constructor(context: ServiceContext, uploads: Uploads) {
    this.#context = context;
    this.#uploads = uploads;
    this.#list = new ArchiveList(context);
    this.#maps = new BlockMaps(context.clock);
    this.#held = new HeldContents(context.clock, () => context.access.newId());
  }

  /** All of them, with what the history knows now. */
  async snapshot(): Promise<ArchiveSnapshot> {
    await this.#context.digest.refresh();
    return await this.#list.snapshot();
  }

  /** Something was written, removed or found out. */
  invalidate(isOfLists: boolean): void {
    this.#list.forgetFacts();
    if (isOfLists) this.#list.invalidate();
  }

  async list(query: ArchiveQuery = {}): Promise<Page<ArchiveFacts>> {
    const { archives } = await this.snapshot();
    const found = archives.filter(matcherOf(query));
    const sorted = sortedBy(found, query);
    const { page, pageSize, offset } = pageBounds(query);
    return { items: sorted.slice(offset, offset + pageSize), page, pageSize, totalCount: found.length };
  }

  async series(): Promise<readonly string[]> {
    const { archives } = await this.snapshot();
    return [...new Set(archives.flatMap(({ series }) => (series === undefined ? [] : [series])))].sort();
  }

  async get(name: string): Promise<ArchiveFacts> {
    const found = (await this.snapshot()).byName.get(name);
    if (found !== undefined) return found;
    throw new HoldfastError('storage.not_found', {
      message: 'no storage has an archive of this name',
      hint: 'see the list',
    });
  }

  async header(place: ArchivePlace): Promise<ArchiveSummary & { readonly sizeBytes: number }> {
    return await summarizeArchive(await this.#location(place));
  }

  async open(
    user: WebUser,
    source: RestoreSource,
    keys: GivenKeys,
    options: { readonly pageSize?: number } = {},
  ): Promise<ArchiveContents> {
    requireRole(user, 'operator');
    const subject = 'upload' in source ? this.#uploads.complete(user, source.upload).name : source.name;
    if (this.#opening >= openedAtOnce) {
      throw new HoldfastError('job.running', { message: 'other archives are being opened: try it again in a moment' });
    }
    this.#opening++;
    try {
      const location =
        'upload' in source ? this.#uploads.complete(user, source.upload).path : await this.#location(source);
      const signal = timeoutSignal(openTimeoutMs);
      await using archive = await openArchive({ archive: location, keys: this.#keysFor(keys), threads: 1, signal });
      const contentsId = await this.#held.take(user.name, archive.entries());
      await this.#context.record(user, 'open an archive', subject);
      return this.#held.page(user.name, contentsId, options) ?? missing();
    } catch (thrown) {
      await this.#context.record(user, 'open an archive', subject, shownErrorOf(thrown).code);
      throw thrown;
    } finally {
      this.#opening--;
    }
  }

  contents(
    user: WebUser,
    contentsId: string,
    query: { readonly text?: string; readonly page?: number; readonly pageSize?: number } = {},
  ): ArchiveContents | undefined {
    return this.#held.page(user.name, contentsId, query);
  }

  async blockMaps(name: string): Promise<ReadonlyMap<string, BlockMapFacts>> {
    const { replicas } = await this.get(name);
    const kept = await this.#context.history.blockMaps(replicas.map(({ url }) => url));
    return new Map(
      replicas.flatMap(({ storage, url }) => {
        const found = newest(this.#maps.get({ storage, name }), kept.get(url));
        return found === undefined ? [] : [[storage, found] as const];
      }),
    );
  }

  blockEvents(name: string, signal: AbortSignal): AsyncIterable<BlockMapEvent> {
    return this.#maps.follow(name, signal);
  }

  /** Takes in what a job tells of blocks: of its own archive, or of the one that the step names. */
  seeBlocks({ id, place }: Pick<JobFacts, 'id' | 'place'>, step: BlockStep): void {
    const { archive: name, storage } = step;
    const told = name === undefined || storage === undefined ? place : { storage, name };
    if (told !== undefined) this.#maps.see(id, told, step);
  }

  /** A job reads no more. */
  endBlocks({ id }: Pick<JobFacts, 'id'>): void {
    this.#maps.end(id);
  }

  async setPinned(user: WebUser, name: string, pinned: boolean, storages?: readonly string[]): Promise<void> {
    requireRole(user, 'operator');
    const { replicas } = await this.get(name);
    const held = replicas.map(({ storage }) => storage);
    const chosen = storages ?? held;
    const absent = chosen.find((label) => !held.includes(label));
    if (absent !== undefined) throw new HoldfastError('storage.not_found', { message: `${name} is not on ${absent}` });
    for (const label of chosen) {
      const storage = await this.#context.storage(label);
      await (pinned ? pinArchive : unpinArchive)({ storage, name });
    }
    this.#list.invalidate();
    await this.#context.record(user, pinned ? 'pin' : 'unpin', `${name} (${chosen.join(', ')})`);
  }

  async refresh(): Promise<void> {
    await this.#list.refresh();
  }

  async listing() {
    const { listedMs, failed } = await this.snapshot();
    return { listedMs, failed };
  }

  async #location({ storage, name }: ArchivePlace): Promise<Exclude<ArchiveLocation, string>> {
    checkObjectName(name);
    return { storage: await this.#context.storage(storage), name };
  }

  /** What was given, else what this machine has: the passphrase that its own backups are made with. */
  #keysFor(given: GivenKeys) {
    const keys = openKeysOf(given);
    if (keys !== undefined) return keys;
    const configured = this.#context.environment['HOLDFAST_PASSPHRASE'] || this.#context.loaded.config.encryptionKey;
    return configured ? { passphrases: [new Secret(configured)] } : {};
  }
}

/** What a job here reads now, else what was looked at last, by whomever. */
function newest(followed: BlockMapFacts | undefined, kept: BlockMap | undefined): BlockMapFacts | undefined {
  if (kept === undefined || followed?.isBeingRead === true) return followed;
  if (followed !== undefined && followed.lookedMs > kept.lookedMs) return followed;
  return { ...kept, isBeingRead: false };
}

function missing(): never {
  throw new HoldfastError('operation.failed', { message: 'what was just read is no longer held' });
}

function matcherOf(query: ArchiveQuery): (archive: ArchiveFacts) => boolean {
  const { text, series, storage, health, pinned, leaving, fromMs, untilMs } = query;
  const part = text?.toLowerCase();
  return (archive) =>
    (part === undefined || archive.name.toLowerCase().includes(part)) &&
    (series === undefined || archive.series === series) &&
    (storage === undefined || archive.replicas.some((replica) => replica.storage === storage)) &&
    (health === undefined || archive.health === health) &&
    (pinned === undefined || archive.isPinned === pinned) &&
    (leaving === undefined || (archive.keptBy.length === 0) === leaving) &&
    (fromMs === undefined || archive.createdMs >= fromMs) &&
    (untilMs === undefined || archive.createdMs < untilMs);
}

const compareText = (left: string, right: string) => (left < right ? -1 : left > right ? 1 : 0);
const orders: Readonly<Record<NonNullable<ArchiveQuery['sort']>, (left: ArchiveFacts, right: ArchiveFacts) => number>> =
  {
    created: (left, right) => left.createdMs - right.createdMs,
    name: (left, right) => compareText(left.name, right.name),
    size: (left, right) => left.sizeBytes - right.sizeBytes,
    series: (left, right) => compareText(left.series ?? '', right.series ?? '') || left.createdMs - right.createdMs,
  };

/** They come the newest first. */
function sortedBy(archives: readonly ArchiveFacts[], query: ArchiveQuery): readonly ArchiveFacts[] {
  const { sort = 'created', direction = 'down' } = query;
  if (sort === 'created') return direction === 'down' ? archives : archives.toReversed();
  const sign = direction === 'down' ? -1 : 1;
  return archives.toSorted((left, right) => sign * orders[sort](left, right));
}
