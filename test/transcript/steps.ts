/** What a transcript can do besides calling `holdfast`: prepare files, damage them, look at them. */
import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** Prepares or checks something in `folder`; what it returns is its output. */
type StepAction = (folder: string, ...words: string[]) => string | undefined;

/** An offset or length: a number of bytes, or a part of the file such as `30%`. */
function place(text: string, sizeBytes: number): number {
  return text.endsWith('%') ? Math.floor((sizeBytes * Number(text.slice(0, -1))) / 100) : Number(text);
}

function makeDatabase(path: string, rowCount: number): void {
  using database = new DatabaseSync(path);
  database.exec('BEGIN; CREATE TABLE invoice (id INTEGER PRIMARY KEY, customer TEXT NOT NULL)');
  const insert = database.prepare('INSERT INTO invoice (customer) VALUES (?)');
  for (let row = 0; row < rowCount; row++) insert.run(`customer ${(row * 7919) % 104_729}`);
  database.exec('COMMIT');
}

export const stepActions: Readonly<Record<string, StepAction>> = {
  'make-database': (folder, path = '', rowCount = '1') => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    makeDatabase(join(folder, path), Number(rowCount));
    return undefined;
  },
  'count-rows': (folder, path = '') => {
    using database = new DatabaseSync(join(folder, path), { readOnly: true });
    return `${database.prepare('SELECT count(*) AS rows FROM invoice').get()?.['rows']}\n`;
  },
  write: (folder, path = '', ...words) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), `${words.join(' ')}\n`);
    return undefined;
  },
  show: (folder, path = '') => readFileSync(join(folder, path), 'utf8'),
  copy: (folder, from = '', to = '') => {
    writeFileSync(join(folder, to), readFileSync(join(folder, from)));
    return undefined;
  },
  /** Gives the one archive of a folder that is named for its time a name that a transcript can tell. */
  'name-archive': (folder, path = '', name = '') => {
    const made = readdirSync(join(folder, path)).filter((file) => /_\d{8}_\d{6}_/.test(file));
    assert.equal(made.length, 1, made.join(' '));
    renameSync(join(folder, path, made[0] ?? ''), join(folder, path, name));
    return undefined;
  },
  damage: (folder, path = '', offset = '0', length = '1') => {
    const bytes = readFileSync(join(folder, path));
    const start = place(offset, bytes.length);
    for (let index = start; index < start + place(length, bytes.length); index++) bytes[index]! ^= 0xff;
    writeFileSync(join(folder, path), bytes);
    return undefined;
  },
  truncate: (folder, path = '', length = '0') => {
    truncateSync(join(folder, path), place(length, statSync(join(folder, path)).size));
    return undefined;
  },
  same: (folder, left = '', right = '') => {
    const equal = readFileSync(join(folder, left)).equals(readFileSync(join(folder, right)));
    assert.ok(equal, `${left} and ${right} differ`);
    return undefined;
  },
  mode: (folder, path = '') => `${(statSync(join(folder, path)).mode & 0o777).toString(8)}\n`,
  present: (folder, path = '') => {
    assert.ok(existsSync(join(folder, path)), `${path} is not there`);
    return undefined;
  },
  remove: (folder, path = '') => {
    rmSync(join(folder, path), { recursive: true });
    return undefined;
  },
  missing: (folder, path = '') => {
    assert.ok(!existsSync(join(folder, path)), `${path} is there`);
    return undefined;
  },
};
