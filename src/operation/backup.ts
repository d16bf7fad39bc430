import { tmpdir } from 'node:os';
import { ArchiveWriter } from '../archive/archive-writer.ts';
import type { Header } from '../archive/header.ts';
import type { RandomAccess } from '../archive/random-access.ts';
import { dataKeySizeBytes } from '../archive/seal/key-schedule.ts';
import { eachSideBySide } from '../archive/side-by-side.ts';
import type { WorkerPool } from '../archive/worker/worker-pool.ts';
import { WrittenCheck } from '../archive/written-check.ts';
import { systemClock } from '../clock.ts';
import { HoldfastError, throwIfAborted } from '../errors.ts';
import { systemRandom } from '../random.ts';
import type { EntryBytes, Source, SourceContext, SourceEntry, SourceProblem } from '../source/source.ts';
import { openOutputs, outputLocations } from './backup-outputs.ts';
import { compare, findPreviousFor, refuseToReplace, suspectNote } from './compare-archives.ts';
import type { BackupOptions, BackupReport, Progress } from './options.ts';
import { CountedSources } from './part-counts.ts';
import { failAfter, ProgressMeter, withWorkers } from './run.ts';
import { checkKeys, makeSlots } from './seal-archive.ts';
import { archiveIdHex, rowCount } from './summary.ts';
import { withTemporaryFolder } from './temporary-folder.ts';
import { checkArchive } from './verify.ts';

const segmentSizeBytes = 1024 * 1024;
const archiveIdSizeBytes = 16;
/** Problems that are kept one by one; of more only the number would be of use. */
const maximumProblems = 10_000;

interface NewArchive {
  /** With the slots of recipients. */
  readonly header: Header;
  /** Those of passphrases take long, and are made while the sources are begun: what is written first waits for them. */
  readonly slots: Promise<Header['slots']>;
  readonly dataKey: Uint8Array | undefined;
}

async function newArchive(options: BackupOptions): Promise<NewArchive> {
  const random = options.random ?? systemRandom;
  const clock = options.clock ?? systemClock;
  const { passphrases = [], recipients = [] } = options.keys ?? {};
  const keyCount = passphrases.length + recipients.length;
  const cipher = options.encryption ?? 'aes-256-gcm';
  if (cipher !== 'none' && keyCount === 0) throw new HoldfastError('key.missing');
  if (cipher === 'none' && keyCount > 0) {
    throw new HoldfastError('usage.invalid', { message: 'keys were given, but encryption is none' });
  }
  const archiveId = random.bytes(archiveIdSizeBytes);
  const dataKey = cipher === 'none' ? undefined : random.bytes(dataKeySizeBytes);
  const slotOptions = dataKey && { dataKey, archiveId, random, clock };
  checkKeys({ passphrases, recipients });
  const header: Header = {
    archiveId,
    createdMs: Math.floor(clock.nowMs()),
    cipher,
    codec: options.compression ?? 'zstd',
    copies: inRange(options.copies ?? 2, 'copies', [1, 8]),
    dataBlocks: inRange(options.dataBlocks ?? 239, 'data blocks', [1, 253]),
    parityBlocks: inRange(options.parityBlocks ?? 16, 'parity blocks', [2, 64]),
    segmentSizeBytes,
    generation: 0,
    slots: slotOptions === undefined ? [] : await makeSlots({ ...slotOptions, keys: { recipients } }),
  };
  inRange(header.dataBlocks + header.parityBlocks, 'data and parity blocks together', [3, 255]);
  const slots =
    slotOptions === undefined
      ? Promise.resolve([])
      : makeSlots({ ...slotOptions, keys: { passphrases }, existing: header.slots });
  // A failure is seen where they are awaited.
  slots.catch(() => undefined);
  return { header, slots, dataKey };
}

function inRange(value: number, name: string, [least, most]: readonly [number, number]): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new HoldfastError('usage.invalid', { message: `${name}: ${least} to ${most}, not ${value}` });
}

function checkNames(sources: readonly Source[]): void {
  if (sources.length === 0) throw new HoldfastError('source.empty');
  const paths = new Set<string>();
  for (const source of sources) {
    const key = `${source.constructor.name}/${source.name}`;
    if (paths.has(key)) throw sameName(source);
    paths.add(key);
  }
}

interface Totals {
  rowCount: number;
  entryCount: number;
  plainBytes: number;
}

/** The bytes of an entry, counted as they come. */
class CountedBytes implements EntryBytes {
  readonly #bytes: EntryBytes;
  readonly #onBytes: (count: number) => void;
  readonly readInto?: (into: Uint8Array) => Promise<number>;

  constructor(bytes: EntryBytes, onBytes: (count: number) => void) {
    this.#bytes = bytes;
    this.#onBytes = onBytes;
    if (bytes.readInto === undefined) return;
    this.readInto = async (into) => {
      const count = (await bytes.readInto?.(into)) ?? 0;
      onBytes(count);
      return count;
    };
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for await (const chunk of this.#bytes) {
      this.#onBytes(chunk.length);
      yield chunk;
    }
  }
}

