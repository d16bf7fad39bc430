import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nearestName } from './nearest-name.ts';

const names = ['databases', 'files', 'url'];

test('a third of the characters may be wrong, and no more', () => {
  const rows: [string, string | undefined][] = [
    ['databases', 'databases'],
    ['Database', 'databases'],
    ['datbses', 'databases'],
    ['dtbss', undefined],
    ['ulr', 'url'],
    ['lru', undefined],
    ['rl', 'url'],
    ['file', 'files'],
    ['', undefined],
  ];
  for (const [name, expected] of rows) assert.equal(nearestName(name, names), expected, name);
});
