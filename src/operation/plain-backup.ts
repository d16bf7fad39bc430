import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { systemClock } from '../clock.ts';
import { HoldfastError, throwIfAborted } from '../errors.ts';
import type { DumpCodec } from '../plain/codec-names.ts';
import { compressed } from '../plain/dump-codec.ts';
import { type OpenPgpSealKeys, type SealedMessage, sealMessage } from '../plain/openpgp-message.ts';
import { systemRandom } from '../random.ts';
import type { EntryBytes, Source, SourceContext, SourceEntry, SourceProblem } from '../source/source.ts';
import type { RandomAccess } from '../storage/storage.ts';
import { openOutputs, outputLocations } from './backup-outputs.ts';
import { refuseToReplace } from './compare-archives.ts';
import type { BackupOptions, BackupReport, RunOptions } from './options.ts';
import { compareWithEarlier } from './plain-previous.ts';
import { DumpObserver, readPlain } from './plain-stream.ts';
import { failAfter, ProgressMeter } from './run.ts';
import { rowCount } from './summary.ts';
import { withTemporaryFolder } from './temporary-folder.ts';

/** What {@link createPlainBackup} takes. */
export interface PlainBackupOptions extends Omit<RunOptions, 'threads'> {
  /** A source with one entry: `plainSourceFromUrl` makes one. */
  readonly source: Source;
  /** As that of an archive. */
  readonly output: BackupOptions['output'];
  readonly severalOutputs?: NonNullable<BackupOptions['severalOutputs']>;
  /** Passphrases and OpenPGP public keys, each of which opens it. Without any the run is refused unless `encryption` is `none`. */
  readonly keys?: OpenPgpSealKeys;
  /** `openpgp` unless set. */
  readonly encryption?: 'openpgp' | 'none';
  /** `gzip` unless set. */
  readonly compression?: DumpCodec;
  /** `contents` unless set: what was written is read back, decrypted and expanded, and its SHA-256 compared. */
  readonly verify?: 'contents' | 'none';
  readonly temporaryFolder?: string;
  /** How much smaller than earlier ones the file may be, 0 to 1, before it is suspect; 0.5 unless set. */
  readonly allowedFall?: number;
}

/** What {@link createPlainBackup} did. */
export interface PlainBackupReport extends Omit<BackupReport, 'archiveId' | 'verified'> {
  readonly format: 'plain';
  /** Of the dump itself, hex: what `gpg -d | gunzip | sha256sum` prints. */
  readonly sha256: string;
  /** Of the file as it is stored, hex. */
  readonly fileSha256: string;
  readonly compression: DumpCodec;
  readonly encryption: 'openpgp' | 'none';
  readonly verified: 'contents' | 'none';
}

/** A run, once its options were found to be right. */
interface PlainRun {
  readonly options: PlainBackupOptions;
  readonly compression: DumpCodec;
  readonly encryption: 'openpgp' | 'none';
  readonly context: SourceContext;
}

/**
 * Writes the bare dump of one database, compressed and encrypted with OpenPGP, that the standard tools restore without Holdfast:
 * `gpg -d shop.sql.gz.gpg | gunzip | psql`. What was written is read back and compared before it appears. Memory: some MiB.
 *
 * Throws `key.missing`, `key.invalid`, `usage.invalid`, `archive.verify_failed`, `source.shrunken`, `operation.interrupted`, and what the source and the
 * storage throw.
 *
 * @example
 * await createPlainBackup({
 *   source: await plainSourceFromUrl('postgres://backup@localhost/shop'),
 *   output: 'shop.sql.gz.gpg',
 *   keys: { passphrases: [new Secret('correct horse battery staple')] },
 * });
 */
export async function createPlainBackup(options: PlainBackupOptions): Promise<PlainBackupReport> {
  const { source, keys = {} } = options;
  const clock = options.clock ?? systemClock;
  const startMs = clock.monotonicMs();
  const encryption = options.encryption ?? 'openpgp';
  const keyCount = (keys.passphrases?.length ?? 0) + (keys.openpgpKeys?.length ?? 0);
  const compression = options.compression ?? 'gzip';
  const problems: SourceProblem[] = [];
  let report: Omit<PlainBackupReport, 'durationMs' | 'problems'>;
  try {
    if (encryption !== 'none' && keyCount === 0) throw new HoldfastError('key.missing');
    if (encryption === 'none' && keyCount > 0) {
      throw new HoldfastError('usage.invalid', { message: 'keys were given, but encryption is none' });
    }
    report = await withTemporaryFolder({ parent: options.temporaryFolder ?? tmpdir(), clock }, (temporaryFolder) => {
      const context: SourceContext = {
        temporaryFolder,
        report: (problem) => void problems.push(problem),
        ...(options.signal && { signal: options.signal }),
      };
      return write({ options, compression, encryption, context });
    });
  } catch (error) {
    return await failAfter(error, [() => source.close()]);
  }
  await source.close();
  return { ...report, durationMs: Math.round(clock.monotonicMs() - startMs), problems };
}

