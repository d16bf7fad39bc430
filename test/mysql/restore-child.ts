/** Restores what a file holds to a URL, to be killed meanwhile. */
import { readFileSync } from 'node:fs';
import { type Entry, restore } from './restore.ts';

const [file = '', url = ''] = process.argv.slice(2);
const entries = (JSON.parse(readFileSync(file, 'utf8')) as (Entry & { readonly base64: string })[]).map((entry) => ({
  ...entry,
  bytes: Buffer.from(entry.base64, 'base64'),
}));
await restore(url, entries, { overwrite: true, timeoutMs: 20_000 });
