import { type Clock, delay } from '../../clock.ts';
import { BlockReading } from '../../operation/block-reading.ts';
import type { BlockStep } from '../../operation/options.ts';
import type { ArchivePlace, BlockMapEvent, BlockMapFacts } from './archive-facts.ts';

const rememberedMaps = 500;
/** Who looks on is told at most this often. */
const tellEveryMs = 200;

interface KnownMap {
  readonly place: ArchivePlace;
  facts: BlockMapFacts;
  /** Who reads the blocks, or read them last. */
  jobId: string;
  /** What was known before this reading, and by whom: shown again where this one does not come to its end. */
  before: { readonly facts: BlockMapFacts; readonly jobId: string } | undefined;
  /** The reading as it is told. */
  readonly reading: BlockReading;
}

/** What is known of the blocks of archives: it grows while commands read them, and is kept as the last look found it. */
export class BlockMaps {
  readonly #clock: Clock;
  readonly #maps = new Map<string, KnownMap>();
  readonly #listeners = new Set<() => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get({ storage, name }: ArchivePlace): BlockMapFacts | undefined {
    return this.#maps.get(`${storage}\0${name}`)?.facts;
  }

  /** Takes in what a job tells. */
  see(jobId: string, place: ArchivePlace, step: BlockStep): void {
    const key = `${place.storage}\0${place.name}`;
    const known = this.#maps.get(key);
    const goesOn = known?.jobId === jobId && known.facts.isBeingRead;
    const before = goesOn ? known.before : known;
    // A second reading by one job is that of what it has mended.
    const earlier = before?.jobId === jobId ? before.facts.copies : undefined;
    const reading = goesOn ? known.reading : new BlockReading(earlier);
    const facts = { ...reading.see(step, this.#clock.nowMs()), isBeingRead: !step.isDone };
    this.#maps.delete(key);
    const kept = before && { facts: before.facts, jobId: before.jobId };
    this.#maps.set(key, { place, facts, jobId, reading, before: kept });
    for (const old of this.#maps.keys()) {
      if (this.#maps.size <= rememberedMaps) break;
      this.#maps.delete(old);
    }
    this.#tell();
  }

  /** A job has ended: what it did not read to the end is as it was before. */
  end(jobId: string): void {
    for (const known of this.#maps.values()) {
      if (known.jobId !== jobId || !known.facts.isBeingRead) continue;
      known.facts = known.before?.facts ?? { ...known.facts, isBeingRead: false };
    }
    this.#tell();
  }

  /** What changes of the maps of an archive: first each that is being read as it is, then what is new of any. */
  async *follow(name: string, signal: AbortSignal): AsyncGenerator<BlockMapEvent> {
    const told = new Map<string, BlockMapFacts | undefined>();
    for (const { place, facts } of this.#maps.values()) {
      if (place.name === name && !facts.isBeingRead) told.set(place.storage, facts);
    }
    let wake = Promise.withResolvers<void>();
    const listener = () => wake.resolve();
    this.#listeners.add(listener);
    signal.addEventListener('abort', listener, { once: true });
    try {
      while (!signal.aborted) {
        wake = Promise.withResolvers<void>();
        for (const { place, facts } of [...this.#maps.values()]) {
          const last = told.get(place.storage);
          if (place.name !== name || last === facts) continue;
          told.set(place.storage, facts);
          yield { type: 'blocks', storage: place.storage, map: facts, changes: differences(last, facts) };
        }
        await wake.promise;
        if (!signal.aborted) await delay(tellEveryMs);
      }
    } finally {
      this.#listeners.delete(listener);
      signal.removeEventListener('abort', listener);
    }
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

/** The span of each copy that is not as it was; all of it where that was not told. */
function differences(last: BlockMapFacts | undefined, { copies }: BlockMapFacts): BlockMapEvent['changes'] {
  return copies.flatMap((cells, copy) => {
    const before = last?.copies[copy];
    if (before?.length !== cells.length) return [{ copy, from: 0, cells }];
    let from = 0;
    while (from < cells.length && cells[from] === before[from]) from++;
    if (from === cells.length) return [];
    let end = cells.length;
    while (cells[end - 1] === before[end - 1]) end--;
    return [{ copy, from, cells: cells.slice(from, end) }];
  });
}
