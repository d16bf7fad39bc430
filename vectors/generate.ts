/**
 * Writes `vectors/archives/<name>.holdfast` and `.json`. An archive whose bytes depend on a library or tool is written only where it
 * is missing. Sets of shards go to folders of `vectors/shards/`.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expectation, vectors } from './generators/all.ts';
import { spreadExpectation, spreadVectors } from './generators/spread.ts';

const folder = join(import.meta.dirname, 'archives');
mkdirSync(folder, { recursive: true });
let sizeBytes = 0;
for (const vector of vectors) {
  const made = vector.make();
  const archive = join(folder, `${vector.name}.holdfast`);
  if ((vector.deterministic ?? true) || !existsSync(archive)) writeFileSync(archive, made.file);
  writeFileSync(join(folder, `${vector.name}.json`), `${JSON.stringify(expectation(vector, made), null, 2)}\n`);
  sizeBytes += made.file.length;
}
for (const vector of spreadVectors) {
  const made = vector.make();
  const place = join(import.meta.dirname, 'shards', vector.name);
  mkdirSync(place, { recursive: true });
  for (const { name, bytes } of made.files) writeFileSync(join(place, name), bytes);
  const answer = `${JSON.stringify(spreadExpectation(vector, made), null, 2)}\n`;
  writeFileSync(join(place, 'expect.json'), answer);
  sizeBytes += made.files.reduce((sum, { bytes }) => sum + bytes.length, 0);
}
process.stdout.write(`${vectors.length + spreadVectors.length} vectors, ${sizeBytes} bytes\n`);
