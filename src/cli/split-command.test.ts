import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { HoldfastError } from '../errors.ts';
import { splitCommand, splitNamed } from './split-command.ts';

test('a command is split as a shell splits it', () => {
  const lines = [
    'redis-cli --rdb -',
    '  a\tb\nc  ',
    `a 'b c' "d 'e'" f'g'"h"`,
    `'' a""`,
    String.raw`a\ b \$HOME "\$x \"q\" \n \\ " '\n'`,
    `sh -c 'cat > "/tmp/x y" && echo $HOME | tr a b'`,
    '--user=me --where=1%2',
  ];
  for (const line of lines) {
    // What the shell makes of it, each word ended by NUL.
    const expected = execFileSync('sh', ['-c', `printf '%s\\0' ${line.trim().replace('\n', ' ')}`], {
      encoding: 'utf8',
    });
    assert.deepEqual(splitCommand(line), expected.split('\0').slice(0, -1), line);
  }
});

test('what only a shell does is refused', () => {
  const lines = [
    '',
    '  ',
    'a | b',
    'a > b',
    'a && b',
    'a; b',
    'a $HOME',
    'a "$HOME"',
    'a `b`',
    'a *.db',
    'a ~/b',
    '(a)',
  ];
  for (const line of [...lines, "a 'b", 'a "b', 'a \\', 'a # b']) {
    assert.throws(
      () => splitCommand(line),
      (error) => error instanceof HoldfastError && error.code === 'usage.invalid' && error.hint.includes('sh -c'),
      line,
    );
  }
});

test('a name stands before the first =', () => {
  assert.deepEqual(splitNamed('cache=a --b=c', '--command'), { name: 'cache', value: 'a --b=c' });
  for (const text of ['cache', '=a', 'cache=', 'a/b=c'])
    assert.throws(() => splitNamed(text, '--command'), /--command/);
});
