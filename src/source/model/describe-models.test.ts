import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dependencyLevels } from './dependency-order.ts';
import { describeModels } from './describe-models.ts';
import { type Model, tableKey } from './model.ts';

function model(name: string, references: readonly string[] = []): Model {
  return {
    name,
    table: { schema: 'public', name },
    columns: [
      { name: 'id', type: { kind: 'integer', bits: 64, isUnsigned: false }, nativeType: 'bigint', isNullable: false },
      {
        name: 'owner_id',
        type: { kind: 'integer', bits: 64, isUnsigned: false },
        nativeType: 'bigint',
        isNullable: true,
      },
    ],
    primaryKey: { name: `${name}_pkey`, columns: ['id'] },
    uniqueKeys: [],
    foreignKeys: references.map((target, index) => ({
      name: `${name}_fk${index}`,
      columns: ['owner_id'],
      references: { table: { schema: 'public', name: target }, columns: ['id'] },
    })),
  };
}

test('what an ORM says of one model changes that one alone: the others stay', () => {
  const models = [model('invoice'), model('person'), model('tag')];
  const described = describeModels(models, [
    {
      name: 'Invoice',
      table: { name: 'invoice' },
      fields: [{ name: 'ownerId', column: 'owner_id' }],
      relations: [
        { name: 'owner', columns: ['owner_id'], references: { table: { name: 'person' }, columns: ['id'] } },
        { name: 'nowhere', columns: ['owner_id'], references: { table: { name: 'gone' }, columns: ['id'] } },
      ],
    },
  ]);
  assert.deepEqual(
    described.map(({ name }) => name),
    ['Invoice', 'person', 'tag'],
  );
  const [invoice] = described;
  assert.equal(invoice?.columns[1]?.field, 'ownerId');
  assert.deepEqual(
    invoice?.foreignKeys.map(({ name, isSoft }) => [name, isSoft]),
    [['owner', true]],
  );
  assert.deepEqual(described.slice(1), models.slice(1));
});

test('a relation that the database has already is not told twice', () => {
  const [invoice] = describeModels(
    [model('invoice', ['person']), model('person')],
    [
      {
        name: 'Invoice',
        table: { schema: 'public', name: 'invoice' },
        fields: [],
        relations: [
          { name: 'owner', columns: ['owner_id'], references: { table: { name: 'person' }, columns: ['id'] } },
        ],
      },
    ],
  );
  assert.equal(invoice?.foreignKeys.length, 1);
});

test('two models of one name are refused', () => {
  const description = (table: string) => ({ name: 'Same', table: { name: table }, fields: [], relations: [] });
  assert.throws(() => describeModels([model('a'), model('b')], [description('a'), description('b')]), {
    code: 'config.invalid',
  });
});

test('models come after those that they need; circles and what names itself have an end', () => {
  const models = [
    model('line', ['invoice', 'product']),
    model('invoice', ['person']),
    model('person', ['team', 'person']),
    model('team', ['person']),
    model('product'),
    model('far', ['gone']),
  ];
  const levels = dependencyLevels(models);
  const level = (name: string) => levels.get(tableKey({ schema: 'public', name })) ?? -1;
  assert.ok(level('line') > level('invoice') && level('invoice') > level('person'));
  assert.ok(level('line') > level('product'));
  assert.equal(level('far'), 0);
  assert.equal(levels.size, models.length);
  const chain = Array.from({ length: 20_000 }, (_, index) => model(`m${index}`, index === 0 ? [] : [`m${index - 1}`]));
  assert.equal(dependencyLevels(chain.toReversed()).get(tableKey({ schema: 'public', name: 'm19999' })), 19_999);
});
