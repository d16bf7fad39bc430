import { longestTimerMs } from '../../clock.ts';
import { HoldfastError } from '../../errors.ts';
import { ReadableBytes } from '../readable-bytes.ts';
import type { EntryBytes, EntryMetadata, SourceEntry } from '../source.ts';
import { readProperties } from './database-properties.ts';
import { dumpFormat } from './dump-options.ts';
import { type PostgresAddress, toolVariables } from './postgres-address.ts';
import { findTool, type PostgresTool } from './postgres-tool.ts';
import { readSequences } from './read-sequences.ts';
import type { SnapshotSession } from './snapshot-session.ts';
import { pathPart, plainName, quoteTable } from './sql-name.ts';
import { listTables, type SourceTable } from './table-list.ts';
import { copyStatements, TableRows } from './table-rows.ts';
import { toolOutput } from './tool-output.ts';

const dumpEndMark = 'PostgreSQL database dump complete';
const clusterEndMark = 'PostgreSQL database cluster dump complete';
/** Ranges of pages are found without reading all others since this version. */
const rangeMajor = 14;

/** What the entries of a database are made of. */
export interface EntryOptions {
  readonly session: SnapshotSession;
  readonly tool: PostgresTool;
  readonly address: PostgresAddress;
  /** `databases/<name>` */
  readonly prefix: string;
  readonly timeoutMs: number;
  readonly extraOptions: readonly string[];
  /** Rows of all tables are read; else large objects, which belong to no table, are left out. */
  readonly isWhole: boolean;
}

function commonMetadata({ session, address }: EntryOptions): EntryMetadata {
  return { engine: 'postgres', engineVersion: session.server.version, database: address.database };
}

function dumpCommand(options: EntryOptions, args: readonly string[]): string[] {
  const { tool, session, timeoutMs, extraOptions } = options;
  const encoding = session.encoding === 'SQL_ASCII' ? 'SQL_ASCII' : 'UTF8';
  return [
    tool.path,
    `--snapshot=${session.snapshot}`,
    `--lock-wait-timeout=${Math.min(timeoutMs, longestTimerMs)}`,
    `--encoding=${encoding}`,
    '--no-password',
    ...args,
    ...extraOptions,
  ];
}

/** Definitions: those that tables need before their rows, or those that come after. */
export async function schemaEntry(options: EntryOptions, section: 'pre-data' | 'post-data'): Promise<SourceEntry> {
  const { address, prefix, session } = options;
  const properties = section === 'pre-data' ? await readProperties(session.control, address.database) : undefined;
  const command = dumpCommand(options, [`--section=${section}`]);
  return {
    path: `${prefix}/schema/${section}.sql`,
    kind: 'schema',
    expectedSizeBytes: 0,
    metadata: {
      ...commonMetadata(options),
      object: section,
      ...(properties === undefined ? {} : { properties: { ...properties }, tableCount: session.tables.length }),
    },
    open: (signal) =>
      toolOutput({ command, variables: toolVariables(address), endMark: dumpEndMark, label: address.label, signal }),
  };
}

/** Begins to read a table; its rows come when the entry is opened. */
export function tableEntry(options: EntryOptions, table: SourceTable, index: number): SourceEntry {
  const { session, prefix, timeoutMs } = options;
  // One connection alone reads a table faster as a whole.
  const canSplit = session.server.major >= rangeMajor && session.lanes.length > 1;
  const rows = new TableRows({
    statements: copyStatements(table, { canSplit }),
    lanes: session.lanes,
    firstLane: index % session.lanes.length,
    silence: { timeoutMs, onSilence: session.probe },
  });
  const { schema, name, columns } = table;
  return {
    path: `${prefix}/tables/${pathPart(plainName(table))}`,
    kind: 'table',
    expectedSizeBytes: table.sizeBytes,
    get metadata() {
      const format = {
        format: 'postgres-copy-text',
        encoding: session.encoding === 'SQL_ASCII' ? 'SQL_ASCII' : 'UTF8',
      };
      return { ...commonMetadata(options), ...format, schema, table: name, columns, rows: rows.rowCount };
    },
    open: () => new ReadableBytes((into) => rows.readInto(into)),
  };
}

