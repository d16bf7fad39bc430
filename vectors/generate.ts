/**
 * Writes `vectors/archives/<name>.holdfast` and `.json`. An archive whose bytes depend on a library or tool is written only where it
 * is missing.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expectation, vectors } from './generators/all.ts';

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
process.stdout.write(`${vectors.length} vectors, ${sizeBytes} bytes\n`);
