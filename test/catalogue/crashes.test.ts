/** Processes that die, machines that write at once, histories and keys that are lost: the catalogue stays true. */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { catalogueFolder } from '../../src/catalogue/catalogue-folder.ts';
import { readRecordName } from '../../src/catalogue/catalogue-record.ts';
import { readChains } from '../../src/catalogue/chain.ts';
import { signingKey } from '../../src/catalogue/signing-key.ts';
import { HoldfastError } from '../../src/errors.ts';
import { LocalStorage } from '../../src/storage/local/local-storage.ts';
import { MemoryStorage } from '../../src/storage/memory/memory-storage.ts';
import { FaultyStorage } from '../../src/testing/faulty-storage.ts';
import { emptyFolder, makeWorkspace } from '../end-to-end/workspace.ts';
import { archiveOf, bytesOf, copyOf, Machine, put } from './catalogue-world.ts';

const workspace = makeWorkspace('catalogue-crashes');
let count = 0;

async function newMachine(t: TestContext, folder?: string, key?: Machine['key']): Promise<Machine> {
  const machine = new Machine(folder ?? (await emptyFolder(workspace, `${count++}`)), key && { key });
  t.after(() => machine.restart());
  return machine;
}

/** A process of another machine that shares the history, or a later one of the same. */
async function another(t: TestContext, machine: Machine, key = machine.key): Promise<Machine> {
  return await newMachine(t, join(machine.historyPath, '..'), key);
}

/** Above what Linux gives: no process has it. */
const deadProcessId = 2 ** 22 + 7;

/** Its process is gone, for all that is known. */
async function die(machine: Machine): Promise<void> {
  const { database } = await machine.history();
  await database.updateTable('catalogue_intent').set({ process_id: deadProcessId }).execute();
}

async function chainsOf(storage: MemoryStorage) {
  return (await readChains(storage)).map(({ recordCount, problems }) => ({ recordCount, problems }));
}

test('a process that dies between an archive and its record: the next one records it, and says so', async (t) => {
  const machine = await newMachine(t);
  const storage = new MemoryStorage();
  await machine.backUp('a.holdfast', storage);
  // The object appears, and the answer is lost with the process.
  const dying = new FaultyStorage(storage, { seed: 1, faults: { commitFailure: { when: 'after' } } });
  await assert.rejects(machine.backUp('b.holdfast', dying), { code: 'storage.unavailable' });
  await die(machine);
  // While nobody has looked after it, it is neither wrong nor missing.
  assert.deepEqual(await machine.findings({ near: storage }), []);
  const next = await another(t, machine);
  await next.backUp('c.holdfast', storage);
  assert.deepEqual(await next.findings({ near: storage }), []);
  const [chain] = await readChains(storage);
  assert.deepEqual([...(chain?.last.keys() ?? [])], ['a.holdfast', 'b.holdfast', 'c.holdfast']);
  const texts = [...(await copyOf(storage, catalogueFolder)).values()].map((bytes) => Buffer.from(bytes).toString());
  assert.deepEqual(
    texts
      .filter((text) => text.includes('"adopted":true'))
      .map((text) => JSON.parse(text.split('\n')[0] ?? '').object.name),
    ['b.holdfast'],
  );
});

test('a process that dies before its archive is there leaves nothing to be missed', async (t) => {
  const machine = await newMachine(t);
  const storage = new MemoryStorage();
  const dying = new FaultyStorage(storage, { seed: 1, faults: { commitFailure: { when: 'before' } } });
  await machine.backUp('a.holdfast', storage);
  await assert.rejects(machine.backUp('b.holdfast', dying), { code: 'storage.unavailable' });
  await die(machine);
  const next = await another(t, machine);
  await next.backUp('c.holdfast', storage);
  assert.deepEqual(await next.findings({ near: storage }), []);
});

test('what a dead process put under the name is adopted only if it is that very archive', async (t) => {
  const machine = await newMachine(t);
  const storage = new MemoryStorage();
  await machine.backUp('a.holdfast', storage);
  const dying = new FaultyStorage(storage, { seed: 1, faults: { commitFailure: { when: 'before' } } });
  await assert.rejects(machine.backUp('b.holdfast', dying), { code: 'storage.unavailable' });
  await die(machine);
  await put(storage, 'b.holdfast', await bytesOf(storage, 'a.holdfast'));
  const next = await another(t, machine);
  await next.backUp('c.holdfast', storage);
  const [chain] = await readChains(storage);
  assert.equal(chain?.last.has('b.holdfast'), false);
});

