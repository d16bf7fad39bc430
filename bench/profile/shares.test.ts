import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kindNames, sumTimes } from './shares.ts';

test('what the processor did is told by the names of functions, the first kind that fits', () => {
  const times = sumTimes(`# Samples: 4 of event 'cpu-clock'
  2000000  |node                |[.] ZSTD_compressBlock_fast
 500000  |[kernel.kallsyms]   |[k] sha256_something
  1000000  |node                |[.] sha256_block_data_order_shaext
  3000000  |[JIT] tid 30292     |[.] wasm-function[3]
  4000000  |[JIT] tid 30292     |[.] JS:*add file:///a.js
  250000  |node                |[.] Builtins_LoadIC
  125000  |libc.so.6           |[.] malloc
`);
  const found = Object.fromEntries([...times].filter(([, ms]) => ms > 0));
  assert.deepEqual(found, {
    zstd: 2,
    kernel: 0.5,
    'SHA-256': 1,
    'parity, block hashes': 3,
    JavaScript: 4.25,
    'all else': 0.125,
  });
  assert.equal(kindNames.at(-1), 'all else');
});
