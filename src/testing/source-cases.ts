import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HoldfastError } from '../errors.ts';
import type { EntryMetadata, Source, SourceEntry, SourceProblem } from '../source/source.ts';

/** An entry that was read to its end. */
export interface CollectedEntry {
  readonly path: string;
  readonly pathBytes?: Uint8Array;
  readonly kind: string;
  readonly bytes: Buffer;
  readonly metadata: EntryMetadata;
}

/** All that a source gave. */
export interface CollectedSource {
  readonly entries: readonly CollectedEntry[];
  readonly problems: readonly SourceProblem[];
}

/** The same without bytes, which a comparison that fails would print. */
function summaries({ entries, problems }: CollectedSource): unknown {
  const digest = (bytes: Buffer) => `${bytes.length} bytes, SHA-256 ${hash('sha256', bytes)}`;
  return { problems, entries: entries.map((entry) => ({ ...entry, bytes: digest(entry.bytes) })) };
}

/** How a source is read by {@link collectSource}. */
export interface CollectOptions {
  readonly signal?: AbortSignal;
  /** Called after each chunk of an entry, before the next one is asked for. */
  readonly onChunk?: (path: string, doneBytes: number) => Promise<void> | void;
  /** Called when an entry appears, before it is read. */
  readonly onEntry?: (path: string, temporaryFolder: string) => Promise<void> | void;
}

/** Reads a source into memory as a run would, in a temporary folder of its own, which must be empty in the end. */
export async function collectSource(source: Source, options: CollectOptions = {}): Promise<CollectedSource> {
  const temporaryFolder = await mkdtemp(join(tmpdir(), 'holdfast-source-'));
  const { signal } = options;
  const problems: SourceProblem[] = [];
  const context = {
    temporaryFolder,
    report: (problem: SourceProblem) => problems.push(problem),
    ...(signal ? { signal } : {}),
  };
  const entries: CollectedEntry[] = [];
  try {
    for await (const entry of source.entries(context)) {
      await options.onEntry?.(entry.path, temporaryFolder);
      const chunks: Buffer[] = [];
      let doneBytes = 0;
      for await (const chunk of entry.open?.(signal) ?? []) {
        assert.ok(chunk.length > 0 && chunk.length <= 1024 * 1024, 'a chunk has 1 byte to 1 MiB');
        chunks.push(Buffer.from(chunk));
        doneBytes += chunk.length;
        await options.onChunk?.(entry.path, doneBytes);
      }
      const { path, pathBytes, kind, metadata } = entry;
      entries.push({ path, kind, bytes: Buffer.concat(chunks), metadata, ...(pathBytes ? { pathBytes } : {}) });
    }
    assert.deepEqual(await readdir(temporaryFolder), [], 'nothing is left in the temporary folder');
    return { entries, problems };
  } finally {
    await source.close();
    await rm(temporaryFolder, { recursive: true, force: true });
  }
}

/** What a source gave, and its entries themselves, which are asked again later. */
async function collectTwice(source: Source): Promise<CollectedSource & { readonly seen: readonly SourceEntry[] }> {
  const seen: SourceEntry[] = [];
  const watched: Source = {
    name: source.name,
    describe: (context) => source.describe(context),
    async *entries(context) {
      for await (const entry of source.entries(context)) {
        seen.push(entry);
        yield entry;
      }
    },
    close: () => source.close(),
  };
  return { ...(await collectSource(watched)), seen };
}

/** Reads a source with as many entries open at once as it allows; gives their bytes by path. */
async function collectSideBySide(source: Source): Promise<Map<string, Buffer>> {
  const temporaryFolder = await mkdtemp(join(tmpdir(), 'holdfast-source-'));
  const { parallelEntries = 1 } = source;
  const open = new Set<Promise<void>>();
  const found = new Map<string, Buffer>();
  const context = { temporaryFolder, report: () => assert.fail('nothing is to be reported') };
  try {
    for await (const entry of source.entries(context)) {
      const read = async () => {
        const chunks: Buffer[] = [];
        for await (const chunk of entry.open?.(undefined) ?? []) chunks.push(Buffer.from(chunk));
        found.set(entry.path, Buffer.concat(chunks));
      };
      const reading = read().finally(() => open.delete(reading));
      open.add(reading);
      // With one at a time the next may be asked for only when this one has ended.
      if (open.size >= parallelEntries) await Promise.race(open);
    }
    await Promise.all(open);
    return found;
  } finally {
    await Promise.allSettled(open);
    await source.close();
    await rm(temporaryFolder, { recursive: true, force: true });
  }
}

/** What the cases need to make sources of one kind. */
export interface SourceCaseSubject {
  /** The folder that entries lie in, with the source's name: `files/` or `databases/`. */
  readonly prefix: string;
  /** A new source of something that is there and holds some bytes. */
  make(): Promise<Source>;
  /** A new source of something that is not there. */
  makeMissing(): Promise<Source>;
  /** A password that both were given. */
  readonly secret?: string;
}

