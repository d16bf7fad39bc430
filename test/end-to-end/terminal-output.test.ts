/** Names from archives and storages do not steer a terminal: neither what is shown to people nor what is JSON has a control character. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { runHere } from './command-line.ts';
import { makeWorkspace } from './workspace.ts';
import { writeArchive, writeForgedIndex } from './write-archive.ts';

/** Erases the screen, sets the title, C1 controls, turns the direction of writing, ends the line, moves up. */
const evil = '\x1b[2J\x1b]0;title\x07\u009b31m\u0085\u202efdp\r\n\x1b[1A\x7f\u2028';
const named = `shop${evil.replaceAll('/', '')}_20260101_020000_default.holdfast`;

/** What a terminal may act on, but for the end of a line. */
const steering = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

describe('names that would steer a terminal', () => {
  const folder = makeWorkspace('terminal');
  const begun = process.cwd();
  before(async () => {
    process.chdir(folder);
    mkdirSync('near');
    mkdirSync('far');
    const storage = { near: { backend: 'local', path: 'near' }, far: { backend: 'local', path: 'far' } };
    writeFileSync('holdfast.config.json', JSON.stringify({ files: ['near'], encryption: 'none', storage }));
    const bytes = await writeArchive([
      { path: `files/x${evil.replaceAll('\0', '')}`, kind: 'directory' },
      { path: `files/x/${evil}`, bytes: 'a' },
      { path: `files/x/link`, kind: 'symlink', metadata: { target: `../../${evil}` } },
      {
        path: `databases/${evil}/tables/${evil}`,
        kind: 'postgres-rows',
        metadata: { rows: 1, table: evil },
        bytes: 'x',
      },
      { path: `databases/lite${evil}`, kind: 'sqlite', metadata: { tables: { [evil]: 1 } }, bytes: 'x' },
      { path: `commands/${evil}`, kind: 'command', metadata: { command: [evil] }, bytes: 'x' },
      { path: evil, kind: evil, bytes: 'x' },
    ]);
    writeFileSync(join('near', named), bytes);
    writeFileSync(join('near', `cut${named}`), bytes.subarray(0, 5000));
    writeFileSync(join('near', `no${named}`), 'no archive');
    writeFileSync(join('near', `dump${evil}.sql.gz`), 'no dump');
    writeFileSync('forged.holdfast', await writeForgedIndex('a', `{"part":0}\n{"path":${JSON.stringify(evil)}}\n`));
  });
  after(() => process.chdir(begun));

  const commands: readonly (readonly string[])[] = [
    ['list', 'near'],
    ['list'],
    ['inspect', join('near', named)],
    ['inspect', 'forged.holdfast'],
    ['verify', join('near', named)],
    ['verify', named, '--storage', 'near'],
    ['restore', join('near', named), '--files-to', 'out', '--yes'],
    ['restore', join('near', named), '--only', `x${evil}`, '--files-to', 'out', '--yes'],
    ['repair', join('near', named), '--dry-run'],
    ['sync', '--from', 'near', '--to', 'far'],
    ['scrub', '--dry-run'],
    ['prune', '--dry-run'],
    ['rebuild'],
    ['doctor'],
    ['pin', named],
    ['catalogue', 'verify'],
    ['delete', named, '--storage', 'near', '--dry-run'],
    ['delete', `missing${evil}`, '--storage', 'near', '--yes'],
    ['drill', '--storage', `none${evil}`],
    ['runs'],
    [`nonsense${evil}`],
  ];
  for (const words of commands) {
    const shown = words.map((word) => word.replace(/[^\x20-\x7e]+/g, '…')).join(' ');
    it(`holdfast ${shown}`, async () => {
      for (const more of [[], ['--json']]) {
        const { stdout, stderr } = await runHere([...words, ...more]);
        for (const line of [...stdout.split('\n'), ...stderr.split('\n')]) {
          const [found, at = 0] = [steering.exec(line), steering.exec(line)?.index];
          assert.equal(found, null, JSON.stringify(line.slice(Math.max(0, at - 100), at + 40)));
        }
      }
    });
  }
});
