import { posix } from 'node:path';
import type { EntryMetadata } from '../source.ts';
import type { TableRows } from './inspect-database.ts';

/** A table inside an archived database, with the path that chooses it alone. */
export interface ArchivedTable extends TableRows {
  /** `databases/shop/tables/orders` */
  readonly path: string;
}

/** The tables that an archived SQLite database holds, as its metadata tells; none for entries of other kinds. */
export function archivedTables(entry: {
  readonly path: string;
  readonly kind: string;
  readonly metadata: EntryMetadata;
}): ArchivedTable[] {
  if (entry.kind !== 'sqlite') return [];
  const value = entry.metadata['tables'];
  const tables: ArchivedTable[] = [];
  for (const table of Array.isArray(value) ? value : []) {
    const { name, rows } = (table ?? {}) as { readonly name?: unknown; readonly rows?: unknown };
    if (typeof name !== 'string' || typeof rows !== 'number') continue;
    tables.push({ name, rows, path: `${posix.dirname(entry.path)}/tables/${name}` });
  }
  return tables;
}
