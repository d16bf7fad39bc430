import type { Clock } from '../clock.ts';
import { HoldfastError } from '../errors.ts';
import type { Random } from '../random.ts';
import type { Secret } from '../secret.ts';
import type { DatabaseSourceOptions, DatabaseTargetOptions } from './database-options.ts';
import type { Scratch, ScratchOptions } from './scratch.ts';
import type { Source } from './source.ts';
import type { RestoreTarget } from './target.ts';

/** How what the last restore replaced is brought back. */
export interface UndoOptions {
  /** The target of that restore. */
  readonly url: Secret;
  /** Says what would be done, and changes nothing. */
  readonly dryRun?: boolean;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
  readonly random?: Random;
}

/** What an undo did, or would do. */
export interface UndoChange {
  /** The URL without secrets, or the path. */
  readonly target: string;
  /** What was brought back: where the restore had kept it. */
  readonly restored: string;
  /** Where what stood there before the undo is kept now: the next undo brings that back. */
  readonly undo?: string;
}

/** A kind of database: which URLs name it, and what reads, restores and brings back its databases. */
export interface Engine {
  readonly name: string;
  /** What `engine` in the metadata of its entries may be. */
  readonly names: readonly string[];
  /** Of its URLs, without the colon. */
  readonly schemes: readonly string[];
  /** For messages: `sqlite:relative.db`. */
  readonly urlForm: string;
  /** Throws `usage.invalid` for a URL or a setting that it does not take. */
  makeSource(options: DatabaseSourceOptions): Promise<Source>;
  /**
   * A source with one entry: what the engine's own tool writes and reads, statements or a database file. Throws `usage.invalid` for a
   * setting that such a dump does not take.
   */
  makePlainSource(options: DatabaseSourceOptions): Promise<Source>;
  /** What a plain dump is: it ends its name. */
  readonly plainContent: 'sql' | 'db';
  /** Throws `usage.invalid` as well. `source` is where the entries came from, as their metadata tells. */
  makeTarget(options: EngineTargetOptions): Promise<RestoreTarget>;
  /**
   * Brings back what the newest restore (or undo) of the target replaced, at once, and keeps what stands there now. After a crash the
   * target is one of the two, whole. Throws `target.no_undo`.
   */
  undo(options: UndoOptions): Promise<UndoChange>;
  /**
   * A name for a database that a drill may make, and everything that it needs to be removed again. The URL of the options is used for its
   * server alone. Throws `usage.invalid` where it is missing, `storage.unauthorized`, and errors of targets.
   */
  openScratch(options: ScratchOptions): Promise<Scratch>;
  /** A text that two URLs of the same database share; without secrets. */
  placeOf(url: string): string;
}

/** What a target is made of. */
export interface EngineTargetOptions extends DatabaseTargetOptions {
  /** Where an archived database is one entry that holds all tables: those to restore. All unless set. */
  readonly tables?: readonly string[];
}

/** The settings of a plain dump, without those that it does not take. Throws `usage.invalid`. */
export function plainDumpSettings(options: DatabaseSourceOptions): DatabaseSourceOptions {
  const refused =
    options.models !== undefined
      ? 'models'
      : options.roles === true
        ? 'roles'
        : options.method === 'copy'
          ? 'method'
          : undefined;
  if (refused === undefined) return { ...options, method: 'dump' };
  throw new HoldfastError('usage.invalid', {
    message: `a plain dump is what the engine's own tool writes of one database: ${refused} is not for it`,
    hint: 'leave the setting out, or use the format holdfast',
  });
}

/** The options with their URL. Throws `usage.invalid` where there is none. */
export function onServer(options: ScratchOptions, urlForm: string): ScratchOptions & { readonly url: Secret } {
  const { url } = options;
  if (url !== undefined) return { ...options, url };
  throw new HoldfastError('usage.invalid', {
    message: 'it is not said on which server the drill may make a database',
    hint: `name one with drill.url or --to ${urlForm.replace(/\/[^/]*$/, '/')}`,
  });
}