test('a process that dies between a removal and its record: the next one records it', async (t) => {
  const machine = await newMachine(t);
  const storage = new MemoryStorage();
  await machine.backUp('a.holdfast', storage);
  await machine.backUp('b.holdfast', storage);
  const writer = await machine.writer();
  await writer.intend({ name: 'near', storage }, 'removed', { name: 'a.holdfast' });
  await storage.delete('a.holdfast');
  await die(machine);
  const next = await another(t, machine);
  await next.backUp('c.holdfast', storage);
  assert.deepEqual(await next.findings({ near: storage }), []);
  assert.deepEqual((await readChains(storage))[0]?.last.get('a.holdfast')?.event, 'removed');
});

test('a record that could not be brought to the storage waits in the history', async (t) => {
  const machine = await newMachine(t);
  const storage = new MemoryStorage();
  await machine.backUp('a.holdfast', storage);
  // Only what is an archive can be written there.
  const refusing = new Proxy(storage, {
    get: (target, name) => {
      if (name !== 'writer') {
        const value: unknown = Reflect.get(target, name);
        return typeof value === 'function' ? value.bind(target) : value;
      }
      return async (object: string, options: Parameters<MemoryStorage['writer']>[1]) => {
        if (object.startsWith(catalogueFolder)) throw new HoldfastError('storage.unavailable');
        return await target.writer(object, options);
      };
    },
  });
  await machine.backUp('b.holdfast', refusing);
  assert.deepEqual(
    machine.problems.map((error) => (error as HoldfastError).code),
    ['storage.unavailable'],
  );
  const [kept] = (await machine.verify({ near: storage })).findings;
  assert.deepEqual(kept, { ...kept, kind: 'unrecorded', name: 'b.holdfast' });
  // That something waits hides nothing that was there.
  const [[first = '', bytes = new Uint8Array()] = []] = await copyOf(storage, catalogueFolder);
  await storage.delete(first);
  assert.ok((await machine.findings({ near: storage })).includes('rolled_back'));
  await put(storage, first, bytes);
  const next = await another(t, machine);
  await next.backUp('c.holdfast', storage);
  assert.deepEqual(await next.findings({ near: storage }), []);
  assert.deepEqual(await chainsOf(storage), [{ recordCount: 3, problems: [] }]);
});

test('several processes of one machine, and another machine, append at once: every record has its place', async (t) => {
  const machine = await newMachine(t);
  const storage = new MemoryStorage();
  const second = await another(t, machine);
  const other = await another(t, machine, generateKeyPairSync('ed25519').privateKey);
  // One after the other: within one process, who waits for a lock keeps its holder from going on.
  for (const one of [machine, second, other]) await one.history();
  await Promise.all(
    [machine, second, other].flatMap((one, index) =>
      [1, 2, 3, 4, 5].map((number) => one.backUp(`${index}-${number}.holdfast`, storage)),
    ),
  );
  assert.deepEqual([machine.problems, second.problems, other.problems], [[], [], []]);
  assert.deepEqual(await machine.findings({ near: storage }), []);
  assert.deepEqual(
    (await chainsOf(storage)).sort((a, b) => a.recordCount - b.recordCount),
    [
      { recordCount: 5, problems: [] },
      { recordCount: 10, problems: [] },
    ],
  );
});

test('another machine with the history removes what this one wrote; one with its own history is not believed', async (t) => {
  const machine = await newMachine(t);
  const storage = new MemoryStorage();
  for (const name of ['a.holdfast', 'b.holdfast', 'c.holdfast']) await machine.backUp(name, storage);
  const pruning = await another(t, machine, generateKeyPairSync('ed25519').privateKey);
  // A clock that is behind: what counts is what it knew.
  pruning.nowMs = 1;
  await pruning.storage('near', storage).delete('a.holdfast');
  assert.deepEqual(await machine.findings({ near: storage }), []);
  const stranger = await newMachine(t);
  stranger.nowMs += 3_600_000;
  await stranger.storage('near', storage).delete('b.holdfast');
  assert.deepEqual(await machine.findings({ near: storage }), ['missing b.holdfast', 'unknown_chain']);
  await machine.learn({ near: storage });
  assert.deepEqual(await machine.findings({ near: storage }), []);
});

