import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RelationDescription } from '../model-description.ts';
import type { DiscoveredModel } from './discovered-model.ts';
import { nameModels } from './name-models.ts';

function relation(name: string, column: string, table: string): RelationDescription {
  return { name, columns: [column], references: { table: { name: table }, columns: ['id'] } };
}

function table(name: string, columns: readonly string[], relations: RelationDescription[] = []): DiscoveredModel {
  return {
    name,
    table: { name },
    fields: columns.map((column) => ({ name: column, column, nullable: false })),
    relations,
  };
}

test('names of the ORM, columns and constraints of the database', () => {
  class Invoice {}
  const tables = [
    table('invoices', ['id', 'customer_id', 'batch_id', 'legacy'], [relation('fk_1', 'customer_id', 'customers')]),
    table('customers', ['id']),
  ];
  const { models, unmatched } = nameModels(tables, [
    {
      name: 'Invoice',
      table: { name: 'invoices' },
      fields: [
        { name: 'id', column: 'id' },
        { name: 'customerId', column: 'customer_id' },
        { name: 'batchId', column: 'batch_id' },
        { name: 'notMigratedYet', column: 'not_migrated_yet' },
      ],
      relations: [
        relation('customer', 'customer_id', 'customers'),
        relation('batch', 'batch_id', 'batches'),
        relation('future', 'not_migrated_yet', 'customers'),
      ],
      sources: [Invoice],
    },
    { name: 'Report', table: { name: 'report_view' }, fields: [], relations: [] },
  ]);
  assert.deepEqual(models, [
    {
      name: 'Invoice',
      table: { name: 'invoices' },
      fields: [
        { name: 'id', column: 'id', nullable: false },
        { name: 'customerId', column: 'customer_id', nullable: false },
        { name: 'batchId', column: 'batch_id', nullable: false },
        { name: 'legacy', column: 'legacy', nullable: false },
      ],
      relations: [relation('customer', 'customer_id', 'customers'), relation('batch', 'batch_id', 'batches')],
      sources: [Invoice],
    },
    table('customers', ['id']),
  ]);
  assert.deepEqual(
    unmatched.map(({ name }) => name),
    ['Report'],
  );
});

test('no name stands for two: columns and tables that are not described step aside', () => {
  const described = (name: string, schema?: string): DiscoveredModel => ({
    name,
    table: schema === undefined ? { name: 'thing' } : { schema, name: 'thing' },
    fields: [{ name: 'total', column: 'total_cents' }],
    relations: [],
  });
  const tables = [
    { ...table('thing', ['total_cents', 'total']), table: { name: 'thing' } },
    { ...table('thing', ['total_cents']), table: { schema: 'other', name: 'thing' } },
    table('Thing', ['id']),
  ];
  const { models } = nameModels(tables, [described('Thing'), described('Thing', 'other')]);
  assert.deepEqual(
    models.map(({ name }) => name),
    ['thing', 'other.thing', 'Thing'],
  );
  assert.deepEqual(
    models[0]?.fields.map(({ name }) => name),
    ['total', 'column:total'],
  );
});
