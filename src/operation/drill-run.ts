import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { freeSpace } from '../disk/free-space.ts';
import { HoldfastError } from '../errors.ts';
import { Secret } from '../secret.ts';
import type { Engine } from '../source/engine.ts';
import { engineOfUrl } from '../source/engines.ts';
import type { Scratch } from '../source/scratch.ts';
import type { DrillOptions, DrillReport } from './drill-options.ts';

/** Room that is left to others on the disk. */
const spareBytes = 64 * 1024 * 1024;

/** A drill under way. */
export interface DrillRun {
  readonly options: DrillOptions;
  readonly signal: AbortSignal;
  /** Of this user only; removed in the end. */
  readonly folder: string;
  /** By the names of databases. */
  readonly scratches: Map<string, Scratch>;
}

/** What a drill of either format finds before its checks. */
export type Drilled = Omit<DrillReport, 'checks' | 'isProven' | 'leftovers' | 'durationMs'>;

/** Where trees of files are put. */
export function filesFolderOf(folder: string): string {
  return join(folder, 'files');
}

/** The servers that were named, then the one where the database came from. */
function serversFor({ options: { servers = [], databases = {} } }: DrillRun, name: string): Secret[] {
  const given = Object.hasOwn(databases, name) ? databases[name] : undefined;
  return [...servers, ...(given === undefined ? [] : [given])].map((url) =>
    url instanceof Secret ? url : new Secret(url),
  );
}

/**
 * The engine that models are restored into: their own where there is a server of it, or a file will do; else that of the first server that was named.
 * `sqlite:` names a file of its own. Throws `usage.invalid` where there is none.
 */
export function engineForModels(run: DrillRun, name: string, own: Engine): Engine {
  const named = serversFor(run, name).map((url) => engineOfUrl(url.reveal()));
  if (own.name === 'sqlite' || named.includes(own)) return own;
  const [other] = named;
  if (other !== undefined) return other;
  throw new HoldfastError('usage.invalid', {
    message: `it is not said where the drill may put the models of ${name}`,
    hint: `name a server with drill.url or --to ${own.urlForm.replace(/\/[^/]*$/, '/')}, or sqlite: for a file that is made for a while`,
  });
}

/** Where a database may be made: on a server that was named for its kind, or on the one where it came from. */
export async function openScratch(run: DrillRun, name: string, engine: Engine): Promise<Scratch> {
  const { timeoutMs, clock, random } = run.options;
  const url = serversFor(run, name).find((one) => engineOfUrl(one.reveal()) === engine);
  const scratch = await engine.openScratch({
    folder: run.folder,
    ...(url === undefined ? {} : { url }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(clock && { clock }),
    ...(random && { random }),
  });
  run.scratches.set(name, scratch);
  return scratch;
}

/** A database that is a file is for this user only, whatever the modes of new files are. */
export async function hideFile(engine: Engine, { label }: Scratch): Promise<void> {
  if (engine.name === 'sqlite') await chmod(label, 0o600);
}

/** Throws `storage.full` where a folder has no room for so many bytes. */
export async function checkRoom(folder: string, neededBytes: number): Promise<void> {
  if (neededBytes === 0) return;
  const { freeBytes } = await freeSpace(folder);
  if (freeBytes >= neededBytes + spareBytes) return;
  const mib = (bytes: number) => `${Math.ceil(bytes / 1024 / 1024)} MiB`;
  throw new HoldfastError('storage.full', {
    message: `the drill needs ${mib(neededBytes)} in ${folder}, and ${mib(freeBytes)} are free`,
    hint: 'free some space, or name another folder with drill.temporaryFolder',
    context: { folder, neededBytes, freeBytes },
  });
}
