import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatBlockMap } from './block-map.ts';
import type { CommandContext } from './command-context.ts';

const plain = { stdout: { write: () => undefined }, environment: {} } as unknown as CommandContext;

test('each copy is drawn from its start to its end, and only what is there is explained', () => {
  assert.deepEqual(
    formatBlockMap(
      [
        { copy: 0, cells: '==+#' },
        { copy: 1, cells: '====' },
      ],
      plain,
    ),
    ['  copy 1  ██▒×', '  copy 2  ████', '          █ whole   ▒ damaged, healable   × lost'],
  );
});

test('a long copy is broken into lines, and an unknown cell is shown as such', () => {
  const lines = formatBlockMap([{ copy: 0, cells: `${'='.repeat(64)}?` }], plain);
  assert.deepEqual(lines, [`  copy 1  ${'█'.repeat(64)}`, '          ?', '          █ whole']);
});
