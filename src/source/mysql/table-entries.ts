import { HoldfastError } from '../../errors.ts';
import type { EntryMetadata, SourceEntry } from '../source.ts';
import type { DumpSession } from './dump-session.ts';
import { tableArguments } from './dump-tool.ts';
import { pathPart, quoteName } from './sql-text.ts';
import { TableDump } from './table-dump.ts';

/** What entries of a database are made of. */
export interface EntryOptions {
  /** `databases/name`. */
  readonly prefix: string;
  readonly database: string;
  readonly extraOptions: readonly string[];
}

/** The database itself, and each table with its rows, in one transaction; the transaction has begun when the first entry is given. */
export async function* tableEntries(session: DumpSession, options: EntryOptions): AsyncGenerator<SourceEntry> {
  const { prefix, database, extraOptions } = options;
  const expected = new Map(session.tables.filter(({ isSequence }) => !isSequence).map((table) => [table.name, table]));
  await session.lockUncovered();
  const { tool } = session;
  const names = [...expected.keys()];
  const withHistory = session.reportHistory();
  const process = await session.start((optionsPath) =>
    tableArguments({ tool, optionsPath, extraOptions, database, tables: names, withHistory }),
  );
  const dump = new TableDump(() => process.next());
  let name = await dump.nextTable();
  yield databaseEntry(session, options);
  for (; name !== undefined; name = await dump.nextTable()) {
    const table = expected.get(name);
    if (table === undefined) throw unexpectedTable(name);
    expected.delete(name);
    if (table.isTransactional) await session.unlock();
    const known = {
      ...session.metadata,
      table: name,
      storageEngine: table.storageEngine,
      columns: [...(session.columns.get(name) ?? [])],
      ...(table.isVersioned && withHistory ? { hasHistory: true } : {}),
    };
    // Asked for once the next table counts already, it has to be this table's still.
    let ended: EntryMetadata | undefined;
    yield {
      path: `${prefix}/tables/${pathPart(name)}`,
      kind: 'table',
      expectedSizeBytes: table.expectedSizeBytes,
      get metadata(): EntryMetadata {
        return ended ?? known;
      },
      async *open() {
        yield* dump.bytes();
        ended = { ...known, rows: dump.rowCount, largestStatementBytes: dump.largestStatementBytes };
      },
    };
  }
  await session.unlock();
  const [missing] = expected.keys();
  if (missing === undefined) return;
  throw new HoldfastError('source.changed', {
    message: `the table ${missing} was listed, and is not in the dump`,
    context: { tables: [...expected.keys()] },
  });
}

function unexpectedTable(name: string): HoldfastError {
  return new HoldfastError('tool.failed', {
    message: `the dump holds the table ${name}, which was not asked for`,
    hint: 'leave out extra options of the dump tool that add tables',
  });
}

/** What the database is beside its contents: its character set and collation, which new tables and routines take. */
function databaseEntry(session: DumpSession, { prefix, database }: EntryOptions): SourceEntry {
  const { characterSet, collation } = session.defaults;
  const bytes = Buffer.from(
    `CREATE DATABASE IF NOT EXISTS ${quoteName(database)} CHARACTER SET ${characterSet} COLLATE ${collation};\n`,
  );
  const tables = session.tables.map(({ name }) => name);
  return {
    path: `${prefix}/schema/database`,
    kind: 'schema',
    expectedSizeBytes: bytes.length,
    metadata: { ...session.metadata, object: 'database', characterSet, collation, tables },
    open: () => once(bytes),
  };
}

/** Bytes that are there already. */
export async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  const limitBytes = 1024 * 1024;
  for (let at = 0; at < bytes.length; at += limitBytes) yield bytes.subarray(at, at + limitBytes);
}
