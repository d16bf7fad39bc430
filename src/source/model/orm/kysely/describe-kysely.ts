import type { Kysely, KyselyPlugin } from 'kysely';
import { tableLabel } from '../../registry/discovered-model.ts';
import type { DatabaseTable } from '../model-adapter.ts';
import type { OrmModel } from '../orm-model.ts';

/** Names as the plugins of an instance give them in results: `customer_id` is `customerId` with the CamelCasePlugin. */
async function namesInResults(names: readonly string[], plugins: readonly KyselyPlugin[]): Promise<readonly string[]> {
  let rows: Record<string, unknown>[] = [Object.fromEntries(names.map((name) => [name, null]))];
  for (const plugin of plugins) {
    const result = await plugin.transformResult({ queryId: { queryId: 'holdfast' }, result: { rows } });
    rows = result.rows as Record<string, unknown>[];
  }
  const found = Object.keys(rows[0] ?? {});
  // A plugin that adds, drops or unites columns gives no names.
  return found.length === names.length ? found : names;
}

/**
 * The tables of a database, by the names that Kysely's interfaces have for them. An interface is gone at run time: the database says which tables and
 * columns there are, and the plugins of the instance what they are called.
 */
export async function describeKysely(database: Kysely<unknown>, tables: readonly DatabaseTable[]): Promise<OrmModel[]> {
  const { plugins } = database.getExecutor();
  const models: OrmModel[] = [];
  for (const { table, columns } of tables) {
    const [name = table.name] = await namesInResults([table.name], plugins);
    const fields = await namesInResults(columns, plugins);
    models.push({
      name: tableLabel({ ...table, name }),
      table,
      fields: columns.map((column, index) => ({ name: fields[index] ?? column, column })),
      relations: [],
      sources: [],
    });
  }
  return models;
}
