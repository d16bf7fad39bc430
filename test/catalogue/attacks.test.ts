/** What a keeper of archives may try, each told by the catalogue: on local disk, in memory, and on a storage that fails at times. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { catalogueFolder } from '../../src/catalogue/catalogue-folder.ts';
import { parseHead } from '../../src/catalogue/chain-head.ts';
import { LocalStorage } from '../../src/storage/local/local-storage.ts';
import { MemoryStorage } from '../../src/storage/memory/memory-storage.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { retryStorage } from '../../src/storage/wrap/retry.ts';
import { FaultyStorage } from '../../src/testing/faulty-storage.ts';
import { emptyFolder, makeWorkspace } from '../end-to-end/workspace.ts';
import { mutate } from '../fuzz/mutate.ts';
import { archiveOf, bytesOf, copyOf, Machine, put, putBack } from './catalogue-world.ts';

const workspace = makeWorkspace('catalogue');
let count = 0;

const kinds: Readonly<Record<string, (folder: string) => Storage>> = {
  local: (folder) => new LocalStorage({ root: join(folder, 'storage') }),
  memory: () => new MemoryStorage(),
  faulty: () =>
    retryStorage(
      new FaultyStorage(new MemoryStorage(), { seed: 8, faults: { callErrorRate: 0.2, readErrorRate: 0.2 } }),
      {
        wait: async () => undefined,
      },
    ),
};

interface World {
  readonly folder: string;
  readonly storage: Storage;
  readonly machine: Machine;
}

/** One test for each kind of storage, with two archives on it. */
function attack(name: string, run: (world: World) => Promise<void>): void {
  for (const [kind, make] of Object.entries(kinds)) {
    test(`${name} (${kind})`, async (t) => {
      const folder = await emptyFolder(workspace, `${count++}`);
      const machine = machineIn(folder, t);
      const storage = make(folder);
      await machine.backUp('a.holdfast', storage);
      await machine.backUp('b.holdfast', storage);
      assert.deepEqual(await machine.findings({ near: storage }), []);
      await run({ folder, storage, machine });
      assert.deepEqual(machine.problems, []);
    });
  }
}

function machineIn(folder: string, t: TestContext, options: ConstructorParameters<typeof Machine>[1] = {}): Machine {
  const machine = new Machine(folder, options);
  t.after(() => machine.restart());
  return machine;
}

attack('an archive that is deleted is missing', async ({ storage, machine }) => {
  await storage.delete('a.holdfast');
  assert.deepEqual(await machine.findings({ near: storage }), ['missing a.holdfast']);
  assert.equal((await machine.verify({ near: storage })).isViolated, true);
});

attack('an archive that Holdfast removes is not missing', async ({ storage, machine }) => {
  await machine.storage('near', storage).delete('a.holdfast');
  assert.deepEqual(await machine.findings({ near: storage }), []);
});

attack('an older archive in the place of a newer one is another', async ({ storage, machine }) => {
  const older = await bytesOf(storage, 'a.holdfast');
  await put(storage, 'b.holdfast', older);
  const { findings } = await machine.verify({ near: storage });
  assert.deepEqual(
    findings.map(({ kind, name }) => [kind, name]),
    [['changed', 'b.holdfast']],
  );
  assert.match(findings[0]?.message ?? '', /put there as a\.holdfast/);
});

attack('an older archive under a new name is known by its id', async ({ storage, machine }) => {
  await put(storage, 'c.holdfast', await bytesOf(storage, 'a.holdfast'));
  assert.deepEqual(await machine.findings({ near: storage }), ['renamed c.holdfast']);
});

attack('an archive that was removed and is offered under a new name is known too', async ({ storage, machine }) => {
  const kept = await bytesOf(storage, 'a.holdfast');
  await machine.storage('near', storage).delete('a.holdfast');
  await put(storage, 'c.holdfast', kept);
  assert.deepEqual(await machine.findings({ near: storage }), ['renamed c.holdfast']);
});

attack('an archive that was removed does not come back unnoticed', async ({ storage, machine }) => {
  const kept = await bytesOf(storage, 'a.holdfast');
  await machine.storage('near', storage).delete('a.holdfast');
  await put(storage, 'a.holdfast', kept);
  assert.deepEqual(await machine.findings({ near: storage }), ['returned a.holdfast']);
});

attack('archives that change their names are missing and renamed', async ({ storage, machine }) => {
  const [a, b] = [await bytesOf(storage, 'a.holdfast'), await bytesOf(storage, 'b.holdfast')];
  await put(storage, 'a.holdfast', b);
  await put(storage, 'b.holdfast', a);
  assert.deepEqual(await machine.findings({ near: storage }), ['changed a.holdfast', 'changed b.holdfast']);
});

attack('an archive that is cut is changed, without being opened too', async ({ storage, machine }) => {
  const bytes = await bytesOf(storage, 'a.holdfast');
  await put(storage, 'a.holdfast', bytes.subarray(0, bytes.length - 4096));
  assert.deepEqual(await machine.findings({ near: storage }, { level: 'names' }), ['changed a.holdfast']);
  assert.deepEqual(await machine.findings({ near: storage }), ['changed a.holdfast']);
});

attack('a header from before its keys were changed is noticed', async ({ storage, machine }) => {
  const before = await bytesOf(storage, 'a.holdfast');
  // The number of changes that a header has seen: that of a change of keys.
  const changed = mutate(before, [{ kind: 'field', block: 0, field: 20, value: 1n, all: true }]);
  await put(machine.storage('near', storage), 'a.holdfast', changed);
  assert.deepEqual(await machine.findings({ near: storage }), []);
  await put(storage, 'a.holdfast', before);
  const { findings } = await machine.verify({ near: storage });
  assert.match(findings[0]?.message ?? '', /other keys open it/);
});

