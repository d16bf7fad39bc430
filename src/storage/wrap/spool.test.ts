import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { HoldfastError } from '../../errors.ts';
import type { StoredObject } from '../storage.ts';
import { type AppendWriter, openSpooledWriter } from './spool.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-spooled-'));
});
afterEach(async () => {
  assert.deepEqual(await readdir(folder), []);
  await rm(folder, { recursive: true, force: true });
});

/** Records what it is asked; a step can be made to hang until it is aborted, or to fail. */
class Recorder implements AppendWriter {
  readonly steps: string[] = [];
  hangsAt: string | undefined;
  failsAt: string | undefined;
  onHang = (): void => {};
  #release = (): void => {};

  async append(bytes: Uint8Array): Promise<void> {
    await this.#step(Buffer.from(bytes).toString());
  }

  async finish(): Promise<void> {
    await this.#step('finish');
  }

  async commit(): Promise<StoredObject> {
    await this.#step('commit');
    return { name: 'x', sizeBytes: 0, modifiedMs: 0 };
  }

  async abort(): Promise<void> {
    this.#release();
    await this.#step('abort');
  }

  async #step(name: string): Promise<void> {
    this.steps.push(name);
    if (name === this.failsAt) throw new HoldfastError('storage.unavailable', { message: `${name} failed` });
    if (name !== this.hangsAt) return;
    const gone = Promise.withResolvers<void>();
    this.#release = gone.resolve;
    this.onHang();
    await gone.promise;
    throw new Error('cut');
  }
}

test('further copies are appended from the spool at commit', async () => {
  const inner = new Recorder();
  const writer = await openSpooledWriter(async () => inner, { copies: 3, spool: { folder } });
  await writer.write(Buffer.from('a'));
  await writer.write(Buffer.from('b'));
  assert.deepEqual(inner.steps, ['a', 'b']);
  await writer.commit();
  await writer.abort();
  assert.deepEqual(inner.steps, ['a', 'b', 'ab', 'ab', 'finish', 'commit']);
});

test('what is finished ahead of the commit is sent once', async () => {
  const inner = new Recorder();
  const writer = await openSpooledWriter(async () => inner, { copies: 2, spool: { folder } });
  await writer.write(Buffer.from('a'));
  await writer.finishWriting?.();
  await writer.commit();
  assert.deepEqual(inner.steps, ['a', 'a', 'finish', 'commit']);
});

test('with one copy no spool is made', async () => {
  const inner = new Recorder();
  const spool = { folder: join(folder, 'missing') };
  const writer = await openSpooledWriter(async () => inner, { copies: 1, spool });
  await writer.write(Buffer.from('a'));
  await writer.commit();
  assert.deepEqual(inner.steps, ['a', 'finish', 'commit']);
  await assert.rejects(
    openSpooledWriter(async () => inner, { copies: 2, spool }),
    { code: 'storage.not_found' },
  );
});

test('a storage that fails is aborted, and its error stays the first one', async () => {
  for (const failsAt of ['a', 'b', 'ab', 'commit']) {
    const inner = new Recorder();
    inner.failsAt = failsAt;
    const writer = await openSpooledWriter(async () => inner, { copies: 2, spool: { folder } });
    const writing = async () => {
      for (const text of ['a', 'b']) await writer.write(Buffer.from(text));
      await writer.commit();
    };
    await assert.rejects(writing(), { code: 'storage.unavailable', message: `${failsAt} failed` });
    assert.equal(inner.steps.at(-1), 'abort');
    await assert.rejects(writer.commit(), { code: 'operation.interrupted' });
    await writer.abort();
  }
});

test('what could not be removed is told with the first error, and may be tried again', async () => {
  class Stuck extends Recorder {
    override async commit(): Promise<StoredObject> {
      this.failsAt = 'abort';
      throw new HoldfastError('storage.full', { message: 'no room' });
    }
  }
  const inner = new Stuck();
  const writer = await openSpooledWriter(async () => inner, { copies: 2, spool: { folder } });
  await assert.rejects(writer.commit(), {
    code: 'storage.full',
    message: 'no room; what was written under a temporary name could not be removed (abort failed)',
  });
  await assert.rejects(writer.abort(), { message: 'abort failed' });
  inner.failsAt = undefined;
  await writer.abort();
});

test('a signal ends a call to a storage that does not answer', async () => {
  for (const hangsAt of ['a', 'commit']) {
    const controller = new AbortController();
    const inner = new Recorder();
    inner.hangsAt = hangsAt;
    inner.onHang = () => controller.abort();
    const writer = await openSpooledWriter(async () => inner, {
      copies: 1,
      spool: { folder },
      signal: controller.signal,
    });
    const writing = async () => {
      await writer.write(Buffer.from('a'));
      await writer.commit();
    };
    await assert.rejects(writing(), { code: 'operation.interrupted' });
    assert.equal(inner.steps.at(-1), 'abort');
  }
});

test('an abort ends a call to a storage that does not answer', async () => {
  const inner = new Recorder();
  inner.hangsAt = 'a';
  const hung = Promise.withResolvers<void>();
  inner.onHang = hung.resolve;
  const writer = await openSpooledWriter(async () => inner, { copies: 2, spool: { folder } });
  const writing = assert.rejects(writer.write(Buffer.from('a')), { code: 'operation.interrupted' });
  await hung.promise;
  await writer.abort();
  await writing;
});
