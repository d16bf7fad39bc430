import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, it } from 'node:test';
import { runSql } from '../../../../test/models/database-of-engine.ts';
import { contentsOf, keepModels, putModels } from '../../../../test/models/model-archive.ts';
import { leaveOutWithout } from '../../../../test/services/service-packages.ts';
import { type PostgresService, startPostgres } from '../../../../test/services/start-postgres.ts';
import { SeededRandom } from '../../../testing/seeded-random.ts';
import type { ModelRestoreSettings } from '../model-target.ts';

leaveOutWithout('postgres');

/** How often a restore is killed in each mode: few times here, 50 times by `npm run crash`. */
const killCount = Number(process.env['HOLDFAST_KILL_POINTS'] ?? 3);
const child = new URL('../../../../test/models/restore-child.ts', import.meta.url);
const folder = mkdtempSync(join(tmpdir(), 'holdfast-crash-'));
const file = join(folder, 'models.json');
const modes: Readonly<Record<string, ModelRestoreSettings>> = {
  empty: { createSchema: true },
  update: { onConflict: 'update', naturalKeys: ['person:email'] },
  'replace-all': { onConflict: 'replace-all' },
};
let server: PostgresService;

const tables = (
  number: string,
) => `CREATE TABLE person (id ${number} PRIMARY KEY, email varchar(40) NOT NULL UNIQUE, note varchar(200));
  CREATE TABLE visit (id ${number} PRIMARY KEY, person_id integer NOT NULL REFERENCES person (id), note varchar(200));`;
/** Rows whose persons have other numbers in the target, and some that the archive does not hold. */
const rows = (persons: number, shift: number, note: string) => `
  INSERT INTO person WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${persons})
    SELECT i, 'p' || (i + ${shift}) || '@x', '${note.repeat(20)}' FROM n;
  INSERT INTO visit SELECT id, id, '${note.repeat(20)}' FROM person;`;
const archivedRows = 3_000;
const oldRows = 100;

before(async () => {
  server = await startPostgres();
  const url = await server.createDatabase('archived');
  await runSql(url, `${tables('integer')} ${rows(archivedRows, 0, 'new ')}`);
  const kept = await keepModels(url);
  const entries = kept.entries.map(({ entry, chunks }) => ({
    entry,
    base64: Buffer.concat(chunks).toString('base64'),
  }));
  writeFileSync(file, JSON.stringify(entries));
});
after(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** A database that is put back as it was before the next restore. */
interface Subject {
  readonly url: string;
  reset(): Promise<void>;
  /** What stands in it, as one text. Waits until the killed one holds nothing any more. */
  state(): Promise<string>;
}

async function textOf(url: string): Promise<string> {
  const { models, lines } = await contentsOf(url);
  const keys = models.map(({ name, primaryKey, uniqueKeys, foreignKeys }) => [
    name,
    primaryKey?.columns,
    uniqueKeys.map(({ columns }) => columns),
    foreignKeys.map(({ columns, references, isSoft }) => [columns, references.table.name, isSoft]),
  ]);
  return JSON.stringify([keys, [...lines]]);
}

function sqliteSubject(mode: string): Subject {
  const path = join(folder, mode, 'shop.db');
  const old = join(folder, `${mode}.db`);
  if (mode !== 'empty') {
    using database = new DatabaseSync(old);
    database.exec(`${tables('INTEGER')} ${rows(oldRows, 2, 'old ')}`);
  }
  return {
    url: `sqlite:${path}`,
    async reset() {
      mkdirSync(join(folder, mode), { recursive: true });
      for (const name of readdirSync(join(folder, mode))) rmSync(join(folder, mode, name));
      if (existsSync(old)) copyFileSync(old, path);
    },
    async state() {
      if (!existsSync(path)) return 'missing';
      // Whoever opens it for writing takes back what was not committed.
      using database = new DatabaseSync(path);
      assert.deepEqual({ ...database.prepare('PRAGMA integrity_check').get() }, { integrity_check: 'ok' });
      assert.equal(database.prepare('PRAGMA foreign_key_check').get(), undefined);
      database.close();
      return await textOf(this.url);
    },
  };
}

function postgresSubject(mode: string): Subject {
  const name = `killed_${mode.replace('-', '_')}`;
  let isMade = false;
  return {
    url: server.urlOf(name),
    async reset() {
      if (!isMade) await server.createDatabase(name);
      isMade = true;
      const old = mode === 'empty' ? '' : `${tables('integer')} ${rows(oldRows, 2, 'old ')}`;
      await runSql(this.url, `DROP SCHEMA public CASCADE; CREATE SCHEMA public; ${old}`);
    },
    async state() {
      for (;;) {
        const found = await runSql(server.url, `SELECT pg_sleep(0.02) FROM pg_stat_activity WHERE datname = '${name}'`);
        if (found.length === 0) return await textOf(this.url);
      }
    },
  };
}

/** Starts a restore and kills it some time after it said a word; gives how long after each word it said the next. */
async function killAfter(
  url: string,
  mode: string,
  word: string,
  delayMs: number,
): Promise<ReadonlyMap<string, number>> {
  const args = [file, url, JSON.stringify(modes[mode])];
  const process = fork(child, args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const said = new Map<string, number>();
  const exited = once(process, 'exit');
  const heard = new Promise<void>((resolve) => {
    process.on('message', (message) => {
      said.set(String(message), performance.now());
      if (message === word) resolve();
    });
  });
  await Promise.race([heard, exited]);
  await Promise.race([new Promise((resolve) => setTimeout(resolve, delayMs)), exited]);
  process.kill('SIGKILL');
  await exited;
  return said;
}

describe('a restore of models that is killed leaves the old database or the new one, whole', () => {
  for (const engine of ['postgres', 'sqlite'] as const) {
    for (const mode of Object.keys(modes)) {
      it(`${engine}, ${mode}`, async () => {
        const subject = engine === 'postgres' ? postgresSubject(mode) : sqliteSubject(mode);
        await subject.reset();
        const old = await subject.state();
        const said = await killAfter(subject.url, mode, 'done', 60_000);
        const fresh = await subject.state();
        assert.notEqual(fresh, old);
        const at = (word: string) => said.get(word) ?? assert.fail(`it did not come to ${word}`);
        const phases = [
          { word: 'ready', lengthMs: at('half') - at('ready') },
          // One of the two tables is full.
          { word: 'half', lengthMs: at('committing') - at('half') },
          // Rows are matched, keys are checked, and then it is decided.
          { word: 'committing', lengthMs: at('done') - at('committing') },
        ] as const;
        await subject.reset();
        const random = new SeededRandom(engine.length * 100 + mode.length);
        const seen = new Set<string>();
        for (let turn = 0; turn < killCount; turn += 1) {
          const { word, lengthMs } = phases[2 - (turn % 3)] ?? phases[0];
          const delayMs = random.float() * lengthMs;
          const isDone = (await killAfter(subject.url, mode, word, delayMs)).has('done');
          const state = await subject.state();
          assert.ok(
            state === fresh || (state === old && !isDone),
            `${delayMs} of ${lengthMs} ms after ${word}: ${state.slice(0, 300)}`,
          );
          seen.add(state);
          if (state === fresh) await subject.reset();
        }
        if (!seen.has(old)) {
          await killAfter(subject.url, mode, 'ready', 0);
          assert.equal(await subject.state(), old);
        }
        await subject.reset();
        const entries = await keepModels(server.urlOf('archived'));
        await putModels(entries, subject.url, modes[mode]);
        assert.equal(await subject.state(), fresh, 'after all kills, it is restored as ever');
      });
    }
  }
});