/** The contents of large objects, as statements of `pg_dump`; their owners, rights and comments are in the schema. Undefined where there are none. */
export async function largeObjectsEntry(options: EntryOptions): Promise<SourceEntry | undefined> {
  const { address, prefix, session } = options;
  const [row] = await session.control.rows('SELECT count(*)::int AS count FROM pg_largeobject_metadata');
  const count = Number(row?.['count']);
  if (count === 0 || !options.isWhole) return undefined;
  const command = dumpCommand(options, ['--section=data', '--blobs', '--exclude-table-data=*.*']);
  const opened = lineCounter(/^SELECT pg_catalog\.lo_open\(/);
  const dump = (signal: AbortSignal | undefined): EntryBytes =>
    toolOutput({
      command,
      variables: toolVariables(address),
      endMark: dumpEndMark,
      label: address.label,
      signal,
      onBytes: opened.add,
    });
  return {
    path: `${prefix}/large-objects.sql`,
    kind: 'large-objects',
    expectedSizeBytes: 0,
    metadata: { ...commonMetadata(options), rows: count },
    async *open(signal) {
      yield* dump(signal);
      if (opened.count() === count) return;
      const message = `${address.label}: ${opened.count()} large objects were dumped where the server has ${count}`;
      throw new HoldfastError('source.incomplete', { message });
    },
  };
}

/** Counts the lines that begin as told, over chunks of any size. */
function lineCounter(beginning: RegExp): { readonly add: (bytes: Buffer) => void; readonly count: () => number } {
  const beginningBytes = 40;
  let line = '';
  let found = 0;
  return {
    add(bytes) {
      for (let at = 0; at <= bytes.length; ) {
        const end = bytes.indexOf(0x0a, at);
        const until = end < 0 ? bytes.length : end;
        if (line.length < beginningBytes) line += bytes.toString('latin1', at, Math.min(until, at + beginningBytes));
        if (end < 0) return;
        if (beginning.test(line)) found += 1;
        line = '';
        at = end + 1;
      }
    },
    count: () => found,
  };
}

/** The values of all sequences. Undefined where there are none. */
export async function sequencesEntry(options: EntryOptions): Promise<SourceEntry | undefined> {
  const { text, count } = await readSequences(options.session.control);
  if (count === 0) return undefined;
  const bytes = Buffer.from(text);
  return {
    path: `${options.prefix}/schema/sequences.sql`,
    kind: 'schema',
    expectedSizeBytes: bytes.length,
    metadata: { ...commonMetadata(options), object: 'sequences', count },
    async *open() {
      for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
    },
  };
}

/** The roles of the server, as `pg_dumpall` writes them. */
export async function rolesEntry(options: EntryOptions, signal: AbortSignal | undefined): Promise<SourceEntry> {
  const { address, prefix, session } = options;
  const tool = await findTool('pg_dumpall', session.server.version, signal);
  const command = [tool.path, '--roles-only', '--no-password', '--encoding=UTF8'];
  return {
    path: `${prefix}/roles.sql`,
    kind: 'roles',
    expectedSizeBytes: 0,
    metadata: commonMetadata(options),
    open: (openSignal) =>
      toolOutput({
        command,
        variables: toolVariables(address),
        endMark: clusterEndMark,
        label: address.label,
        signal: openSignal,
      }),
  };
}

/** Options that leave out the rows of tables that are not chosen, as the method `copy` does: their definitions stay. */
async function exclusions({ control, tables }: SnapshotSession): Promise<string[]> {
  const chosen = new Set(tables.map(quoteTable));
  const all = (await listTables(control)).map(quoteTable);
  return all.filter((name) => !chosen.has(name)).map((name) => `--exclude-table-data=${name}`);
}

/** All of the database in one stream, as `pg_dump` alone writes it. */
export async function wholeDumpEntry(options: EntryOptions): Promise<SourceEntry> {
  const { address, extraOptions, prefix, session } = options;
  const format = dumpFormat(extraOptions);
  const properties = await readProperties(session.control, address.database);
  const command = dumpCommand(options, ['--format=custom', ...(await exclusions(session))]);
  return {
    path: `${prefix}/database.${format === 'custom' ? 'dump' : 'sql'}`,
    kind: 'dump',
    expectedSizeBytes: session.tables.reduce((sum, table) => sum + table.sizeBytes, 0),
    metadata: { ...commonMetadata(options), format, properties: { ...properties } },
    open: (signal) =>
      toolOutput({
        command,
        variables: toolVariables(address),
        ...(format === 'plain' ? { endMark: dumpEndMark } : {}),
        label: address.label,
        signal,
      }),
  };
}
