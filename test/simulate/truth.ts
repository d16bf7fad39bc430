/** What is true of a simulated world, and what its user could know; kept apart from the product's own records. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { archiveSeriesReader } from '../../src/policy/archive-series.ts';
import type { RetentionArchive } from '../../src/policy/retention.ts';
import type { Original } from './damage.ts';
import type { WorldSettings } from './plan.ts';
import type { Snapshot } from './simulated-source.ts';
import type { WorldStorage } from './world-storage.ts';

export const environment = 'test';
export const filenameTemplate = '{database}_{timestamp}_{env}';
export const readName = archiveSeriesReader({ template: filenameTemplate, environment });

/** An archive that was made, whole, at some time. */
export interface KnownArchive extends Original {
  readonly id: string;
  readonly snapshot: Snapshot;
  readonly isSuspect: boolean;
  readonly versions: Uint8Array[];
}

/** What runs told of an archive at a place. */
export interface Knowledge {
  readonly isProven: boolean;
  readonly isSuspect: boolean;
  readonly isDamaged: boolean;
}

/** Something that must never be. */
export class Violation extends Error {
  /** The promise that is broken: failures of one kind are shrunk together. */
  readonly promise: string;

  constructor(promise: string, message: string) {
    super(`${promise}: ${message}`);
    this.promise = promise;
  }
}

/** Throws where a promise is broken. */
export function hold(promise: string, isHeld: boolean, message: () => string): asserts isHeld {
  if (!isHeld) throw new Violation(promise, message());
}

function digestOf(bytes: Uint8Array): string {
  return createHash('sha1').update(bytes).digest('latin1');
}

/** Whether a name is that of an archive. */
export function isArchiveName(name: string): boolean {
  return name.endsWith('.holdfast');
}

/** The archives that there were, by what they are, and where each was put. */
export class Truth {
  readonly #settings: WorldSettings;
  readonly #archives = new Map<string, KnownArchive>();
  readonly #idByDigest = new Map<string, string>();
  /** Which archive was last made visible at a place, by its URL. */
  readonly #idByPlace = new Map<string, string>();
  readonly #knowledge = new Map<string, Knowledge>();
  /** Backups in the order in which they truly were, by storage and database. */
  readonly #runs = new Map<string, readonly { readonly startedMs: number; readonly hold: string | undefined }[]>();

  constructor(settings: WorldSettings) {
    this.#settings = settings;
  }

  /** The archive that these bytes are, whole; undefined where they are none. */
  archiveOf(bytes: Uint8Array): KnownArchive | undefined {
    return this.archive(this.#idByDigest.get(digestOf(bytes)));
  }

  archive(id: string | undefined): KnownArchive | undefined {
    return id === undefined ? undefined : this.#archives.get(id);
  }

  /** The archive that is, or was before it was damaged, at a place. */
  archiveAt(storage: WorldStorage, name: string): KnownArchive | undefined {
    return storage.objects.has(name) ? this.archive(this.#idByPlace.get(storage.url(name))) : undefined;
  }

  /** The id of the archive that was last made visible at a place. */
  idOf(url: string): string | undefined {
    return this.#idByPlace.get(url);
  }

  /** Whether what is at a place is whole. */
  isWhole(storage: WorldStorage, name: string): boolean {
    const object = storage.objects.get(name);
    return object !== undefined && this.archiveOf(object.bytes) !== undefined;
  }

  /** Takes note of an archive, or of another header of one that is known. */
  add(archive: Omit<KnownArchive, 'versions' | 'copies' | 'dataBlocks' | 'parityBlocks'>, bytes: Uint8Array): void {
    const { copies, dataBlocks, parityBlocks } = this.#settings;
    const known = this.#archives.get(archive.id) ?? { ...archive, copies, dataBlocks, parityBlocks, versions: [] };
    assert(known.versions.every(({ length }) => length === bytes.length));
    known.versions.push(bytes);
    this.#archives.set(archive.id, known);
    this.#idByDigest.set(digestOf(bytes), archive.id);
  }

  place(storage: WorldStorage, name: string, id: string): void {
    this.#idByPlace.set(storage.url(name), id);
  }

  knowledgeOf(url: string): Knowledge {
    return this.#knowledge.get(url) ?? { isProven: false, isSuspect: false, isDamaged: false };
  }

  learn(url: string, knowledge: Partial<Knowledge>): void {
    this.#knowledge.set(url, { ...this.knowledgeOf(url), ...knowledge });
  }

  forget(url: string): void {
    this.#knowledge.delete(url);
  }

  /** Takes note of a backup of a database to a storage: why nothing may be removed after it, or that nothing hinders that. */
  addRun(
    database: string,
    label: string,
    run: { readonly startedMs: number; readonly hold: string | undefined },
  ): void {
    const key = `${label} ${database}`;
    this.#runs.set(key, [...(this.#runs.get(key) ?? []), run]);
  }

  /** Why nothing may be removed, as things are now: because of the last backup, whatever the clock said when it began. */
  holds(nowMs: number): (database: string, label: string) => string | undefined {
    const now = new Map(this.#runs);
    // What is good at a time that is still to come does not count.
    const counts = (run: { readonly startedMs: number; readonly hold: string | undefined }) =>
      run.hold !== undefined || run.startedMs <= nowMs;
    return (database, label) => now.get(`${label} ${database}`)?.findLast(counts)?.hold;
  }

  /** What lies on a storage, as retention is to judge it. */
  retentionArchives(storage: WorldStorage): RetentionArchive[] {
    return [...storage.objects].flatMap(([name, { bytes, sizeBytes = bytes.length }]) => {
      const series = readName?.(name);
      if (series === undefined) return [];
      const { isProven, isSuspect, isDamaged } = this.knowledgeOf(storage.url(name));
      const isPinned = storage.objects.has(`${name}.pin`);
      const known = { isProven, isDoubtful: isSuspect || isDamaged || sizeBytes === 0, isPinned };
      return [{ storage: storage.label, name, ...series, sizeBytes, ...known }];
    });
  }
}
