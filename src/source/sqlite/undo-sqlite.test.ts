import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { HoldfastError } from '../../errors.ts';
import { Secret } from '../../secret.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import { sqliteEngine } from './sqlite-engine.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-undo-'));
  path = join(folder, 'app.db');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function makeDatabase(name: string, text: string): Buffer {
  using database = new DatabaseSync(join(folder, name));
  database.exec(`CREATE TABLE note (body TEXT); INSERT INTO note VALUES ('${text}')`);
  return readFileSync(join(folder, name));
}

function noteIn(file: string): unknown {
  using database = new DatabaseSync(file, { readOnly: true });
  return database.prepare('SELECT body FROM note').get()?.['body'];
}

const undo = (dryRun = false) =>
  sqliteEngine.undo({ url: new Secret(`sqlite:${path}`), dryRun, clock: new FakeClock(Date.UTC(2026, 0, 2)) });

describe('undo of a SQLite database', () => {
  it('brings the newest back, and the next one brings the replaced one back', async () => {
    makeDatabase('app.db', 'restored');
    makeDatabase('app.db.holdfast-undo-20260101T000000Z', 'oldest');
    makeDatabase('app.db.holdfast-undo-20260101T000000Z-10', 'newest');
    makeDatabase('app.db.holdfast-undo-20260101T000000Z-9', 'older');
    const kept = join(folder, 'app.db.holdfast-undo-20260102T000000Z');
    const newest = join(folder, 'app.db.holdfast-undo-20260101T000000Z-10');
    assert.deepEqual(await undo(true), { target: path, restored: newest, undo: kept });
    assert.equal(noteIn(path), 'restored');
    assert.deepEqual(await undo(), { target: path, restored: newest, undo: kept });
    assert.deepEqual([noteIn(path), noteIn(kept)], ['newest', 'restored']);
    assert.equal((await undo()).restored, kept);
    assert.equal(noteIn(path), 'restored');
    assert.equal(readdirSync(folder).length, 4);
  });

  it('brings back a database that is not there any more', async () => {
    makeDatabase('app.db.holdfast-undo-20260101T000000Z', 'old');
    assert.equal((await undo()).undo, undefined);
    assert.equal(noteIn(path), 'old');
  });

  it('follows a link to the database, and leaves the link', async () => {
    makeDatabase('real.db', 'restored');
    makeDatabase('real.db.holdfast-undo-20260101T000000Z', 'old');
    symlinkSync('real.db', path);
    await undo();
    assert.equal(noteIn(join(folder, 'real.db')), 'old');
  });

  it('moves the journals of a damaged database with it, both ways', async () => {
    writeFileSync(path, 'no database');
    writeFileSync(`${path}-wal`, 'its journal');
    const old = join(folder, 'app.db.holdfast-undo-20260101T000000Z');
    makeDatabase('app.db.holdfast-undo-20260101T000000Z', 'old');
    const { undo: kept = '' } = await undo();
    assert.equal(noteIn(path), 'old');
    assert.deepEqual([readFileSync(kept, 'utf8'), readFileSync(`${kept}-wal`, 'utf8')], ['no database', 'its journal']);
    assert.equal((await undo()).restored, kept);
    assert.deepEqual([readFileSync(path, 'utf8'), readFileSync(`${path}-wal`, 'utf8')], ['no database', 'its journal']);
    assert.ok(!readdirSync(folder).includes(old));
  });

  it('refuses where nothing is kept, and where the database is in use', async () => {
    makeDatabase('app.db', 'mine');
    makeDatabase('other.db.holdfast-undo-20260101T000000Z', 'of another');
    makeDatabase('app.db.holdfast-undo-now', 'of nobody');
    const hasCode = (code: string) => (error: unknown) => error instanceof HoldfastError && error.code === code;
    await assert.rejects(undo(), hasCode('target.no_undo'));
    makeDatabase('app.db.holdfast-undo-20260101T000000Z', 'old');
    using writer = new DatabaseSync(path);
    writer.exec('BEGIN IMMEDIATE; INSERT INTO note VALUES (1)');
    await assert.rejects(undo(), hasCode('target.busy'));
    writer.exec('COMMIT');
    assert.equal(noteIn(path), 'mine');
  });
});
