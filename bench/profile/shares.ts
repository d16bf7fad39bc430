import { spawnSync } from 'node:child_process';

/** What a processor may be busy with, by the names of functions; the first that fits counts. */
const kinds: readonly { readonly name: string; readonly is: (object: string, symbol: string) => boolean }[] = [
  { name: 'kernel', is: (object) => object.startsWith('[kernel') || object.startsWith('[vdso') },
  { name: 'zstd', is: (_object, symbol) => /^(ZSTD|HUF|FSE|HIST|ERR|XXH)/.test(symbol) },
  { name: 'SHA-256', is: (_object, symbol) => /sha256/i.test(symbol) },
  { name: 'AES-GCM', is: (_object, symbol) => /aes|gcm|ghash/i.test(symbol) },
  { name: 'Argon2id', is: (_object, symbol) => /^fill_block|blake2|argon2/i.test(symbol) },
  { name: 'moving memory', is: (_object, symbol) => /mem(move|cpy|set)/.test(symbol) },
  { name: 'parity, block hashes', is: (_object, symbol) => /wasm/i.test(symbol) },
  { name: 'SQLite', is: (_object, symbol) => /^(sqlite3|vdbe|btree|balance|pager|pcache|wal|moveTo)/i.test(symbol) },
  {
    name: 'collecting garbage',
    is: (_object, symbol) => /Scaveng|Mark(ing|Compact)|Sweep|Evacuat|v8::internal::Heap|heap::base|cppgc/.test(symbol),
  },
  { name: 'JavaScript', is: (object, symbol) => object.startsWith('[JIT]') || symbol.startsWith('Builtins_') },
  { name: 'V8', is: (_object, symbol) => /v8::/.test(symbol) },
];
const rest = 'all else';

export const kindNames: readonly string[] = [...kinds.map(({ name }) => name), rest];

/** The processor's time by kind, in milliseconds, of what `perf record` wrote. */
export function timesOf(recording: string): ReadonlyMap<string, number> {
  const args = ['report', '-i', recording, '-F', 'period,dso,symbol', '--stdio', '-t', '|'];
  const { stdout, status, stderr } = spawnSync('perf', args, { encoding: 'utf8', maxBuffer: 2 ** 28 });
  if (status !== 0) throw new Error(`perf report: ${stderr}`);
  return sumTimes(stdout);
}

/** The same of the text that `perf report` prints: nanoseconds, object and symbol of each function. */
export function sumTimes(report: string): ReadonlyMap<string, number> {
  const times = new Map(kindNames.map((name) => [name, 0]));
  for (const line of report.split('\n')) {
    const match = /^\s*(\d+)\s*\|([^|]+)\|\[.\] ([^|]*)/.exec(line);
    if (match === null) continue;
    const [object = '', symbol = ''] = [match[2]?.trim(), match[3]?.trim()];
    const name = kinds.find(({ is }) => is(object, symbol))?.name ?? rest;
    times.set(name, (times.get(name) ?? 0) + Number(match[1]) / 1e6);
  }
  return times;
}
