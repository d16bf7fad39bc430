import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HoldfastConfig } from '../config/config-schema.ts';
import { HoldfastError } from '../errors.ts';
import { localAdapter } from '../storage/local/local-adapter.ts';
import { MemoryStorage } from '../storage/memory/memory-storage.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { put } from '../testing/storage-case.ts';
import type { CommandContext } from './command-context.ts';
import { openChosenStorages } from './open-storages.ts';

function makeContext(environment: Record<string, string> = {}): CommandContext & { readonly lines: string[] } {
  const lines: string[] = [];
  const stderr = { write: (text: string) => lines.push(text) };
  const { signal } = new AbortController();
  const shared = {
    environment,
    clock: new FakeClock(),
    signal,
    openTerminal: () => undefined,
    runCommand: () => assert.fail('no command runs another'),
    exitCode: 0,
  };
  return { stdout: stderr, stderr, lines, ...shared };
}

test('of several storages one that cannot be opened fails when it is used; one alone fails at once', async (context) => {
  const credentials = new HoldfastError('storage.credentials', { message: 'no such key' });
  context.mock.method(localAdapter, 'open', async ({ path }: { path: string }) => {
    if (path === 'far') throw credentials;
    return new MemoryStorage();
  });
  const storage: HoldfastConfig['storage'] = {
    near: { backend: 'local', path: 'near' },
    far: { backend: 'local', path: 'far' },
  };
  const loaded = { config: { storage }, file: '/srv/holdfast.config.ts' };
  const [near, far] = await openChosenStorages(loaded, undefined, makeContext());
  await put(near?.storage ?? new MemoryStorage(), 'x', 'x');
  assert.equal(far?.folder, 'far');
  const calls = [
    () => far?.storage.writer('x', { copies: 1 }),
    () => far?.storage.open('x'),
    () => far?.storage.stat('x'),
    () => far?.storage.delete('x'),
    async () => {
      for await (const _ of far?.storage.list() ?? []) assert.fail('nothing is listed');
    },
  ];
  for (const call of calls) {
    await assert.rejects(
      async () => call(),
      (error) => error === credentials,
    );
  }
  await far?.storage.close();
  await assert.rejects(openChosenStorages(loaded, ['far'], makeContext()), (error) => error === credentials);
});

test('with HOLDFAST_DEBUG=1 each call of a storage is told', async () => {
  const context = makeContext({ HOLDFAST_DEBUG: '1' });
  const loaded = { config: { storage: { own: new MemoryStorage() } }, file: '/srv/holdfast.config.ts' };
  const [own] = await openChosenStorages(loaded, undefined, context);
  await own?.storage.delete('x');
  assert.deepEqual(context.lines, ['{"storage":"own","operation":"delete","name":"x","sizeBytes":0,"durationMs":0}\n']);
});
