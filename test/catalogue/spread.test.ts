/** What a keeper of one of several storages that share archives may try with its shards, each told by the catalogue. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { storedFacts } from '../../src/catalogue/object-facts.ts';
import { MemoryStorage } from '../../src/storage/memory/memory-storage.ts';
import { SpreadStorage } from '../../src/storage/spread/spread-storage.ts';
import { FaultyStorage } from '../../src/testing/faulty-storage.ts';
import { emptyFolder, makeWorkspace } from '../end-to-end/workspace.ts';
import { copyOf, Machine, putBack } from './catalogue-world.ts';

const workspace = makeWorkspace('catalogue-spread');
let count = 0;

async function newWorld(t: TestContext) {
  const machine = new Machine(await emptyFolder(workspace, `${count++}`));
  t.after(() => machine.restart());
  const inner = ['a', 'b', 'c'].map(() => new MemoryStorage());
  const faulty = inner.map((storage, seed) => new FaultyStorage(storage, { seed }));
  const members = faulty.map((storage, index) => ({ label: 'abc'[index] ?? '', storage }));
  const storage = new SpreadStorage({ shape: { data: 2, parity: 1 }, members });
  await machine.backUp('x.holdfast', storage);
  await machine.backUp('y.holdfast', storage);
  const findings = async (level: 'names' | 'headers' = 'names') => await machine.findings({ near: storage }, { level });
  assert.deepEqual([await findings(), await findings('headers')], [[], []]);
  const shardOn = async (index: number, name: string) => {
    const found: string[] = [];
    for await (const shard of inner[index]?.list(`${name}.`) ?? []) found.push(shard.name);
    return found[0] ?? assert.fail('it has no shard there');
  };
  return { machine, inner, faulty, storage, findings, shardOn };
}

test('a shard that is removed behind the back is told, until it is made anew', async (t) => {
  const { machine, inner, storage, findings, shardOn } = await newWorld(t);
  await inner[1]?.delete(await shardOn(1, 'x.holdfast'));
  assert.deepEqual(await findings(), ['shard_missing x.holdfast']);
  const { findings: told, isViolated } = await machine.verify({ near: storage });
  assert.equal(isViolated, true);
  assert.match(told[0]?.message ?? '', /^1 of its 3 shards is gone from b without having been removed$/);
  await storage.rebuild('x.holdfast', [1]);
  assert.deepEqual(await findings('headers'), []);
});

test('one storage that is put back to what it was is told, of each archive since', async (t) => {
  const { machine, inner, storage, findings } = await newWorld(t);
  const before = await copyOf(inner[2] ?? storage);
  await machine.backUp('z.holdfast', storage);
  await machine.backUp('y.holdfast', storage, 'another content');
  await putBack(inner[2] ?? storage, before);
  assert.deepEqual(await findings(), ['shard_missing y.holdfast', 'shard_missing z.holdfast']);
  await machine.accept({ near: storage });
  assert.deepEqual(await findings('headers'), []);
});

test('a storage that was away when an archive was written, or is now, took nothing away', async (t) => {
  const { machine, faulty, storage, findings } = await newWorld(t);
  const [first] = faulty;
  assert.ok(first);
  first.faults = { callErrorRate: 1 };
  await machine.backUp('z.holdfast', storage);
  assert.deepEqual(await findings(), []);
  first.faults = {};
  assert.deepEqual(await findings('headers'), []);
  await storage.rebuild('z.holdfast', [0]);
  assert.deepEqual(await findings('headers'), []);
});

test('an archive that lacks a shard is not gone while another storage is away', async (t) => {
  const { machine, inner, faulty, storage, findings, shardOn } = await newWorld(t);
  const [first, , third] = faulty;
  assert.ok(first && third);
  first.faults = { callErrorRate: 1 };
  await machine.backUp('z.holdfast', storage);
  first.faults = {};
  third.faults = { callErrorRate: 1 };
  assert.deepEqual([await findings(), await findings('headers')], [[], []]);
  // What the storages that answer lack is told all the same.
  await inner[1]?.delete(await shardOn(1, 'x.holdfast'));
  assert.deepEqual(await findings(), ['shard_missing x.holdfast']);
  await inner[0]?.delete(await shardOn(0, 'x.holdfast'));
  assert.deepEqual(await findings(), ['missing x.holdfast']);
});

test('what a crash left to the next run is recorded with its shards', async (t) => {
  const { machine, inner, storage, findings, shardOn } = await newWorld(t);
  // The record of the last archive was not written before the process died.
  const writer = await machine.writer();
  const facts = await storedFacts(storage, 'y.holdfast');
  assert.equal(facts?.shards?.length, 3);
  await writer.append({ name: 'near', storage }, { event: 'written', object: facts, adopted: true });
  assert.deepEqual(await findings('headers'), []);
  await inner[0]?.delete(await shardOn(0, 'y.holdfast'));
  assert.deepEqual(await findings(), ['shard_missing y.holdfast']);
});