/** A promise of {@link Source} that every adapter keeps. */
export interface SourceCase {
  readonly name: string;
  run(subject: SourceCaseSubject): Promise<void>;
}

const noContext = { temporaryFolder: '/nonexistent', report: () => assert.fail('nothing is to be reported') };

async function rejectsWith(promise: Promise<unknown>, code: string): Promise<void> {
  await assert.rejects(promise, (error) => error instanceof HoldfastError && error.code === code);
}

/** The contract of sources, free of any test runner: a runner calls `run` of each with its own subject. */
export const sourceCases: readonly SourceCase[] = [
  {
    name: 'describes itself as often as it is asked, and writes nothing',
    async run(subject) {
      const source = await subject.make();
      const first = await source.describe(noContext);
      assert.deepEqual(await source.describe(noContext), first);
      assert.ok(first.expectedSizeBytes > 0 && first.label !== '' && first.type !== '');
      await source.close();
    },
  },
  {
    name: 'throws source.not_found for what is not there, when described and when read',
    async run(subject) {
      await rejectsWith((await subject.makeMissing()).describe(noContext), 'source.not_found');
      await rejectsWith(collectSource(await subject.makeMissing()), 'source.not_found');
    },
  },
  {
    name: 'gives entries with unique paths below its name, and metadata that JSON keeps',
    async run(subject) {
      const source = await subject.make();
      const { entries, problems } = await collectSource(source);
      assert.deepEqual(problems, []);
      assert.ok(entries.some(({ bytes }) => bytes.length > 0));
      assert.equal(new Set(entries.map(({ path }) => path)).size, entries.length);
      const below = `${subject.prefix}${source.name}`;
      for (const { path, metadata } of entries) {
        assert.ok(path === below || path.startsWith(`${below}/`), path);
        assert.deepEqual(JSON.parse(JSON.stringify(metadata)), metadata);
      }
    },
  },
  {
    name: 'tells the engine of every entry of a database, and the exact rows of every table',
    async run(subject) {
      const { entries } = await collectSource(await subject.make());
      for (const { path, kind, metadata } of entries.filter((entry) => entry.path.startsWith('databases/'))) {
        assert.equal(typeof metadata['engine'], 'string', path);
        if (kind === 'table') assert.ok(Number.isSafeInteger(metadata['rows']), path);
      }
    },
  },
  {
    name: 'gives metadata that stays what it was when its bytes had ended',
    async run(subject) {
      const source = await subject.make();
      const { entries, seen } = await collectTwice(source);
      assert.deepEqual(
        seen.map((entry) => entry.metadata),
        entries.map((entry) => entry.metadata),
      );
    },
  },
  {
    name: 'reads the same with as many entries open at once as it allows',
    async run(subject) {
      const { entries } = await collectSource(await subject.make());
      const found = await collectSideBySide(await subject.make());
      assert.deepEqual([...found.keys()].sort(), entries.map(({ path }) => path).sort());
      for (const { path, bytes } of entries) assert.ok(found.get(path)?.equals(bytes), path);
    },
  },
  {
    name: 'shows no password, in what it tells and in what it fails with',
    async run(subject) {
      const { secret = 'no password' } = subject;
      const source = await subject.make();
      const { entries } = await collectSource(source);
      const metadata = entries.map((entry) => entry.metadata);
      const described = await subject.make();
      const told = JSON.stringify([await described.describe(noContext), metadata, source.name]);
      await described.close();
      assert.ok(!told.includes(secret));
      const failure: unknown = await collectSource(await subject.makeMissing()).catch((error: unknown) => error);
      assert.ok(failure instanceof HoldfastError);
      assert.ok(!JSON.stringify([failure.message, failure.hint, failure.context]).includes(secret));
    },
  },
  {
    name: 'reads the same bytes twice when nothing changes',
    async run(subject) {
      const first = summaries(await collectSource(await subject.make()));
      assert.deepEqual(summaries(await collectSource(await subject.make())), first);
    },
  },
  {
    name: 'ends with operation.interrupted when it is aborted before and while it is read',
    async run(subject) {
      await rejectsWith(collectSource(await subject.make(), { signal: AbortSignal.abort() }), 'operation.interrupted');
      const controller = new AbortController();
      const onChunk = () => controller.abort();
      await rejectsWith(
        collectSource(await subject.make(), { signal: controller.signal, onChunk }),
        'operation.interrupted',
      );
    },
  },
  {
    name: 'frees everything when the reading is given up, and can be closed again',
    async run(subject) {
      const temporaryFolder = await mkdtemp(join(tmpdir(), 'holdfast-source-'));
      try {
        const source = await subject.make();
        for await (const _entry of source.entries({ ...noContext, temporaryFolder })) break;
        assert.deepEqual(await readdir(temporaryFolder), []);
        await source.close();
        await source.close();
      } finally {
        await rm(temporaryFolder, { recursive: true, force: true });
      }
    },
  },
];
