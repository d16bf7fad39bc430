/** Folders, trees and keys for tests of whole operations. */
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readlinkSync, realpathSync, rmSync } from 'node:fs';
import { lstat, mkdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after } from 'node:test';
import type { Clock, EntryKind, RandomAccess, Source } from '../../src/index.ts';

export { ageKeys } from './age-keys.ts';

/** A folder for the tests of one file, removed after them. */
export function makeWorkspace(name: string): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), `holdfast-test-${name}-`)));
  after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A folder in a workspace, empty, for one test. */
export async function emptyFolder(workspace: string, name: string): Promise<string> {
  const folder = join(workspace, name);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  return folder;
}

/** What is below a folder: one line for each path, with kind, mode, time and content, so that two trees compare as text. */
export async function describeTree(folder: string, options: { times?: boolean } = {}): Promise<string[]> {
  const lines: string[] = [];
  const look = async (place: Buffer, shown: string): Promise<void> => {
    const stats = await lstat(place, { bigint: true });
    // A time goes through a float of seconds, so that it may come back a microsecond off.
    const time = options.times === false ? '' : ` ${(stats.mtimeNs + 50_000_000n) / 100_000_000n}`;
    const mode = (stats.mode & 0o7777n).toString(8);
    if (stats.isSymbolicLink()) {
      lines.push(`${shown} -> ${readlinkSync(place, { encoding: 'buffer' }).toString('latin1')}${time}`);
    } else if (stats.isDirectory()) {
      lines.push(`${shown}/ ${mode}${time}`);
      for (const name of readdirSync(place, { encoding: 'buffer' }).sort(Buffer.compare)) {
        await look(Buffer.concat([place, Buffer.from('/'), name]), `${shown}/${name.toString('latin1')}`);
      }
    } else {
      const digest = createHash('sha256')
        .update(await readFile(place))
        .digest('hex');
      lines.push(`${shown} ${mode}${time} ${stats.size} ${digest}`);
    }
  };
  await look(Buffer.from(folder), '.');
  return lines;
}

/** All that a database holds, as text. */
export function dumpDatabase(path: string): string[] {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    const names = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").all();
    return names.flatMap(({ name }) => [
      String(name),
      ...database
        .prepare(`SELECT * FROM "${String(name).replaceAll('"', '""')}"`)
        .all()
        .map((row) => JSON.stringify(Object.values(row))),
    ]);
  } finally {
    database.close();
  }
}

/** A small database with `rows` rows. */
export function makeDatabase(path: string, rows: number): void {
  const database = new DatabaseSync(path);
  database.exec('CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT); BEGIN');
  const insert = database.prepare('INSERT INTO item (name) VALUES (?)');
  for (let index = 0; index < rows; index += 1) insert.run(`item ${index}`);
  database.exec('COMMIT');
  database.close();
}

/** Counts the bytes that are read. */
export function countingAccess(inner: RandomAccess): RandomAccess & { readBytes: number } {
  return {
    sizeBytes: inner.sizeBytes,
    readBytes: 0,
    async read(offset, into) {
      const length = await inner.read(offset, into);
      this.readBytes += length;
      return length;
    },
    close: () => inner.close(),
  };
}

/** One entry of an {@link entriesSource}. */
export interface GivenEntry {
  readonly path: string;
  readonly kind?: EntryKind;
  readonly bytes?: Uint8Array;
  /** Runs when this entry's bytes were taken. */
  readonly afterwards?: () => void | Promise<void>;
}

/** A source of entries that are at hand. */
export function entriesSource(name: string, entries: readonly GivenEntry[], onClose?: () => void): Source {
  return {
    name,
    describe: async () => ({ type: 'given', label: name, expectedSizeBytes: 0 }),
    async *entries() {
      for (const { path, kind = 'file', bytes = new Uint8Array(0), afterwards } of entries) {
        const open = async function* () {
          yield bytes;
          await afterwards?.();
        };
        yield { path, kind, expectedSizeBytes: bytes.length, metadata: {}, open };
      }
    },
    async close() {
      onClose?.();
    },
  };
}

/** A clock whose time flies, so that no progress is held back. */
export function flyingClock(): Clock {
  let elapsedMs = 0;
  return { nowMs: () => Date.now(), monotonicMs: () => (elapsedMs += 1000) };
}
