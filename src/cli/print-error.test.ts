import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HoldfastError } from '../errors.ts';
import { Secret } from '../secret.ts';
import type { CommandContext } from './command-context.ts';
import { printError } from './print-error.ts';

function printed(thrown: unknown, json: boolean, environment: Record<string, string> = {}) {
  const out: string[] = [];
  const error: string[] = [];
  const context = {
    stdout: { write: (text: string) => out.push(text) },
    stderr: { write: (text: string) => error.push(text) },
    environment,
  } as unknown as CommandContext;
  const exitCode = printError(context, thrown, json);
  return { exitCode, out: out.join(''), error: error.join('') };
}

test('an error is one line and a hint, also when its message has several lines', () => {
  const thrown = new HoldfastError('key.wrong', { message: 'first\nsecond\r\n', hint: 'look' });
  assert.deepEqual(printed(thrown, false), {
    exitCode: 12,
    out: '',
    error: 'holdfast: first; second [key.wrong]\nhint: look\n',
  });
});

test('with JSON it is one object on stdout, without secrets', () => {
  const thrown = new HoldfastError('source.not_found', { context: { path: 'a', key: new Secret('canary') } });
  const { exitCode, out, error } = printed(thrown, true);
  assert.equal(exitCode, 1);
  assert.equal(error, '');
  assert.equal(out.split('\n').length, 2);
  assert.deepEqual(JSON.parse(out), {
    error: {
      code: 'source.not_found',
      message: 'the source does not exist',
      hint: 'check the path or URL',
      context: { path: 'a', key: '[redacted]' },
    },
  });
});

test('what nobody expected is operation.failed, with its message and without a stack', () => {
  const { exitCode, error } = printed(new TypeError('x is not a function'), false);
  assert.equal(exitCode, 1);
  assert.match(error, /^holdfast: x is not a function \[operation\.failed\]\nhint: .*\n$/);
  assert.match(printed('a text', false).error, /^holdfast: a text \[operation\.failed\]/);
});

test('an aborted call is an interruption', () => {
  assert.equal(printed(AbortSignal.abort().reason, false).exitCode, 130);
});

test('HOLDFAST_DEBUG=1 shows the stacks of the error and its causes', () => {
  const thrown = new HoldfastError('storage.failed', { cause: new Error('the cause') });
  const { error } = printed(thrown, false, { HOLDFAST_DEBUG: '1' });
  assert.match(error, /print-error\.test\.ts/);
  assert.match(error, /caused by: Error: the cause/);
});
