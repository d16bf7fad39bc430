import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { isRunning } from './process-life.ts';

test('a process runs until it ends', async () => {
  assert.ok(isRunning(process.pid));
  const child = spawn('sleep', ['60']);
  await once(child, 'spawn');
  const { pid = 0 } = child;
  assert.ok(isRunning(pid));
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.ok(!isRunning(pid));
});

test('one that has ended runs no more, though its parent does not ask for its end', {
  timeout: 10_000,
  skip: process.platform !== 'linux' && 'only Linux tells',
}, async (t) => {
  // The shell becomes a program that knows nothing of a child.
  const parent = spawn('sh', ['-c', 'sleep 60 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => parent.kill('SIGKILL'));
  const [line] = await once(parent.stdout.setEncoding('utf8'), 'data');
  const child = Number(line);
  process.kill(child, 'SIGKILL');
  while (isRunning(child)) await new Promise((resolve) => setImmediate(resolve));
  // Its number is still taken.
  assert.ok(process.kill(child, 0));
});
