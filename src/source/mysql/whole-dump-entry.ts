import { HoldfastError } from '../../errors.ts';
import type { EntryMetadata, SourceEntry } from '../source.ts';
import type { DumpSession } from './dump-session.ts';
import { wholeArguments } from './dump-tool.ts';
import type { EntryOptions } from './table-entries.ts';

const endMark = /\n-- Dump completed[^\n]*\s*$/;
/** Room for the mark with the date. */
const tailBytes = 256;

/** All of the database as the dump tool writes it, in one entry. The rows are not counted. */
export async function* wholeDumpEntry(
  session: DumpSession,
  options: EntryOptions & { readonly isFiltered: boolean },
): AsyncGenerator<SourceEntry> {
  const { prefix, database, extraOptions, isFiltered } = options;
  const names = session.tables.map(({ name }) => name);
  await session.lockUncovered();
  const { tool } = session;
  const withHistory = session.reportHistory();
  const process = await session.start((optionsPath) =>
    wholeArguments({ tool, optionsPath, extraOptions, database, tables: isFiltered ? names : [], withHistory }),
  );
  const first = await process.next();
  const metadata: EntryMetadata = {
    ...session.metadata,
    tool: tool.program,
    toolVersion: tool.version,
    characterSet: session.defaults.characterSet,
    collation: session.defaults.collation,
    tables: names,
  };
  const bytes = async function* () {
    let tail = Buffer.alloc(0);
    for (let chunk = first; chunk !== undefined; chunk = await process.next()) {
      tail = Buffer.concat([tail, chunk.subarray(-tailBytes)]).subarray(-tailBytes);
      yield chunk;
    }
    if (endMark.test(tail.toString('latin1'))) return;
    throw new HoldfastError('tool.failed', {
      message: 'the dump tool ended without the mark that says that its dump is complete',
      hint: 'see whether the server, or this machine, had a fault; what was written is not used',
    });
  };
  const expectedSizeBytes = session.tables.reduce((sum, table) => sum + table.expectedSizeBytes, 0);
  yield { path: `${prefix}/dump.sql`, kind: 'dump', expectedSizeBytes, metadata, open: bytes };
}
