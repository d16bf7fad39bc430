import { chmodSync, lutimesSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SeededRandom } from '../../src/testing/seeded-random.ts';

/** Makes a tree that has one of everything that a tree of files may have. */
export function makeOddTree(folder: string, options: { largeBytes: number }): void {
  mkdirSync(folder, { recursive: true });
  const at = (...names: string[]) => join(folder, ...names);
  const binary = (name: number[]) => Buffer.concat([Buffer.from(`${folder}/`), Buffer.from(name)]);
  mkdirSync(at('empty'));
  mkdirSync(at('.hidden', 'deep', 'er'), { recursive: true });
  mkdirSync(at('with space'));
  mkdirSync(binary([0xfe, 0x64]));
  writeFileSync(at('zero'), '');
  writeFileSync(at('one'), 'x');
  writeFileSync(at('.env'), 'A=1\n');
  writeFileSync(at('.hidden', 'deep', 'er', '.file'), 'hidden');
  writeFileSync(at('with space', ' lead and trail '), 'space');
  writeFileSync(at('with space', 'new\nline"quote\\back'), 'odd');
  writeFileSync(at('naïve-ß-日本語-🦊'), 'unicode');
  // One name composed, one decomposed: two files.
  writeFileSync(at('caf\u00e9'), 'composed');
  writeFileSync(at('cafe\u0301'), 'decomposed');
  writeFileSync(at('*?[glob]{a,b}'), 'glob');
  writeFileSync(at('n'.repeat(255)), 'long');
  writeFileSync(binary([0xff, 0xfe, 0x41]), 'not UTF-8');
  writeFileSync(binary([0xff, 0xfd, 0x41]), 'not UTF-8, and shown alike');
  const random = new SeededRandom(3);
  const large = random.bytes(options.largeBytes);
  // Half of it compresses.
  large.fill(7, 0, large.length >> 1);
  writeFileSync(at('large'), large);
  for (let index = 0; index < 60; index += 1) writeFileSync(at('.hidden', `small-${index}`), random.bytes(index * 7));
  symlinkSync('one', at('link'));
  symlinkSync('nowhere/at all', at('broken link'));
  symlinkSync('../../outside', at('link out'));
  symlinkSync(Buffer.from([0x61, 0xff]), binary([0x6c, 0xff]));
  chmodSync(at('one'), 0o400);
  chmodSync(at('zero'), 0o755);
  chmodSync(at('empty'), 0o1777);
  chmodSync(at('with space'), 0o500);
  utimesSync(at('zero'), 0, 0);
  utimesSync(at('one'), 1e9 + 0.123456, 1e9 + 0.123456);
  utimesSync(at('large'), 4e9, 4e9);
  lutimesSync(at('link'), 1e9, 1e9);
  utimesSync(at('empty'), 5e8, 5e8);
  utimesSync(folder, 6e8, 6e8);
}
