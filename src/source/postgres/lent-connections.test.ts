import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LentConnections } from './lent-connections.ts';
import type { PostgresConnection } from './postgres-connection.ts';

const connection = (name: string) => ({ name }) as unknown as PostgresConnection;

test('who waits for a connection gets it before one that would like a second', async () => {
  const [one, two] = [connection('one'), connection('two')];
  const lent = new LentConnections([one, two]);
  assert.equal(await lent.take(), one);
  assert.equal(lent.takeFree(), two);
  assert.equal(lent.takeFree(), undefined);
  const waiting = lent.take();
  lent.giveBack(one);
  assert.equal(lent.takeFree(), undefined);
  assert.equal(await waiting, one);
});

test('after a failure nobody gets one, those included that wait', async () => {
  const lent = new LentConnections([connection('one')]);
  await lent.take();
  const waiting = lent.take();
  const failure = new Error('the table could not be filled');
  lent.fail(failure);
  await assert.rejects(waiting, (error) => error === failure);
  await assert.rejects(lent.take(), (error) => error === failure);
});