/** Entries of one source that are read at once at most: each takes some MiB. */
const maximumParallelEntries = 4;

function parallelEntries({ parallelEntries = 1 }: Source): number {
  return Math.min(parallelEntries, maximumParallelEntries);
}

async function writeSources(
  options: BackupOptions,
  writer: ArchiveWriter,
  context: SourceContext,
  totalBytes: number,
): Promise<Totals> {
  const meter = new ProgressMeter(options);
  const totals: Totals = { rowCount: 0, entryCount: 0, plainBytes: 0 };
  const owners = new Map<string, Source>();
  const add = async (entry: SourceEntry, signal: AbortSignal) => {
    const bytes = entry.open?.(signal);
    const counted =
      bytes &&
      new CountedBytes(bytes, (count) => {
        throwIfAborted(options.signal);
        throwIfAborted(signal);
        totals.plainBytes += count;
        meter.report({ phase: 'read', doneBytes: totals.plainBytes, totalBytes, entry: entry.path });
      });
    await writer.add(entry, counted);
    totals.entryCount++;
    totals.rowCount += rowCount(entry);
  };
  for (const source of options.sources) {
    await eachSideBySide(source.entries(context), {
      atOnce: parallelEntries(source),
      work: async (entry, signal) => {
        throwIfAborted(options.signal);
        claimRoot(owners, source, entry.path);
        await add(entry, signal);
      },
      stop: () => source.close(),
      signal: options.signal,
    });
    // A snapshot of it is not held while others are read.
    await source.close();
  }
  return totals;
}

/** Two sources under one root would make paths that are not unique: an archive that nothing restores. */
function claimRoot(owners: Map<string, Source>, source: Source, path: string): void {
  const root = path.split('/', 2).join('/');
  const owner = owners.get(root) ?? source;
  owners.set(root, owner);
  if (owner !== source) throw new HoldfastError('usage.invalid', { message: `two sources give entries below ${root}` });
}

/** Reads back what was written, both copies; what differs means that this machine cannot be trusted with it. */
async function checkWritten(
  stored: RandomAccess,
  options: BackupOptions,
  workers: WorkerPool,
  expected: NewArchive & Totals & { readonly written: WrittenCheck | undefined },
): Promise<void> {
  const level = options.verify ?? 'contents';
  if (level === 'none') return;
  const { dataKey, header, written } = expected;
  // The slots were opened when they were made, and the header's code covers them.
  const keys = dataKey === undefined ? undefined : { dataKey };
  const checkOptions = { sources: [stored], workers, run: options, level, keys, written };
  let failure: string | undefined;
  let cause: unknown;
  try {
    const checked = await checkArchive(checkOptions);
    if (checked.state !== 'intact') failure = `${checked.blocks.damaged} block(s) are damaged`;
    else if (checked.archiveId !== archiveIdHex(header)) failure = 'another archive was read back';
    else if (
      level === 'contents' &&
      (checked.entryCount !== expected.entryCount || checked.plainBytes !== expected.plainBytes)
    ) {
      failure = 'entries are missing';
    }
  } catch (error) {
    const isOfArchive = error instanceof HoldfastError && /^(archive|key)\./.test(error.code);
    if (!isOfArchive || error.code === 'archive.verify_failed') throw error;
    failure = error.message;
    cause = error;
  }
  if (failure !== undefined) {
    throw new HoldfastError('archive.verify_failed', {
      message: `what was written does not read back as it was: ${failure}`,
      cause,
    });
  }
}

/**
 * Makes one archive of all sources, reads it back, and puts it under its name; an older archive of that name stays until then, and
 * when the run fails.
 *
 * Throws `source.empty`, `source.not_found`, `source.unreadable`, `source.corrupt`, `source.busy`, `key.missing`, `key.invalid`, `storage.full`,
 * `storage.read_only`, `storage.unauthorized`, `archive.verify_failed`, `operation.interrupted`. What changed or vanished while it was
 * read does not throw: it stands in `problems`. Databases that hold far less than in the archive before make the archive `suspect`; it
 * takes another archive's place only when that is allowed (`source.shrunken`).
 *
 * @example
 * const report = await createBackup({
 *   sources: [new SqliteSource({ path: 'shop.db' }), new FilesSource({ path: 'uploads' })],
 *   output: 'shop.holdfast',
 *   keys: { passphrases: [new Secret('correct horse battery staple')] },
 * });
 */
export async function createBackup(options: BackupOptions): Promise<BackupReport> {
  const { sources } = options;
  checkNames(sources);
  const clock = options.clock ?? systemClock;
  const startMs = clock.monotonicMs();
  const close = sources.map((source) => () => source.close());
  let report: Omit<BackupReport, 'durationMs'>;
  try {
    report = await withWorkers(options, async (workers) => {
      // What is wrong with the options is found before a source is touched.
      const archive = await newArchive(options);
      return await withTemporaryFolder({ parent: options.temporaryFolder ?? tmpdir(), clock }, (folder) =>
        readAndWrite(options, archive, workers, folder),
      );
    });
  } catch (error) {
    return await failAfter(error, close);
  }
  for (const step of close) await step();
  const { problems, ...written } = report;
  return { ...written, durationMs: Math.round(clock.monotonicMs() - startMs), problems };
}

