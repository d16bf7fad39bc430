/** Restores models that a file holds to a URL, to be killed meanwhile. */
import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { Secret } from '../../src/secret.ts';
import { readModelSchema } from '../../src/source/model/model-schema.ts';
import { type ModelRestoreSettings, ModelTarget } from '../../src/source/model/model-target.ts';
import type { RestorableEntry } from '../../src/source/target.ts';

const [file = '', url = '', settings = '{}'] = process.argv.slice(2);
const entries = JSON.parse(readFileSync(file, 'utf8')) as { entry: RestorableEntry; base64: string }[];
const bytesOf = ({ base64 }: { readonly base64: string }) => Buffer.from(base64, 'base64');
const [first] = entries;
if (first === undefined) throw new Error(`${file} holds no models`);
const target = new ModelTarget({
  url: new Secret(url),
  schema: readModelSchema(bytesOf(first), first.entry.path),
  timeoutMs: 20_000,
  ...(JSON.parse(settings) as ModelRestoreSettings),
});
process.send?.('ready');
await target.plan(entries.map(({ entry }) => entry));
for (const one of entries.toSorted((a, b) => target.phaseOf(a.entry) - target.phaseOf(b.entry))) {
  const bytes = bytesOf(one);
  const sizeBytes = 64 * 1024;
  const parts = Array.from({ length: Math.ceil(bytes.length / sizeBytes) }, (_, index) =>
    bytes.subarray(index * sizeBytes, (index + 1) * sizeBytes),
  );
  await target.stage(one.entry, Readable.from(parts));
  if (one.entry.metadata['model'] === 'person') process.send?.('half');
}
process.send?.('committing');
await target.commit();
process.send?.('done');
process.disconnect?.();
