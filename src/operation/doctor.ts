import { type Clock, systemClock } from '../clock.ts';
import { HoldfastError, throwIfAborted } from '../errors.ts';
import { isPlainName } from '../plain/plain-name.ts';
import { type Random, systemRandom } from '../random.ts';
import type { Storage, StoredObject } from '../storage/storage.ts';
import { errorReport } from './error-report.ts';
import { summarizeArchive } from './inspect.ts';

/** One thing that was looked at. */
export interface Diagnosis {
  readonly part:
    | 'machine'
    | 'configuration'
    | 'tools'
    | 'keys'
    | 'databases'
    | 'storages'
    | 'clock'
    | 'backups'
    | 'catalogue'
    | 'drills'
    | 'history'
    | 'queue'
    | 'notifications';
  /** What was looked at: a database, a storage, a program. */
  readonly name: string;
  readonly state: 'ok' | 'warning' | 'failed';
  readonly message: string;
  readonly hint?: string;
}

/** Runs a check, and makes what it throws a diagnosis. */
export async function diagnose(
  part: Diagnosis['part'],
  name: string,
  check: () => Promise<Omit<Diagnosis, 'part' | 'name'> | string>,
): Promise<Diagnosis> {
  try {
    const found = await check();
    return typeof found === 'string' ? { part, name, state: 'ok', message: found } : { part, name, ...found };
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'operation.interrupted') throw error;
    const { code, message, hint } = errorReport(error);
    return { part, name, state: 'failed', message: `${message} [${code}]`, hint };
  }
}

/** What the storage of an examination is like. */
export interface StorageExamination {
  readonly name: string;
  readonly storage: Storage;
  /** Nothing is tried to be written. */
  readonly readOnly: boolean;
  /** Whether what was found of a backup speaks against it, by its URL: the last good one is another. None is doubtful unless given. */
  readonly isDoubtful?: (url: string) => boolean;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly signal?: AbortSignal;
}

/** A clock that is off by more makes signatures fail, and names wrong. */
const allowedSkewMs = 60_000;
/** A backup a day, and some hours. */
const staleAfterMs = 36 * 60 * 60 * 1000;
const probe = new TextEncoder().encode('holdfast doctor\n');

/** Looks at a storage: its rights by an object that is written, read and removed again; its clock; and its newest backup. */
export async function examineStorage(options: StorageExamination): Promise<Diagnosis[]> {
  const { name, storage, readOnly, signal } = options;
  const clock = options.clock ?? systemClock;
  const found: Diagnosis[] = [];
  let probed: { readonly object: StoredObject; readonly aroundMs: number } | undefined;
  found.push(
    await diagnose('storages', name, async () => {
      throwIfAborted(signal);
      if (readOnly) {
        for await (const _ of storage.list()) break;
        return `${storage.url('')}: can be listed; it is read-only`;
      }
      const suffix = Buffer.from((options.random ?? systemRandom).bytes(8)).toString('hex');
      probed = await writeProbe(storage, `holdfast-doctor-${suffix}`, clock);
      return `${storage.url('')}: can be written, read, listed and deleted`;
    }),
  );
  for (const warning of storage.properties.warnings) {
    found.push({ part: 'storages', name, state: 'warning', message: warning });
  }
  if (probed !== undefined) found.push(compareClocks(name, probed));
  if (found[0]?.state !== 'failed') {
    found.push(await diagnose('backups', name, () => newestBackup(options, clock)));
  }
  return found;
}

async function writeProbe(storage: Storage, name: string, clock: Clock) {
  const beforeMs = clock.nowMs();
  const writer = await storage.writer(name, { copies: 1 });
  try {
    await writer.write(probe);
    const object = await writer.commit();
    const aroundMs = (beforeMs + clock.nowMs()) / 2;
    const opened = await storage.open(name);
    try {
      const bytes = new Uint8Array(probe.length);
      const length = await opened.read(0, bytes);
      if (length !== probe.length || !Buffer.from(bytes).equals(probe)) {
        throw new HoldfastError('archive.verify_failed');
      }
    } finally {
      await opened.close();
    }
    return { object, aroundMs };
  } catch (error) {
    await writer.abort();
    throw error;
  } finally {
    await storage.delete(name);
  }
}

function compareClocks(
  name: string,
  { object, aroundMs }: { readonly object: StoredObject; readonly aroundMs: number },
): Diagnosis {
  const skewMs = Math.round(object.modifiedMs - aroundMs);
  if (Math.abs(skewMs) <= allowedSkewMs) {
    return { part: 'clock', name, state: 'ok', message: "this machine's clock and the storage's agree" };
  }
  const seconds = Math.round(Math.abs(skewMs) / 1000);
  return {
    part: 'clock',
    name,
    state: 'warning',
    message: `the storage's clock is ${seconds} s ${skewMs > 0 ? 'ahead of' : 'behind'} this machine's`,
    hint: 'set the clock of this machine by NTP',
  };
}

/** Objects that are looked into for one whose beginning is that of a backup. */
const maximumLooked = 5;

async function newestBackup(
  { storage, isDoubtful = () => false, signal }: StorageExamination,
  clock: Clock,
): Promise<Omit<Diagnosis, 'part' | 'name'>> {
  const objects: StoredObject[] = [];
  for await (const object of storage.list()) {
    throwIfAborted(signal);
    if (object.name.endsWith('.holdfast') || isPlainName(object.name)) objects.push(object);
  }
  objects.sort((a, b) => b.modifiedMs - a.modifiedMs);
  const newestGood = objects.findIndex(({ name }) => !isDoubtful(storage.url(name)));
  const doubtfulCount = newestGood < 0 ? objects.length : newestGood;
  for (const object of objects.slice(doubtfulCount, doubtfulCount + maximumLooked)) {
    const madeMs = await createdMs(storage, object);
    if (madeMs === undefined) continue;
    const ageMs = clock.nowMs() - madeMs;
    const hours = Math.max(0, Math.round(ageMs / 3_600_000));
    const message = `the last good backup, ${object.name}, is ${hours} h old`;
    if (doubtfulCount > 0) {
      const hint = 'see what `holdfast runs` says of those, and make another with `holdfast backup`';
      return { state: 'warning', message: `${message}; ${doubtfulText(doubtfulCount)} since`, hint };
    }
    if (ageMs <= staleAfterMs) return { state: 'ok', message };
    return { state: 'warning', message, hint: 'see whether backups still run, and what `holdfast backup` says' };
  }
  const hint = 'make one with `holdfast backup`';
  if (objects.length === 0) return { state: 'warning', message: 'there is no backup yet', hint };
  const message = doubtfulCount === objects.length ? 'no backup is good' : 'none of the newest backups can be read';
  return { state: 'failed', message, hint };
}

function doubtfulText(count: number): string {
  return count === 1 ? 'one is suspect or damaged' : `${count} are suspect or damaged`;
}

/** When a backup was made; undefined for what is none. */
async function createdMs(storage: Storage, { name, modifiedMs, sizeBytes }: StoredObject): Promise<number | undefined> {
  if (!name.endsWith('.holdfast')) return sizeBytes > 0 ? modifiedMs : undefined;
  try {
    return (await summarizeArchive({ storage, name })).createdMs;
  } catch (error) {
    if (error instanceof HoldfastError && error.code.startsWith('archive.')) return undefined;
    throw error;
  }
}
