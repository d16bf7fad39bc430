import type { EntryMetadata } from '../archive/json.ts';
import type { PartCounts } from '../policy/plausibility.ts';
import type { EntryBytes, Source, SourceContext, SourceEntry } from '../source/source.ts';
import { archivedTables } from '../source/sqlite/archived-tables.ts';
import type { Progress } from './options.ts';

/** Kinds of entries whose size says how much is in them. */
const sizedKinds: readonly string[] = ['table', 'large-objects', 'dump', 'stream', 'model'];

/** Tables that full-text search and the like keep for themselves: their rows come and go as they please. */
const shadowSuffix = /_(data|idx|content|docsize|config|segments|segdir|stat|node|parent|rowid)$/;

/** How much an entry of a database holds, by its tables where it has some. */
export function partCounts(entry: {
  readonly path: string;
  readonly kind: string;
  readonly sizeBytes: number;
  readonly metadata: EntryMetadata;
}): PartCounts[] {
  const { path, kind, sizeBytes, metadata } = entry;
  if (kind === 'sqlite') {
    // The file may shrink by a VACUUM: its rows are what counts.
    const tables = archivedTables(entry);
    const names = new Set(tables.map(({ name }) => name));
    const isShadow = (name: string) => shadowSuffix.test(name) && names.has(name.replace(shadowSuffix, ''));
    return tables.filter(({ name }) => !isShadow(name)).map((table) => ({ path: table.path, kind, rows: table.rows }));
  }
  if (!sizedKinds.includes(kind)) return [];
  const { rows } = metadata;
  return [{ path, kind, sizeBytes, ...(typeof rows === 'number' ? { rows } : {}) }];
}

interface CountedEntry {
  readonly entry: SourceEntry;
  sizeBytes: number;
}

/** Sources whose entries are counted as they are read. */
export class CountedSources {
  readonly sources: readonly Source[];
  readonly #entries: CountedEntry[] = [];
  /** Those whose bytes have begun and not ended, by path. */
  readonly #open = new Map<string, CountedEntry>();
  #doneRows = 0;

  constructor(sources: readonly Source[]) {
    this.sources = sources.map((source) => this.#counted(source));
  }

  /** Adds to a progress what is known of the entry in work, and of the rows so far. */
  detail(progress: Progress): Progress {
    if (progress.phase !== 'read') return progress;
    const current = this.#open.get(progress.entry ?? '');
    const { entry, sizeBytes: entryDoneBytes = 0 } = current ?? {};
    return {
      ...progress,
      ...(entry === undefined ? {} : { entryDoneBytes, entryExpectedBytes: entry.expectedSizeBytes }),
      ...(this.#doneRows > 0 ? { doneRows: this.#doneRows } : {}),
    };
  }

  /** What was read; complete once all entries were. */
  get parts(): PartCounts[] {
    return this.#entries.flatMap(({ entry, sizeBytes }) => {
      const { path, kind, metadata } = entry;
      return partCounts({ path, kind, sizeBytes, metadata });
    });
  }

  #counted(source: Source): Source {
    const { name, parallelEntries } = source;
    const entries = (context: SourceContext) => this.#entriesOf(source, context);
    return {
      name,
      ...(parallelEntries === undefined ? {} : { parallelEntries }),
      describe: (context) => source.describe(context),
      entries,
      close: () => source.close(),
    };
  }

  #end(entry: SourceEntry): void {
    this.#open.delete(entry.path);
    const { rows } = entry.metadata;
    if (typeof rows === 'number') this.#doneRows += rows;
  }

  async *#entriesOf(source: Source, context: SourceContext): AsyncGenerator<SourceEntry> {
    for await (const entry of source.entries(context)) {
      const { open } = entry;
      // Files are many, and are not compared.
      if (entry.kind !== 'sqlite' && !sizedKinds.includes(entry.kind)) {
        yield entry;
        continue;
      }
      const counted: CountedEntry = { entry, sizeBytes: 0 };
      this.#entries.push(counted);
      const onBytes = (sizeBytes: number) => {
        counted.sizeBytes += sizeBytes;
        if (sizeBytes > 0) this.#open.set(entry.path, counted);
        else this.#end(entry);
      };
      yield {
        path: entry.path,
        ...(entry.pathBytes === undefined ? {} : { pathBytes: entry.pathBytes }),
        kind: entry.kind,
        expectedSizeBytes: entry.expectedSizeBytes,
        // What is learned while reading stands in it later.
        get metadata() {
          return entry.metadata;
        },
        ...(open === undefined ? {} : { open: (signal) => countBytes(open.call(entry, signal), onBytes) }),
      };
    }
  }
}

/** `onBytes` is called with 0 once at the end. */
function countBytes(bytes: EntryBytes, onBytes: (sizeBytes: number) => void): EntryBytes {
  const { readInto } = bytes;
  return {
    async *[Symbol.asyncIterator]() {
      for await (const chunk of bytes) {
        onBytes(chunk.length);
        yield chunk;
      }
      onBytes(0);
    },
    ...(readInto === undefined
      ? {}
      : {
          readInto: async (into: Uint8Array) => {
            const sizeBytes = await readInto.call(bytes, into);
            onBytes(sizeBytes);
            return sizeBytes;
          },
        }),
  };
}
