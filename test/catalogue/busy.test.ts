/** Storages that are held against their catalogues while others write to them: what is right raises no alarm, what is wrong does. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { catalogueFolder } from '../../src/catalogue/catalogue-folder.ts';
import { MemoryStorage } from '../../src/storage/memory/memory-storage.ts';
import type { Storage, StorageWriter, StoredObject, WriterOptions } from '../../src/storage/storage.ts';
import { ForwardingStorage } from '../../src/storage/wrap/forwarding-storage.ts';
import { emptyFolder, makeWorkspace } from '../end-to-end/workspace.ts';
import { Machine } from './catalogue-world.ts';

const workspace = makeWorkspace('catalogue-busy');
let count = 0;

/** A machine with two archives on a storage. */
async function newWorld(t: TestContext): Promise<{ machine: Machine; storage: MemoryStorage }> {
  const machine = new Machine(await emptyFolder(workspace, `${count++}`));
  t.after(() => machine.restart());
  const storage = new MemoryStorage();
  for (const name of ['a.holdfast', 'b.holdfast']) await machine.backUp(name, storage);
  return { machine, storage };
}

/** Something happens before, and something after each listing. */
class Busy extends ForwardingStorage {
  readonly #around: { readonly before?: () => Promise<void>; readonly after?: () => Promise<void> };

  constructor(inner: Storage, around: { readonly before?: () => Promise<void>; readonly after?: () => Promise<void> }) {
    super(inner);
    this.#around = around;
  }

  override async *list(prefix?: string): AsyncGenerator<StoredObject> {
    await this.#around.before?.();
    for await (const object of this.inner.list(prefix)) yield object;
    await this.#around.after?.();
  }
}

for (const level of ['names', 'headers'] as const) {
  test(`what is written and removed during every reading is no alarm, what is deleted is one (${level})`, async (t) => {
    const { machine, storage } = await newWorld(t);
    let number = 0;
    const after = async () => {
      number++;
      await machine.backUp(`${number}.holdfast`, storage);
      if (number > 1) await machine.storage('near', storage).delete(`${number - 1}.holdfast`);
    };
    const busy = new Busy(storage, { after });
    assert.deepEqual(await machine.findings({ near: busy }, { level }), []);
    await storage.delete('a.holdfast');
    assert.deepEqual(await machine.findings({ near: busy }, { level }), ['missing a.holdfast']);
    assert.deepEqual(machine.problems, []);
  });
}

test('a removal that began after the history was read, and is not recorded yet, is no alarm', async (t) => {
  const { machine, storage } = await newWorld(t);
  const writer = await machine.writer();
  let record: (() => Promise<void>) | undefined;
  const before = async () => {
    if (record !== undefined) return;
    record = await writer.intend({ name: 'near', storage }, 'removed', { name: 'a.holdfast' });
    await storage.delete('a.holdfast');
  };
  assert.deepEqual(await machine.findings({ near: new Busy(storage, { before }) }), []);
  await record?.();
  assert.deepEqual(await machine.findings({ near: storage }), []);
});

test('a removal whose record is on its way to the storage is no alarm', async (t) => {
  const { machine, storage } = await newWorld(t);
  const seen: string[][] = [];
  class Sending extends ForwardingStorage {
    override async writer(name: string, options: WriterOptions): Promise<StorageWriter> {
      if (name.startsWith(catalogueFolder)) seen.push(await machine.findings({ near: storage }));
      return await this.inner.writer(name, options);
    }
  }
  await machine.storage('near', new Sending(storage)).delete('a.holdfast');
  assert.deepEqual(seen, [[]]);
  assert.deepEqual(await machine.findings({ near: storage }), []);
});
