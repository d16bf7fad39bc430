import type { z } from 'zod';
import type { Clock, Wait } from '../clock.ts';
import type { Random } from '../random.ts';
import type { Storage } from './storage.ts';

/** What an adapter is opened with besides its settings. */
export interface StorageContext {
  /** Relative paths in the settings start here: the folder of the configuration file. */
  readonly folder: string;
  /** Variables that a client library may look up, such as `AWS_PROFILE`; those of the process unless set. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly clock?: Clock;
  readonly random?: Random;
  /** How pauses are made; by the clock of this machine unless set. */
  readonly wait?: Wait;
  /** Ends pauses, and where the adapter can, what is under way. */
  readonly signal?: AbortSignal;
}

/** Where a storage keeps its objects. Only compared with others of the same kind, never shown: an account may be told by its key. */
export interface StoragePlace {
  /** The server, the account, the bucket. */
  readonly service: string;
  /** The folder in it that all names begin with: empty, or parts joined by `/`. */
  readonly folder: string;
}

/** A kind of storage: the settings that it takes, and what opens it. */
export interface StorageAdapter<Schema extends z.ZodObject = z.ZodObject> {
  /** What `backend` is in the settings: `s3`. */
  readonly backend: string;
  /** The settings, `backend` among them. Secrets are strings here; the adapter makes them a `Secret` at once. */
  readonly schema: Schema;
  /**
   * Loads the adapter's library and opens the storage; connects only where the first call would have to anyway. Throws `config.invalid`
   * for settings that contradict each other, and what `Storage` throws.
   */
  open(settings: z.output<Schema>, context: StorageContext): Promise<Storage>;
  /** Where it is, without a look at it. Throws `config.invalid` for settings that contradict each other. */
  placeOf(settings: z.output<Schema>, context: Pick<StorageContext, 'folder'>): StoragePlace;
}
