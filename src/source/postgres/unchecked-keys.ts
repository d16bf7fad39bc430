import type { DumpItem } from './dump-items.ts';
import type { PostgresConnection } from './postgres-connection.ts';
import { quoteName, quoteTable } from './sql-name.ts';

const name = String.raw`(?:"(?:[^"]|"")+"|[\w$\u0080-\uffff]+)`;
const keyOf = new RegExp(`^ALTER TABLE (?:ONLY )?(${name})\\.(${name})\\s`);
const referenceTo = new RegExp(`REFERENCES (${name})\\.(${name})`);

/** Partitioned tables and the tables that hold their rows, all as they are quoted. */
export type PartitionLeaves = ReadonlyMap<string, readonly string[]>;

/** Those of a whole database. */
export async function readPartitionLeaves(connection: PostgresConnection | undefined): Promise<PartitionLeaves> {
  const query = `SELECT n.nspname AS schema, c.relname AS name, ln.nspname AS leaf_schema, l.relname AS leaf
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN LATERAL pg_catalog.pg_partition_tree(c.oid) AS tree ON tree.isleaf AND tree.relid <> c.oid
    LEFT JOIN pg_catalog.pg_class l ON l.oid = tree.relid LEFT JOIN pg_catalog.pg_namespace ln ON ln.oid = l.relnamespace
    WHERE c.relkind = 'p'`;
  const leaves = new Map<string, string[]>();
  for (const row of (await connection?.rows(query)) ?? []) {
    const table = quoteTable({ schema: String(row['schema']), name: String(row['name']) });
    const of = leaves.get(table) ?? [];
    leaves.set(table, of);
    if (row['leaf'] !== null) of.push(quoteTable({ schema: String(row['leaf_schema']), name: String(row['leaf']) }));
  }
  return leaves;
}

function quoted(match: RegExpExecArray | null): string | undefined {
  const [, schema, table] = match ?? [];
  if (schema === undefined || table === undefined) return undefined;
  const plain = (part: string) => (part.startsWith('"') ? part : quoteName(part));
  return `${plain(schema)}.${plain(table)}`;
}

/**
 * A foreign key that refers to a table whose rows were left out holds for new rows only. On a partitioned table the server takes none such:
 * there each partition has it instead. All else stays as it is.
 */
export function withoutCheck(item: DumpItem, filled: ReadonlySet<string>, leaves: PartitionLeaves): DumpItem[] {
  if (item.type !== 'FK CONSTRAINT' || / NOT VALID;$/.test(item.text)) return [item];
  const referred = quoted(referenceTo.exec(item.text));
  if (referred === undefined || (leaves.get(referred) ?? [referred]).every((table) => filled.has(table))) return [item];
  const text = item.text.replace(/;$/, ' NOT VALID;');
  const owner = quoted(keyOf.exec(item.text));
  const partitions = owner === undefined ? undefined : leaves.get(owner);
  if (partitions === undefined) return [{ ...item, text }];
  return partitions.map((table) => ({ ...item, text: text.replace(keyOf, () => `ALTER TABLE ONLY ${table} `) }));
}
