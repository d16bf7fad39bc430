import { basename } from 'node:path';
import { systemClock } from '../clock.ts';
import { HoldfastError } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';
import { locationLabel, type WritableLocation, writableLocation } from './location.ts';
import type { ArchiveLocation, RunOptions } from './options.ts';
import { copyPlainDump, plainLayersOf } from './plain-copies.ts';
import { isPlainDump } from './plain-restore.ts';
import { transferArchive } from './transfer.ts';
import { validateBackup } from './verify.ts';

interface TransferOptions extends RunOptions {
  /** Lets an object or a file of that name be replaced. */
  readonly overwrite?: boolean;
  /** Looks whether it could be done, and writes nothing. */
  readonly dryRun?: boolean;
  /** Further replicas to heal from. */
  readonly from?: readonly ArchiveLocation[];
}

/** What {@link pushBackup} takes. */
export interface PushOptions extends TransferOptions {
  readonly archive: ArchiveLocation;
  readonly storage: Storage;
  /** The object's name; that of the archive unless set. */
  readonly name?: string;
}

/** What {@link pullBackup} takes. */
export interface PullOptions extends TransferOptions {
  readonly storage: Storage;
  readonly name: string;
  /** The file to write. */
  readonly output: string;
}

/** What {@link pushBackup} and {@link pullBackup} did. */
export interface TransferReport {
  /** Where the archive is now, or would be. */
  readonly output: string;
  /** Absent for a plain dump. */
  readonly archiveId?: string;
  readonly sizeBytes: number;
  /** Whether what was read was damaged; what was written is whole. */
  readonly healed: boolean;
  readonly durationMs: number;
  readonly dryRun: boolean;
}

/**
 * Puts an archive on a storage. What is damaged is healed on the way, and every block is read back before the object appears; no key is
 * needed. Throws `storage.conflict` where the name is taken, `archive.damaged`, `archive.not_an_archive`, and what the storage throws.
 *
 * @example
 * const storage = await openStorage({ backend: 'local', path: '/mnt/nas' });
 * await pushBackup({ archive: 'shop.holdfast', storage });
 */
export async function pushBackup(options: PushOptions): Promise<TransferReport> {
  const { archive, storage } = options;
  const name = options.name ?? nameOf(archive);
  const refusal = () =>
    new HoldfastError('storage.conflict', {
      message: `${storage.url(name)} is there already`,
      hint: 'choose another name, or allow it with --overwrite',
      context: { name },
    });
  return await transfer(options, archive, { storage, name }, refusal);
}

/**
 * Brings an archive from a storage to a file, as {@link pushBackup} does the other way. Throws `storage.not_found`, `target.exists`,
 * `archive.damaged`, `archive.not_an_archive`, and what the storage throws.
 *
 * @example
 * await pullBackup({ storage, name: 'shop.holdfast', output: '/tmp/shop.holdfast' });
 */
export async function pullBackup(options: PullOptions): Promise<TransferReport> {
  const { storage, name, output } = options;
  const refusal = () => new HoldfastError('target.exists', { message: `${output} exists`, context: { path: output } });
  return await transfer(options, { storage, name }, writableLocation(output), refusal);
}

async function transfer(
  options: TransferOptions,
  archive: ArchiveLocation,
  to: WritableLocation,
  refusal: () => HoldfastError,
): Promise<TransferReport> {
  const { overwrite = false, dryRun = false, from: _, ...run } = options;
  const clock = options.clock ?? systemClock;
  const startMs = clock.monotonicMs();
  if (!overwrite && (await isThere(to))) throw refusal();
  const isPlain = await isPlainDump(archive);
  const done = isPlain
    ? await copyPlain(archive, to, { ...run, dryRun })
    : await moveArchive(archive, to, { ...options, dryRun });
  return {
    output: to.storage.url(to.name),
    ...('archiveId' in done ? { archiveId: done.archiveId } : {}),
    sizeBytes: done.sizeBytes,
    healed: done.healed,
    durationMs: Math.round(clock.monotonicMs() - startMs),
    dryRun,
  };
}

async function moveArchive(archive: ArchiveLocation, to: WritableLocation, options: TransferOptions) {
  const { overwrite: _, dryRun, from = [], ...run } = options;
  return dryRun ? await lookAt(archive, run) : await transferArchive({ from: [archive, ...from], to, run });
}

/** A plain dump goes as it is: nothing in it would heal it. */
async function copyPlain(
  archive: ArchiveLocation,
  to: WritableLocation,
  { dryRun, ...run }: RunOptions & { dryRun: boolean },
) {
  const { sizeBytes } = dryRun ? await plainLayersOf(archive) : await copyPlainDump(archive, to, run);
  return { sizeBytes, healed: false };
}

async function lookAt(archive: ArchiveLocation, run: RunOptions) {
  const { archiveId, sizeBytes, state } = await validateBackup({ ...run, archive, level: 'structure' });
  if (state === 'lost') throw new HoldfastError('archive.damaged');
  return { archiveId, sizeBytes, healed: state === 'repairable' };
}

/** Whether an object of that name is there. */
export async function isThere({ storage, name }: WritableLocation): Promise<boolean> {
  try {
    await storage.stat(name);
    return true;
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'storage.not_found') return false;
    throw error;
  }
}

function nameOf(archive: ArchiveLocation): string {
  if (typeof archive !== 'string' && 'storage' in archive) return archive.name;
  if (typeof archive === 'string') return basename(archive);
  throw new HoldfastError('usage.invalid', { message: `${locationLabel(archive)} have no name: give one` });
}
