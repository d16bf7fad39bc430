import type { SourceContext, SourceEntry } from '../source.ts';
import type { DumpSession } from './dump-session.ts';
import { readObjects } from './read-objects.ts';
import { encodeObject, type SchemaObject } from './schema-object.ts';
import { pathPart } from './sql-text.ts';
import { type EntryOptions, once } from './table-entries.ts';

/**
 * What the database holds beside tables, one entry each. It is read when the tables were: a sequence must not give again what the rows of the
 * snapshot have.
 */
export async function* objectEntries(
  session: DumpSession,
  options: EntryOptions & {
    readonly context: SourceContext;
    /** Tables were chosen by name: what belongs to no table is left out. */
    readonly isChosen: boolean;
  },
): AsyncGenerator<SourceEntry> {
  const { objects, hidden } = await readObjects(session.control, options.database);
  const isWanted = ({ kind, name, table }: Pick<SchemaObject, 'kind' | 'name' | 'table'>) => {
    if (kind === 'trigger') return session.isWanted(table ?? '');
    if (kind === 'view' || kind === 'sequence') return session.isWanted(name);
    return !options.isChosen;
  };
  const pathOf = ({ kind, name }: Pick<SchemaObject, 'kind' | 'name'>) =>
    `${options.prefix}/schema/${kind === 'package body' ? 'package-bodies' : `${kind}s`}/${pathPart(name)}`;
  for (const object of hidden.filter(isWanted)) {
    const message = `its definition may not be read: the ${object.kind} belongs to another account`;
    options.context.report({ code: 'source.unreadable', path: pathOf(object), message });
  }
  for (const object of objects.filter(isWanted)) {
    const { bytes, metadata } = encodeObject(object);
    yield {
      path: pathOf(object),
      kind: 'schema',
      expectedSizeBytes: bytes.length,
      metadata: { ...session.metadata, ...metadata },
      open: () => once(bytes),
    };
  }
}