test('a chain is summed up once in a while, and says the same as before', async (t) => {
  const machine = await newMachine(t);
  const other = await another(t, machine, generateKeyPairSync('ed25519').privateKey);
  const storage = new MemoryStorage();
  const kept = await archiveOf('0.holdfast');
  for (let number = 0; number < 100; number++) {
    await machine.backUp(`${number}.holdfast`, storage, `${number % 4}.holdfast`);
    // The other one removes what is older than three.
    if (number >= 3) await other.storage('near', storage).delete(`${number - 3}.holdfast`);
    if (number % 20 === 19) assert.deepEqual(await machine.findings({ near: storage }), []);
  }
  const records = await copyOf(storage, catalogueFolder);
  assert.ok(records.size < 100, `${records.size} records`);
  assert.deepEqual(await machine.findings({ near: storage }), []);
  // Neither a removal nor what was removed is forgotten.
  await put(storage, 'new.holdfast', kept);
  assert.deepEqual(await machine.findings({ near: storage }), ['renamed new.holdfast']);
  await put(storage, '99.holdfast', kept);
  await storage.delete('98.holdfast');
  assert.deepEqual(await machine.findings({ near: storage }), [
    'changed 99.holdfast',
    'missing 98.holdfast',
    'renamed new.holdfast',
  ]);
});

/** A storage on which something happens once an object was opened that `isAt` tells. */
function whenOpened(storage: MemoryStorage, isAt: (name: string) => boolean, act: () => Promise<void>): MemoryStorage {
  return new Proxy(storage, {
    get: (target, key) => {
      const value: unknown = Reflect.get(target, key);
      if (key !== 'open') return typeof value === 'function' ? value.bind(target) : value;
      return async (name: string) => {
        const opened = await target.open(name);
        if (isAt(name)) await act();
        return opened;
      };
    },
  });
}

test('what another process records while a chain is summed up is not lost', async (t) => {
  const machine = await newMachine(t);
  const second = await another(t, machine);
  for (const one of [machine, second]) await one.history();
  const storage = new MemoryStorage();
  for (let number = 0; number < 31; number++) await machine.backUp(`${number}.holdfast`, storage, 'a');
  const place = { name: 'near', storage };
  const opened: string[] = [];
  const isLast = (name: string) => readRecordName(name)?.sequence === 32;
  const busy = whenOpened(storage, isLast, async () => {
    opened.push('once');
    await storage.delete('0.holdfast');
    await (await second.writer()).append(place, { event: 'removed', object: { name: '0.holdfast' } });
  });
  await machine.backUp('31.holdfast', busy, 'a');
  assert.deepEqual(opened, ['once']);
  assert.deepEqual(await machine.findings({ near: storage }), []);
  for (let number = 32; number < 80; number++) await machine.backUp(`${number}.holdfast`, storage, 'a');
  assert.ok((await copyOf(storage, catalogueFolder)).size < 64, 'it is summed up later');
  assert.deepEqual(await machine.findings({ near: storage }), []);
});

test('what another process records while a chain begins anew is not lost', async (t) => {
  const machine = await newMachine(t);
  const second = await another(t, machine);
  for (const one of [machine, second]) await one.history();
  const storage = new MemoryStorage();
  for (const name of ['a.holdfast', 'b.holdfast', 'c.holdfast']) await machine.backUp(name, storage);
  await second.backUp('d.holdfast', storage);
  const records = [...(await copyOf(storage, catalogueFolder)).keys()];
  const gone = records.find((name) => readRecordName(name)?.sequence === 2);
  await storage.delete(gone ?? '');
  let times = 0;
  const removed: string[] = [];
  // After the last look at the storage before the findings are accepted, and after that before the chain begins anew.
  const toRemove = new Map([
    [4, 'c.holdfast'],
    [6, 'd.holdfast'],
  ]);
  const isLast = (name: string) => readRecordName(name)?.sequence === 4;
  const busy = whenOpened(storage, isLast, async () => {
    const name = toRemove.get(++times);
    if (name === undefined) return;
    await second.storage('near', storage).delete(name);
    removed.push(name);
  });
  await machine.accept({ near: busy });
  assert.deepEqual(removed, ['c.holdfast', 'd.holdfast']);
  assert.deepEqual(await machine.findings({ near: storage }), []);
  await machine.backUp('e.holdfast', storage);
  assert.deepEqual(await machine.findings({ near: storage }), []);
});

