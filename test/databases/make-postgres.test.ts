import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { leftOut } from '../services/service-packages.ts';
import { type PostgresService, startPostgres } from '../services/start-postgres.ts';
import { comparePostgres } from './compare-postgres.ts';
import { connectPostgres } from './connect-postgres.ts';
import { makePostgres } from './make-postgres.ts';

const skip = leftOut('postgres');
let service: PostgresService;
before(async () => {
  if (skip === false) service = await startPostgres();
});
after(() => service?.stop());

async function made(name: string, options: { seed: number; rows: number }): Promise<string> {
  const url = await service.createDatabase(name);
  await makePostgres(url, options);
  return url;
}

test('a seed makes the same database again, another one other rows in the same schema', { skip }, async () => {
  const one = await made('one', { seed: 1, rows: 40 });
  const again = await made('again', { seed: 1, rows: 40 });
  const other = await made('other', { seed: 2, rows: 40 });
  // The numbers of enums' values and the like do not show.
  assert.deepEqual(await comparePostgres(one, again), []);
  const differing = (await comparePostgres(one, other)).map((line) => line.split(' differs')[0]);
  assert.ok(differing.includes('rows of types.every_type'), differing.join());
  assert.ok(differing.includes('rows of shop.large_value'), differing.join());
  assert.deepEqual(
    differing.filter((fact) => fact?.startsWith('rows of ') !== true),
    [],
  );
});

test('every kind of object and every partition with its rows is there, and rows grow', { skip }, async () => {
  const client = await connectPostgres(await made('large', { seed: 1, rows: 500 }));
  try {
    const ask = async (query: string) => (await client.query<Record<string, unknown>>(query)).rows;
    const kinds = await ask(
      "SELECT string_agg(DISTINCT relkind::text, '' ORDER BY relkind::text) AS kinds FROM pg_class",
    );
    assert.deepEqual(kinds, [{ kinds: 'IScfimprtv' }]);
    assert.deepEqual(await ask('SELECT count(*)::integer AS rows FROM types.every_type'), [{ rows: 501 }]);
    const partitions = await ask('SELECT DISTINCT tableoid::regclass::text AS name FROM shop.sale ORDER BY name');
    const names = ['shop.sale_north_new', 'shop.sale_north_old', 'shop.sale_other', 'shop.sale_south'];
    assert.deepEqual(
      partitions,
      names.map((name) => ({ name })),
    );
    const [toasted] = await ask(
      "SELECT pg_table_size(reltoastrelid) > 100000 AS large FROM pg_class WHERE relname = 'large_value'",
    );
    assert.deepEqual(toasted, { large: true });
  } finally {
    await client.end();
  }
});