attack('an archive that nobody recorded is not in the catalogue', async ({ storage, machine }) => {
  await put(storage, 'c.holdfast', await archiveOf('foreign'));
  const report = await machine.verify({ near: storage });
  assert.deepEqual(
    report.findings.map(({ kind }) => kind),
    ['unrecorded'],
  );
  assert.equal(report.isViolated, false);
});

attack('a storage that goes back to an earlier state, catalogue and all, is behind the history', async (world) => {
  const { storage, machine } = world;
  const kept = await copyOf(storage);
  await machine.backUp('c.holdfast', storage);
  await putBack(storage, kept);
  assert.deepEqual(await machine.findings({ near: storage }), ['rolled_back']);
  // The next run sees it as well, and does not hide it.
  await machine.restart();
  await machine.backUp('d.holdfast', storage);
  assert.match(machine.rollbacks.join(), /near: its catalogue ends at record 2, though record 3 was put there/);
  assert.deepEqual(await machine.findings({ near: storage }), ['gap']);
});

attack('a catalogue that is deleted is missed', async ({ storage, machine }) => {
  for (const name of (await copyOf(storage, catalogueFolder)).keys()) await storage.delete(name);
  assert.deepEqual(await machine.findings({ near: storage }), ['rolled_back']);
});

attack('a record that is taken out of the middle leaves a gap', async ({ storage, machine }) => {
  await machine.backUp('c.holdfast', storage);
  const [, second = ''] = [...(await copyOf(storage, catalogueFolder)).keys()].sort();
  await storage.delete(second);
  await storage.delete('b.holdfast');
  assert.deepEqual(await machine.findings({ near: storage }), ['gap']);
});

attack('records that are altered or signed by another are forged', async ({ folder, storage, machine }) => {
  const [first = '', second = ''] = [...(await copyOf(storage, catalogueFolder)).keys()].sort();
  const altered = Buffer.from(await bytesOf(storage, first))
    .toString()
    .replace('a.holdfast', 'z.holdfast');
  const kept = await bytesOf(storage, first);
  await put(storage, first, Buffer.from(altered));
  assert.deepEqual(await machine.findings({ near: storage }), ['forged', 'gap', 'unrecorded a.holdfast']);
  await put(storage, first, kept);
  // A chain of another writer, put in the place of this one.
  const other = new Machine(await emptyFolder(folder, 'other'));
  const elsewhere = new MemoryStorage();
  for (const name of ['x.holdfast', 'y.holdfast']) await other.backUp(name, elsewhere);
  const [, theirs] = [...(await copyOf(elsewhere, catalogueFolder)).entries()].sort(([a], [b]) => (a < b ? -1 : 1));
  await put(storage, second, theirs?.[1] ?? new Uint8Array());
  assert.deepEqual(await machine.findings({ near: storage }), ['forged', 'rolled_back', 'unrecorded b.holdfast']);
  await other.restart();
});

attack('without its history a machine knows a roll-back by the head that was noted', async ({ storage, machine }) => {
  const kept = await copyOf(storage);
  await machine.backUp('c.holdfast', storage);
  const [noted] = (await machine.verify({ near: storage })).storages[0]?.chains ?? [];
  const expectedHeads = [parseHead(noted?.head ?? '')];
  assert.deepEqual(await machine.findings({ near: storage }, { expectedHeads }), []);
  await putBack(storage, kept);
  await machine.loseHistory();
  assert.deepEqual(await machine.findings({ near: storage }, { expectedHeads }), ['rolled_back', 'unknown_chain']);
});

attack('without its history a machine knows a roll-back of one storage by another', async ({ storage, machine }) => {
  const far = new MemoryStorage();
  await machine.backUp('a.holdfast', far, 'a.holdfast', 'far');
  const kept = await copyOf(storage);
  await machine.backUp('c.holdfast', storage);
  await machine.backUp('c.holdfast', far, 'c.holdfast', 'far');
  await putBack(storage, kept);
  await machine.loseHistory();
  assert.deepEqual(await machine.findings({ near: storage, far }), ['rolled_back', 'unknown_chain', 'unknown_chain']);
  for (const name of (await copyOf(storage, catalogueFolder)).keys()) await storage.delete(name);
  const { findings } = await machine.verify({ near: storage, far });
  assert.deepEqual(
    findings.map(({ kind, storage: at }) => `${kind} ${at}`),
    ['unknown_chain far', 'rolled_back near'],
  );
});

attack('a history that is lost is built again from the catalogue, and goes on with its chain', async (world) => {
  const { storage, machine } = world;
  await machine.loseHistory();
  assert.equal((await machine.learn({ near: storage })).length, 1);
  assert.deepEqual(await machine.learn({ near: storage }), []);
  await machine.backUp('c.holdfast', storage);
  assert.deepEqual(await machine.findings({ near: storage }), []);
  const [one, ...others] = (await machine.verify({ near: storage })).storages[0]?.chains ?? [];
  assert.deepEqual([one?.recordCount, others.length], [3, 0]);
});

attack('what was looked into is taken as right, and told no more', async ({ storage, machine }) => {
  const kept = await copyOf(storage);
  await machine.backUp('c.holdfast', storage);
  await machine.backUp('d.holdfast', storage);
  await putBack(storage, kept);
  await storage.delete('a.holdfast');
  await put(storage, 'e.holdfast', await archiveOf('foreign'));
  await machine.restart();
  await machine.accept({ near: storage });
  assert.deepEqual(await machine.findings({ near: storage }), []);
  await machine.backUp('f.holdfast', storage);
  assert.deepEqual(await machine.findings({ near: storage }), []);
  await storage.delete('e.holdfast');
  assert.deepEqual(await machine.findings({ near: storage }), ['missing e.holdfast']);
});
