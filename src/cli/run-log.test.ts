import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../testing/fake-clock.ts';
import { RunLog } from './run-log.ts';

function open() {
  const written: string[] = [];
  const log = new RunLog(new FakeClock(5000), { DATABASE_PASSWORD: 'hunter2 & more' });
  const stderr = log.listen({ write: (text) => written.push(text), isTTY: true, columns: 120 });
  return { log, stderr, written };
}

test('lines are kept as they are told, without progress, control characters and secrets', () => {
  const { log, stderr, written } = open();
  stderr.write('holdfast: the first ');
  stderr.write('note\nholdfast: connected with hunter2 & more\n');
  stderr.write('\rread ━━━━  50%\x1b[K');
  stderr.write('\rread ━━━━ 100%\x1b[K');
  stderr.write('\r\x1b[K');
  stderr.write('{"progress":{"phase":"read"}}\n{"blocks":{}}\n\n');
  stderr.write('holdfast: postgres://a:b@c/d is \x1b[31mred\x1b[0m, and \u202eturned\n');
  log.enter('read');
  log.enter('read');
  assert.deepEqual(
    log.take().map(({ timeMs, text }) => `${timeMs} ${text}`),
    [
      '5000 holdfast: the first note',
      '5000 holdfast: connected with [redacted]',
      '5000 holdfast: postgres://a:[redacted]@c/d is red, and \u{fffd}turned',
      '5000 phase: read',
    ],
  );
  assert.deepEqual(log.take(), [], 'each run has its own');
  assert.equal(written.length, 7, 'the terminal has all of it');
  assert.deepEqual([stderr.isTTY, stderr.columns], [true, 120]);
});

test('of a run that tells much the beginning and the end are kept', () => {
  const { log, stderr } = open();
  for (let number = 1; number <= 501; number++) stderr.write(`${number}${'x'.repeat(2000)}\n`);
  const lines = log.take();
  assert.equal(lines.length, 501);
  assert.deepEqual(
    [0, 99, 100, 101, 500].map((at) => lines[at]?.text.replace(/x+$/, '')),
    ['1', '100', '… 1 line left out …', '102', '501'],
  );
  assert.ok(lines.every(({ text }) => text.length <= 1000));
});
