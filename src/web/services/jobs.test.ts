import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemClock } from '../../clock.ts';
import { HoldfastError } from '../../errors.ts';
import { openHistory } from '../../history/history.ts';
import { systemRandom } from '../../random.ts';
import { MemoryStorage } from '../../storage/memory/memory-storage.ts';
import type { AccessStore } from '../access/access-store.ts';
import type { JobCommand, JobCommands } from './job-command.ts';
import { Jobs } from './jobs.ts';
import { ServiceContext } from './service-context.ts';

test('a job that cannot be written down is told as failed, and the next one starts', async (t) => {
  const history = await openHistory({ path: ':memory:' });
  t.after(() => history.close());
  const recording = Promise.withResolvers<void>();
  const ids = ['first', 'second'];
  const outcomes = [recording.promise];
  const access = { newId: () => ids.shift(), record: () => outcomes.shift() } as unknown as AccessStore;
  const context = new ServiceContext({
    loaded: { config: { storage: { main: new MemoryStorage() } }, file: join(tmpdir(), 'holdfast.config.ts') },
    history,
    access,
    environment: {},
    clock: systemClock,
    random: systemRandom,
    log: assert.fail,
  });
  const command: JobCommand = { words: ['help'], subject: 'main', key: 'backup main', changesArchives: true };
  const commands = { of: () => command } as unknown as JobCommands;
  const jobs = new Jobs(context, commands, { onBlocks: () => assert.fail(), onEnded: () => undefined });
  const user = { name: 'anna', role: 'operator' } as const;

  const refused = assert.rejects(jobs.start(user, { kind: 'backup' }), { code: 'history.unavailable' });
  const followed = jobs.ended('first');
  recording.reject(new HoldfastError('history.unavailable'));
  await refused;
  assert.equal((await jobs.start(user, { kind: 'backup' })).id, 'second');
  assert.deepEqual(
    jobs.list().map(({ id }) => id),
    ['second'],
  );
  const { state, error } = await followed;
  assert.deepEqual([state, error?.code], ['failed', 'history.unavailable']);
  assert.equal((await jobs.ended('second')).state, 'succeeded');
});