/** Bytes of all sources, as far as they are known. */
interface Expected {
  readonly sizeBytes: number;
  /** Each source told how many it has. */
  readonly isWhole: boolean;
}

/** Finds out what is wrong with the sources before any is read; gives the bytes that are expected. */
async function describeAll(sources: readonly Source[], context: SourceContext): Promise<Expected> {
  const databases = new Set<string>();
  const trees = new Set<string>();
  let sizeBytes = 0;
  let isWhole = true;
  for (const source of sources) {
    const { type, expectedSizeBytes } = await source.describe(context);
    sizeBytes += expectedSizeBytes;
    if (expectedSizeBytes === 0) isWhole = false;
    // Whatever their kind, databases and commands share one folder of the archive, folders and media storages the other.
    const taken = type === 'files' || type === 'media' ? trees : databases;
    if (taken.has(source.name)) throw sameName(source);
    taken.add(source.name);
  }
  return { sizeBytes, isWhole };
}

function sameName({ name }: Source): HoldfastError {
  return new HoldfastError('usage.invalid', {
    message: `two sources have the name ${name}`,
    hint: 'give one of them another name',
  });
}

async function readAndWrite(
  options: BackupOptions,
  archive: NewArchive,
  workers: WorkerPool,
  temporaryFolder: string,
): Promise<Omit<BackupReport, 'durationMs'>> {
  const problems: SourceProblem[] = [];
  const notes: string[] = [];
  const context: SourceContext = {
    temporaryFolder,
    report: (problem) => {
      if (problems.length < maximumProblems) problems.push(problem);
    },
    note: (text) => {
      if (notes.length < maximumProblems) notes.push(text);
    },
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  };
  const expected = await describeAll(options.sources, context);
  const written = await writeArchive({ options, archive, workers, context, expected });
  return { ...written, problems, ...(notes.length > 0 ? { notes } : {}) };
}

async function writeArchive(run: {
  readonly options: BackupOptions;
  readonly archive: NewArchive;
  readonly workers: WorkerPool;
  readonly context: SourceContext;
  readonly expected: Expected;
}): Promise<Omit<BackupReport, 'durationMs' | 'problems'>> {
  const { options, archive, workers, context, expected } = run;
  const meter = new ProgressMeter(options);
  const { writer: output, reports } = await openOutputs(options, {
    copies: archive.header.copies,
    ...(expected.isWhole ? { expectedSizeBytes: expected.sizeBytes } : {}),
    onReplicate: (doneBytes, totalBytes) => meter.report({ phase: 'write', doneBytes, totalBytes }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  try {
    const { readBack } = output;
    const isReadBack = readBack !== undefined && (options.verify ?? 'contents') === 'contents';
    const written = isReadBack ? new WrittenCheck({ workers, header: archive.header, readBack }) : undefined;
    const sink = async (bytes: Uint8Array) => {
      await output.write(bytes);
      written?.advance();
    };
    const atOnce = Math.max(...options.sources.map(parallelEntries));
    const writer = await ArchiveWriter.create({ ...archive, workers, sink, check: written, parallelEntries: atOnce });
    const counted = new CountedSources(options.sources);
    const previous = findPreviousFor(options);
    const { onProgress } = options;
    const detailed = onProgress && { onProgress: (progress: Progress) => onProgress(counted.detail(progress)) };
    const reading = { ...options, ...detailed, sources: counted.sources };
    const totals = await writeSources(reading, writer, context, expected.sizeBytes);
    if (totals.entryCount === 0) throw new HoldfastError('source.empty', { message: 'the sources hold nothing' });
    const comparison = compare(await previous, counted.parts, options);
    if (comparison.falls.length > 0) {
      await refuseToReplace(comparison, outputLocations(options.output));
      await writer.add(suspectNote(comparison), undefined);
      totals.entryCount++;
    }
    await writer.finish();
    await written?.pause();
    const stored = await output.commit((readable) =>
      checkWritten(readable, options, workers, { ...archive, ...totals, written }),
    );
    const outputs = reports(stored);
    return {
      output: (outputs.find(({ error }) => error === undefined) ?? outputs[0])?.output ?? '',
      archiveId: archiveIdHex(archive.header),
      sizeBytes: stored.sizeBytes,
      plainSizeBytes: totals.plainBytes,
      entryCount: totals.entryCount,
      rowCount: totals.rowCount,
      verified: options.verify ?? 'contents',
      suspect: comparison.falls.length > 0,
      comparison,
      outputs,
    };
  } catch (error) {
    return await failAfter(error, [() => output.abort()]);
  }
}
