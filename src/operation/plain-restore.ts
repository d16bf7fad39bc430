import { systemClock } from '../clock.ts';
import { HoldfastError } from '../errors.ts';
import { codecOfHead } from '../plain/codec-names.ts';
import { contentOf, type DumpContent } from '../plain/dump-content.ts';
import { isOpenPgp, type OpenPgpOpenKeys } from '../plain/openpgp-message.ts';
import { isPlainName } from '../plain/plain-name.ts';
import { restrictedSql } from '../plain/restricted-sql.ts';
import { Secret } from '../secret.ts';
import { engineOfUrl } from '../source/engines.ts';
import type { RestorableEntry } from '../source/target.ts';
import type { RandomAccess } from '../storage/storage.ts';
import { locationLabel, withSources } from './location.ts';
import type { ArchiveLocation, RestoreOptions, RestoreReport, RunOptions } from './options.ts';
import { DumpObserver, type PlainLayers, readHead, readPlain } from './plain-stream.ts';
import { failAfter, ProgressMeter } from './run.ts';

const magic = 'HOLDFAST';
const magicOffset = 32;

/**
 * Whether a file is a plain dump rather than an archive: by what it begins with, made here or by hand, and where that tells nothing, by its
 * name.
 */
export async function isPlainDump(location: ArchiveLocation): Promise<boolean> {
  const name = typeof location === 'string' ? location : 'storage' in location ? location.name : '';
  if (name.endsWith('.holdfast')) return false;
  return await withSources([location], async ([source]) => {
    const head = source === undefined ? new Uint8Array(0) : await readHead(source);
    const found = Buffer.from(head.subarray(magicOffset, magicOffset + magic.length)).toString('latin1');
    if (found === magic) return false;
    return isOpenPgp(head) || codecOfHead(head) !== 'none' || contentOf(head) !== undefined || isPlainName(name);
  });
}

/** Whether a plain dump needs a key. */
export async function isEncryptedDump(location: ArchiveLocation): Promise<boolean> {
  return await withSources([location], async ([source]) => source !== undefined && isOpenPgp(await readHead(source)));
}

/** What {@link checkPlainBackup} takes. */
export interface CheckPlainOptions extends Omit<RunOptions, 'threads'> {
  readonly archive: ArchiveLocation;
  readonly keys?: OpenPgpOpenKeys;
}

/** What {@link checkPlainBackup} found: a dump that is whole. */
export interface PlainCheckReport extends PlainLayers {
  readonly format: 'plain';
  readonly state: 'intact';
  /** `postgres`, `mysql`, `mariadb`, `sqlite`; absent where the dump does not tell. */
  readonly engine?: DumpContent['engine'];
  readonly sizeBytes: number;
  readonly plainSizeBytes: number;
  /** Of the dump, hex. */
  readonly sha256: string;
  readonly durationMs: number;
}

interface Checked {
  readonly layers: PlainLayers;
  readonly dump: DumpObserver;
  readonly sha256: string;
}

async function check(source: RandomAccess, options: CheckPlainOptions): Promise<Checked> {
  const { keys = {}, signal } = options;
  const meter = new ProgressMeter(options);
  const { sizeBytes: totalBytes } = source;
  const onChunk = (_: Uint8Array, doneBytes: number) => meter.report({ phase: 'verify', doneBytes, totalBytes });
  const { bytes, layers } = await readPlain(source, { keys, signal, onChunk });
  const dump = new DumpObserver();
  for await (const chunk of bytes) dump.add(chunk);
  if (dump.sizeBytes === 0) throw new HoldfastError('archive.damaged', { message: 'the file holds no dump' });
  dump.checkEnd();
  return { layers, dump, sha256: dump.digest() };
}

/**
 * Reads a plain dump through all its layers: the message is what was encrypted, it expands to its end, and the dump ends as it must. Throws
 * `archive.damaged`, `key.missing`, `key.wrong`, `storage.not_found`, `operation.interrupted`.
 */
export async function checkPlainBackup(options: CheckPlainOptions): Promise<PlainCheckReport> {
  const clock = options.clock ?? systemClock;
  const startMs = clock.monotonicMs();
  return await withSources([options.archive], async ([source]) => {
    if (source === undefined) throw new HoldfastError('storage.not_found');
    const { layers, dump, sha256 } = await check(source, options);
    const engine = dump.content?.engine;
    if (engine === 'sqlite' && !layers.isEncrypted && layers.compression === 'none') {
      // Nothing in it would show that it was cut or changed.
      throw new HoldfastError('archive.not_an_archive', { context: { path: locationLabel(options.archive) } });
    }
    return {
      format: 'plain',
      state: 'intact',
      ...layers,
      ...(engine === undefined ? {} : { engine }),
      sizeBytes: source.sizeBytes,
      plainSizeBytes: dump.sizeBytes,
      sha256,
      durationMs: Math.round(clock.monotonicMs() - startMs),
    };
  });
}

/** What {@link restorePlainBackup} takes. */
export interface PlainRestoreOptions
  extends CheckPlainOptions,
    Pick<RestoreOptions, 'mode' | 'connections' | 'timeoutMs' | 'overwrite' | 'keepUndo' | 'dryRun'> {
  /** The URL of the database. */
  readonly to: string | Secret;
}

