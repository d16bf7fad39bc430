/** Plain dumps in a scrub: they have no parity, so what was written tells whether they are whole, and another storage has what one lost. */
import { HoldfastError, throwIfAborted } from '../errors.ts';
import { errorReport } from './error-report.ts';
import { type WritableLocation, withSources } from './location.ts';
import { checkWithoutKey, copyPlainDump, digestOf, listPlainDumps, notMendable } from './plain-copies.ts';
import type { NamedStorage, ScrubbedArchive, ScrubOptions } from './scrub.ts';

/** A plain dump as it was found. */
interface FoundDump extends WritableLocation {
  readonly label: string;
  /** What it was; undefined where nothing tells. */
  readonly recorded: string | undefined;
  readonly isFromRebuild: boolean;
  readonly state: 'intact' | 'damaged' | 'unreadable';
  readonly error?: unknown;
}

/** What a run of a scrub tells of a plain dump. */
type ScrubbedDump = ScrubbedArchive & { readonly format: 'plain' };

/**
 * Compares plain dumps byte for byte with what was recorded of them, when they were written or when the history was rebuilt; those without a record are read as far as that goes without a key. A damaged or
 * missing one is brought back from a storage whose copy is what was recorded.
 */
export class PlainScrub {
  readonly #options: ScrubOptions;
  readonly #found: FoundDump[] = [];

  constructor(options: ScrubOptions) {
    this.#options = options;
  }

  /** @param listed The storages that could be listed. */
  async run(listed: readonly NamedStorage[]): Promise<ScrubbedDump[]> {
    for (const named of listed) await this.#lookAtAll(named);
    const dumps: ScrubbedDump[] = [];
    for (const [index, found] of this.#found.entries()) dumps.push(await this.#mend(found, index));
    if (this.#options.restoreMissing === false) return dumps;
    for (const named of listed) dumps.push(...(await this.#restoreMissing(named)));
    return dumps;
  }

  async #lookAtAll({ name: label, storage }: NamedStorage): Promise<void> {
    const { signal, onArchive, plainDigestOf } = this.#options;
    for (const { name } of await listPlainDumps(storage)) {
      throwIfAborted(signal);
      onArchive?.(label, name);
      const digest = plainDigestOf?.({ url: storage.url(name), name });
      const known = { recorded: digest?.sha256, isFromRebuild: digest?.isFromRebuild === true };
      this.#found.push(await this.#look({ storage, name, label, ...known }));
    }
  }

  async #look(place: Omit<FoundDump, 'state' | 'error'>): Promise<FoundDump> {
    try {
      if (place.recorded === undefined) await checkWithoutKey(place, this.#options);
      else await this.#compare(place, place.recorded);
      return { ...place, state: 'intact' };
    } catch (error) {
      throwIfAborted(this.#options.signal);
      const isDamaged = error instanceof HoldfastError && error.code === 'archive.damaged';
      return { ...place, state: isDamaged ? 'damaged' : 'unreadable', error };
    }
  }

  async #compare({ storage, name, isFromRebuild }: Omit<FoundDump, 'state'>, recorded: string): Promise<void> {
    const digest = await withSources([{ storage, name }], async ([source]) =>
      source === undefined ? undefined : await digestOf(source, this.#options.signal),
    );
    if (digest === recorded) return;
    throw new HoldfastError('archive.damaged', {
      message: `${storage.url(name)}, a plain dump, has other bytes than ${isFromRebuild ? 'when the history was rebuilt' : 'the backup wrote'}`,
      hint: notMendable,
      context: { recorded, found: digest },
    });
  }

  /** Copies of a dump that are what was recorded, on other storages. */
  #replicasOf({ storage, name, recorded }: Pick<FoundDump, 'storage' | 'name' | 'recorded'>): FoundDump[] {
    return this.#found.filter(
      (other) =>
        other.storage !== storage &&
        other.name === name &&
        other.state === 'intact' &&
        recorded !== undefined &&
        other.recorded === recorded,
    );
  }

  async #mend(found: FoundDump, index: number): Promise<ScrubbedDump> {
    const { label, name, recorded, state, error } = found;
    const place = {
      storage: label,
      name,
      format: 'plain',
      isCompared: recorded !== undefined,
      ...fromRebuild(found),
    } as const;
    if (state === 'intact') return { ...place, state };
    const replicas = this.#replicasOf(found);
    const [first] = replicas;
    // One that cannot be read may be there all the same: it is left alone.
    if (state === 'unreadable' || first === undefined) {
      return { ...place, state: state === 'unreadable' ? state : 'lost', error: errorReport(error) };
    }
    const from = replicas.map((replica) => replica.label);
    if (this.#options.dryRun === true) return { ...place, from, state: 'repairable' };
    try {
      this.#found[index] = await this.#bring(first, found);
      return { ...place, from, state: 'repaired' };
    } catch (failure) {
      throwIfAborted(this.#options.signal);
      return { ...place, from, state: 'repairable', error: errorReport(failure) };
    }
  }

  /** Copies, and reads again: what is there now is what was recorded. */
  async #bring(from: FoundDump, to: Omit<FoundDump, 'state' | 'error'>): Promise<FoundDump> {
    await copyPlainDump({ storage: from.storage, name: from.name }, to, this.#options);
    const again = await this.#look(to);
    if (again.state === 'intact') return again;
    throw new HoldfastError('archive.verify_failed', {
      message: `${to.storage.url(to.name)}: what was copied does not read back as it was`,
      cause: again.error,
    });
  }

  async #restoreMissing({ name: label, storage }: NamedStorage): Promise<ScrubbedDump[]> {
    const taken = new Set(this.#found.filter((found) => found.storage === storage).map(({ name }) => name));
    const dumps: ScrubbedDump[] = [];
    for (const found of [...this.#found]) {
      const { name, recorded, state, isFromRebuild } = found;
      if (taken.has(name) || state !== 'intact' || recorded === undefined) continue;
      taken.add(name);
      dumps.push(await this.#restore({ storage, name, label, recorded, isFromRebuild }));
    }
    return dumps;
  }

  async #restore(to: Omit<FoundDump, 'state' | 'error'>): Promise<ScrubbedDump> {
    const replicas = this.#replicasOf(to);
    const [first] = replicas;
    const from = replicas.map((replica) => replica.label);
    const place = {
      storage: to.label,
      name: to.name,
      format: 'plain',
      isCompared: true,
      from,
      ...fromRebuild(to),
    } as const;
    if (this.#options.dryRun === true || first === undefined) return { ...place, state: 'missing' };
    try {
      this.#options.onArchive?.(to.label, to.name);
      this.#found.push(await this.#bring(first, to));
      return { ...place, state: 'restored' };
    } catch (error) {
      throwIfAborted(this.#options.signal);
      return { ...place, state: 'missing', error: errorReport(error) };
    }
  }
}

function fromRebuild({
  isFromRebuild,
}: Pick<FoundDump, 'isFromRebuild'>): Pick<ScrubbedArchive, 'isComparedFromRebuild'> {
  return isFromRebuild ? { isComparedFromRebuild: true } : {};
}