test('a history that was put back to an earlier state learns from the catalogue, and goes on behind it', async (t) => {
  const machine = await newMachine(t);
  const storage = new MemoryStorage();
  await machine.backUp('a.holdfast', storage);
  await machine.restart();
  const kept = await readFile(machine.historyPath);
  await machine.backUp('b.holdfast', storage);
  await machine.loseHistory();
  await writeFile(machine.historyPath, kept);
  await machine.backUp('c.holdfast', storage);
  assert.deepEqual(await machine.findings({ near: storage }), []);
  assert.deepEqual(await chainsOf(storage), [{ recordCount: 3, problems: [] }]);
  assert.deepEqual(machine.rollbacks, []);
});

test('a machine whose key is lost begins another chain; what the old one says holds on', async (t) => {
  const machine = await newMachine(t);
  const storage = new MemoryStorage();
  await machine.backUp('a.holdfast', storage);
  const next = await another(t, machine, generateKeyPairSync('ed25519').privateKey);
  await next.backUp('b.holdfast', storage);
  assert.deepEqual(await next.findings({ near: storage }), []);
  await storage.delete('a.holdfast');
  assert.deepEqual(await next.findings({ near: storage }), ['missing a.holdfast']);
});

test('a storage that moves, or gets another name, keeps its chain; a copy begins its own', async (t) => {
  const folder = await emptyFolder(workspace, `${count++}`);
  const machine = await newMachine(t, folder);
  const near = new LocalStorage({ root: join(folder, 'near') });
  await machine.backUp('a.holdfast', near);
  const { rename, cp } = await import('node:fs/promises');
  await rename(join(folder, 'near'), join(folder, 'moved'));
  const moved = new LocalStorage({ root: join(folder, 'moved') });
  await machine.restart();
  await machine.backUp('b.holdfast', moved);
  await machine.restart();
  await machine.backUp('c.holdfast', moved, 'c.holdfast', 'renamed');
  assert.equal((await readChains(moved)).length, 1);
  await cp(join(folder, 'moved'), join(folder, 'copy'), { recursive: true });
  const copy = new LocalStorage({ root: join(folder, 'copy') });
  await machine.backUp('d.holdfast', copy, 'd.holdfast', 'far');
  assert.equal((await readChains(copy)).length, 2);
  assert.deepEqual(await machine.findings({ renamed: moved, far: copy }), []);
});

test('the key is private, made once by processes that start at once, and no part of the history', async (t) => {
  const folder = await emptyFolder(workspace, `${count++}`);
  const path = join(folder, '.holdfast', 'catalogue.key');
  const keys = await Promise.all([1, 2, 3].map(() => signingKey(path)));
  const texts = keys.map((key) => key.export({ format: 'pem', type: 'pkcs8' }));
  assert.equal(new Set(texts).size, 1);
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  assert.deepEqual((await readdir(join(folder, '.holdfast'))).sort(), ['.gitignore', 'catalogue.key']);
  const [key] = keys;
  const machine = await newMachine(t, folder, key);
  await machine.backUp('a.holdfast', new MemoryStorage());
  await machine.restart();
  const secret = key?.export({ format: 'jwk' }).d ?? '';
  const held = Buffer.concat(
    await Promise.all(
      (await readdir(folder, { withFileTypes: true }))
        .filter((one) => one.isFile())
        .map(({ name }) => readFile(join(folder, name))),
    ),
  );
  for (const form of [Buffer.from(secret, 'base64url'), secret, Buffer.from(secret, 'base64url').toString('base64')]) {
    assert.equal(held.includes(form), false, 'who has the history can forge nothing');
  }
  await mkdir(join(folder, 'other'));
  await writeFile(join(folder, 'other', 'catalogue.key'), 'no key');
  await assert.rejects(signingKey(join(folder, 'other', 'catalogue.key')), { code: 'catalogue.invalid' });
});
