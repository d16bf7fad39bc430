import type { EntryMetadata } from '../archive/json.ts';
import type { PartCounts } from '../policy/plausibility.ts';
import type { EntryBytes, Source, SourceContext, SourceEntry } from '../source/source.ts';
import { archivedTables } from '../source/sqlite/archived-tables.ts';

/** Kinds of entries whose size says how much is in them. */
const sizedKinds: readonly string[] = ['table', 'large-objects', 'dump', 'stream'];

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

/** Sources whose entries are counted as they are read. */
export class CountedSources {
  readonly sources: readonly Source[];
  readonly #entries: { readonly entry: SourceEntry; sizeBytes: number }[] = [];

  constructor(sources: readonly Source[]) {
    this.sources = sources.map((source) => this.#counted(source));
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

  async *#entriesOf(source: Source, context: SourceContext): AsyncGenerator<SourceEntry> {
    for await (const entry of source.entries(context)) {
      const { open } = entry;
      // Files are many, and are not compared.
      if (entry.kind !== 'sqlite' && !sizedKinds.includes(entry.kind)) {
        yield entry;
        continue;
      }
      const counted = { entry, sizeBytes: 0 };
      this.#entries.push(counted);
      const onBytes = (sizeBytes: number) => {
        counted.sizeBytes += sizeBytes;
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

function countBytes(bytes: EntryBytes, onBytes: (sizeBytes: number) => void): EntryBytes {
  const { readInto } = bytes;
  return {
    async *[Symbol.asyncIterator]() {
      for await (const chunk of bytes) {
        onBytes(chunk.length);
        yield chunk;
      }
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