async function write(run: PlainRun): Promise<Omit<PlainBackupReport, 'durationMs' | 'problems'>> {
  const { options, compression, encryption, context } = run;
  const { source, signal } = options;
  const { expectedSizeBytes } = await source.describe(context);
  const { writer, reports } = await openOutputs(options, { copies: 1, ...(signal && { signal }) });
  try {
    const meter = new ProgressMeter(options);
    const dump = new DumpObserver();
    const opened = openOnly(source, context);
    const observed = observe(opened.bytes, (chunk, doneBytes) => {
      dump.add(chunk);
      meter.report({ phase: 'read', doneBytes, totalBytes: Math.max(expectedSizeBytes, doneBytes) });
    });
    const packed = compressed(compression, observed, signal);
    const sealed =
      encryption === 'none' ? undefined : await sealMessage(packed, options.keys ?? {}, options.random ?? systemRandom);
    const file = createHash('sha256');
    let fileBytes = 0;
    for await (const chunk of sealed?.bytes ?? packed) {
      throwIfAborted(signal);
      file.update(chunk);
      fileBytes += chunk.length;
      await writer.write(chunk);
    }
    const entry = opened.entry();
    if (dump.sizeBytes === 0) throw new HoldfastError('source.empty', { message: 'the dump holds nothing' });
    const locations = outputLocations(options.output);
    const comparison = await compareWithEarlier(locations, fileBytes, options);
    if (comparison.falls.length > 0) await refuseToReplace(comparison, locations);
    const digests = { dump: dump.digest(), file: file.digest('hex') };
    const stored = await writer.commit((readable) => check(readable, run, { sealed, digests }));
    const outputs = reports(stored);
    return {
      format: 'plain',
      output: (outputs.find(({ error }) => error === undefined) ?? outputs[0])?.output ?? '',
      outputs,
      sha256: digests.dump,
      fileSha256: digests.file,
      compression,
      encryption,
      sizeBytes: stored.sizeBytes,
      plainSizeBytes: dump.sizeBytes,
      entryCount: 1,
      rowCount: rowCount(entry),
      verified: options.verify ?? 'contents',
      suspect: comparison.falls.length > 0,
      comparison,
    };
  } catch (error) {
    const reason = signal?.aborted === true ? new HoldfastError('operation.interrupted', { cause: error }) : error;
    return await failAfter(reason, [() => writer.abort()]);
  }
}

/** The only entry of a source, and its bytes. */
function openOnly(source: Source, context: SourceContext) {
  let only: SourceEntry | undefined;
  const bytes = async function* (): AsyncGenerator<Uint8Array> {
    for await (const entry of source.entries(context)) {
      const opened: EntryBytes | undefined = entry.open?.(context.signal);
      if (only !== undefined || opened === undefined) {
        throw new HoldfastError('usage.invalid', {
          message: `${source.name} does not fit into one plain dump`,
          hint: 'use the format holdfast for it',
        });
      }
      only = entry;
      yield* opened;
    }
  };
  const entry = (): SourceEntry => {
    if (only === undefined) throw new HoldfastError('source.empty', { message: `${source.name} holds nothing` });
    return only;
  };
  return { bytes: bytes(), entry };
}

async function* observe(
  bytes: AsyncIterable<Uint8Array>,
  onChunk: (chunk: Uint8Array, doneBytes: number) => void,
): AsyncGenerator<Uint8Array> {
  let doneBytes = 0;
  for await (const chunk of bytes) {
    doneBytes += chunk.length;
    onChunk(chunk, doneBytes);
    yield chunk;
  }
}

/** Reads back what was written, through all its layers. Throws `archive.verify_failed`. */
async function check(
  stored: RandomAccess,
  { options, encryption }: PlainRun,
  written: {
    readonly sealed: SealedMessage | undefined;
    readonly digests: { readonly dump: string; readonly file: string };
  },
): Promise<void> {
  if (options.verify === 'none') return;
  const { signal } = options;
  const { sealed, digests } = written;
  const meter = new ProgressMeter(options);
  const failure = (message: string, cause?: unknown) =>
    new HoldfastError('archive.verify_failed', {
      message: `what was written does not read back as it was: ${message}`,
      cause,
    });
  const file = createHash('sha256');
  const onChunk = (chunk: Uint8Array, doneBytes: number) => {
    file.update(chunk);
    meter.report({ phase: 'verify', doneBytes, totalBytes: stored.sizeBytes });
  };
  const dump = createHash('sha256');
  try {
    // Whether the passphrase opens it is part of the proof; what is sealed for public keys is opened by the key of the message.
    const passphrases = options.keys?.passphrases ?? [];
    const keys = passphrases.length > 0 || sealed === undefined ? { passphrases } : { sessionKey: sealed.sessionKey };
    const { bytes, layers } = await readPlain(stored, { keys, signal, onChunk });
    for await (const chunk of bytes) dump.update(chunk);
    if (layers.isEncrypted !== (encryption === 'openpgp')) throw failure('it is not encrypted as it should be');
  } catch (error) {
    throwIfAborted(signal);
    if (error instanceof HoldfastError && /^(archive|key)\./.test(error.code)) throw failure(error.message, error);
    throw error;
  }
  if (dump.digest('hex') !== digests.dump) throw failure('the dump in it is another');
  if (file.digest('hex') !== digests.file) throw failure('its bytes are others');
}