/** What {@link restorePlainBackup} did, or would do. */
export interface PlainRestoreReport extends Omit<RestoreReport, 'archiveId'>, PlainLayers {
  readonly format: 'plain';
  readonly sha256: string;
}

/**
 * Restores a plain dump, made here or with `gpg`. It is read twice: first to its end, so that not a byte of a file that was cut or
 * changed reaches the database; then into a place beside the target, which it takes at once. What is replaced is kept unless `keepUndo` is
 * false.
 *
 * Throws `archive.damaged`, `key.missing`, `key.wrong`, `target.exists`, `target.incompatible`, `target.invalid`, `target.busy`, `usage.invalid`,
 * `operation.interrupted`, and what opening throws.
 *
 * @example
 * await restorePlainBackup({ archive: 'shop.sql.gz.gpg', keys: { passphrases: [passphrase] }, to: 'postgres://localhost/copy' });
 */
export async function restorePlainBackup(options: PlainRestoreOptions): Promise<PlainRestoreReport> {
  const clock = options.clock ?? systemClock;
  const startMs = clock.monotonicMs();
  return await withSources([options.archive], async ([source]) => {
    if (source === undefined) throw new HoldfastError('storage.not_found');
    const report = await restore(source, options);
    return { ...report, durationMs: Math.round(clock.monotonicMs() - startMs) };
  });
}

async function restore(
  source: RandomAccess,
  options: PlainRestoreOptions,
): Promise<Omit<PlainRestoreReport, 'durationMs'>> {
  const { mode, connections, timeoutMs, clock, random, signal, keys = {} } = options;
  const url = options.to instanceof Secret ? options.to : new Secret(options.to);
  const engine = engineOfUrl(url.reveal());
  const { layers, dump, sha256 } = await check(source, options);
  const entry = entryOf(locationLabel(options.archive), dump, engine);
  const target = await engine.makeTarget({
    url,
    overwrite: options.overwrite ?? false,
    keepUndo: options.keepUndo ?? true,
    ...(mode && { mode }),
    ...(connections === undefined ? {} : { connections }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(clock && { clock }),
    ...(random && { random }),
  });
  const dryRun = options.dryRun ?? false;
  const change = await (async () => {
    try {
      const plan = await target.plan([entry]);
      if (dryRun) return plan;
      const meter = new ProgressMeter(options);
      const onChunk = (_: Uint8Array, doneBytes: number) =>
        meter.report({ phase: 'restore', doneBytes, totalBytes: source.sizeBytes });
      const { bytes } = await readPlain(source, { keys, signal, onChunk });
      const checked = compared(bytes, sha256);
      const isForPsql = dump.content?.engine === 'postgres' && dump.content.format === 'plain';
      await target.stage(entry, isForPsql ? restrictedSql(checked) : checked);
      return await target.commit();
    } catch (error) {
      return await failAfter(error, [() => target.abort()]);
    }
  })();
  return {
    format: 'plain',
    ...layers,
    sha256,
    dryRun,
    actions: [{ kind: engine.name, ...change, entryCount: 1, sizeBytes: dump.sizeBytes }],
    entryCount: 1,
    sizeBytes: dump.sizeBytes,
    rowCount: 0,
    readBytes: source.sizeBytes,
    healedBlocks: 0,
    lostEntries: [],
  };
}

/** The dump as an entry for a target. Throws `target.incompatible`, `archive.not_an_archive`. */
function entryOf(
  path: string,
  { content, sizeBytes }: DumpObserver,
  engine: { readonly name: string; readonly names: readonly string[]; readonly urlForm: string },
): RestorableEntry {
  if (content === undefined) {
    throw new HoldfastError('archive.not_an_archive', {
      message: `${path} holds neither an archive nor a dump that is known`,
      hint: `Holdfast restores what pg_dump, mysqldump or mariadb-dump wrote, and SQLite database files; give other statements to the database's own client`,
    });
  }
  if (!engine.names.includes(content.engine)) {
    throw new HoldfastError('target.incompatible', {
      message: `${path} is a dump of ${content.engine}, and its target is of ${engine.name}`,
      context: { engine: content.engine, target: engine.name },
    });
  }
  const { format, engineVersion } = content;
  const version = engineVersion === undefined ? {} : { engineVersion };
  const metadata = { engine: content.engine, format, ...version };
  return { path, kind: content.engine === 'sqlite' ? 'sqlite' : 'dump', sizeBytes, metadata };
}

/** The same bytes as were read before, or an error at their end, before anything is put in place. */
async function* compared(bytes: AsyncIterable<Uint8Array>, sha256: string): AsyncGenerator<Uint8Array> {
  const dump = new DumpObserver();
  for await (const chunk of bytes) {
    dump.add(chunk);
    yield chunk;
  }
  if (dump.digest() === sha256) return;
  throw new HoldfastError('archive.damaged', {
    message: 'the file changed while it was read',
    hint: 'read it again when nothing writes it',
  });
}
