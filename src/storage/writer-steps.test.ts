import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HoldfastError } from '../errors.ts';
import { WriterSteps, type WriterStepsOptions } from './writer-steps.ts';

function steps(options: Partial<WriterStepsOptions> = {}) {
  const calls: string[] = [];
  const made = new WriterSteps({
    signal: undefined,
    discard: async () => void calls.push('discard'),
    left: () => ({ message: 'the file stays', context: { path: 'x' } }),
    ...options,
  });
  return { made, calls };
}

const failure = new HoldfastError('storage.full', { message: 'no room', hint: 'make some' });
const fail = () => Promise.reject(failure);
const nothing = async () => undefined;

test('a step that fails discards once, and says the same again', async () => {
  const { made, calls } = steps();
  await assert.rejects(made.run(fail), failure);
  await assert.rejects(made.run(nothing), failure);
  await made.abort();
  assert.deepEqual(calls, ['discard']);
  assert.ok(made.stopped.aborted);
});

test('an abort ends the step under way, waits for it, and discards', async () => {
  const { made, calls } = steps();
  const step = made.run(
    () =>
      new Promise((_, reject) =>
        made.stopped.addEventListener('abort', () => reject(new HoldfastError('operation.interrupted'))),
      ),
  );
  const ended = assert.rejects(step, { code: 'operation.interrupted' });
  await made.abort();
  await ended;
  assert.deepEqual(calls, ['discard']);
  await assert.rejects(made.run(nothing), { code: 'operation.interrupted' });
});

test('what stands is not taken back', async () => {
  const { made, calls } = steps();
  await assert.rejects(
    made.run(async () => {
      made.setCommitted();
      throw failure;
    }),
    failure,
  );
  await made.abort();
  assert.deepEqual([calls, made.stopped.aborted], [[], false]);
  await assert.rejects(made.run(nothing), /the writer is committed/);
});

test('one step at a time', async () => {
  const { made } = steps();
  const first = made.run(nothing);
  await assert.rejects(made.run(nothing), /one thing at a time/);
  await first;
  await made.run(nothing);
});

test('what cannot be removed is told beside the reason, with the code and advice of that', async () => {
  const { made } = steps({ discard: () => Promise.reject(new Error('busy')) });
  await assert.rejects(made.run(fail), (error) => {
    assert.ok(error instanceof HoldfastError && error.cause instanceof AggregateError);
    assert.deepEqual(
      [error.code, error.message, error.hint, error.context],
      ['storage.full', 'no room; the file stays', 'make some', { path: 'x' }],
    );
    return true;
  });
});

test('what failed in the background, and a signal, stop the next step', async () => {
  let background: { error: unknown } | undefined;
  const errorFrom = (error: unknown) => (error === 'EIO' ? failure : error);
  const { made, calls } = steps({ failure: () => background, errorFrom });
  await made.run(nothing);
  background = { error: 'EIO' };
  await assert.rejects(made.run(nothing), failure);
  assert.deepEqual(calls, ['discard']);
  const aborted = steps({ signal: AbortSignal.abort() });
  await assert.rejects(aborted.made.run(nothing), { code: 'operation.interrupted' });
});
