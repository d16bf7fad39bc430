/** Restores what a file holds to a URL, to be killed meanwhile. */
import { readFileSync } from 'node:fs';
import type { RestoreMode } from '../../src/source/database-options.ts';
import { type Entry, restore } from './restore.ts';

const [file = '', url = '', mode = ''] = process.argv.slice(2);
const entries = (JSON.parse(readFileSync(file, 'utf8')) as (Entry & { readonly base64: string })[]).map((entry) => ({
  ...entry,
  bytes: Buffer.from(entry.base64, 'base64'),
}));
process.send?.('ready');
await restore(url, entries, {
  ...(mode === 'rows' ? {} : { mode: mode as RestoreMode }),
  overwrite: mode !== 'fresh',
  timeoutMs: 20_000,
});
process.send?.('done');
process.disconnect?.();
