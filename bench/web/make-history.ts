import { mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { openHistory } from '../../src/history/history.ts';

const hourMs = 3_600_000;

/** What {@link makeHistory} makes. */
export interface HistorySize {
  readonly archives: number;
  readonly runs: number;
}

/** What is backed up: each has archives of its own. */
const databases = ['shop', 'billing', 'crm', 'stock', 'mail'];

function archiveName(database: string, timeMs: number): string {
  const stamp = new Date(timeMs).toISOString().replace(/[-:]/g, '').replace('T', '_').slice(0, 15);
  return `${database}_${stamp}.holdfast`;
}

/** A folder with a configuration, archives that are there by name and size (their blocks are holes), and a long history of runs. */
export async function makeHistory(folder: string, { archives, runs }: HistorySize, nowMs: number): Promise<void> {
  const config = {
    databases: databases.map((alias) => ({
      alias,
      url: `sqlite:${alias}.db`,
      scheduleOverride: { intervalHours: 4 },
    })),
    storage: { backend: 'local', path: 'backups' },
    retention: { keepHourly: 8784, keepDaily: 365, keepWeekly: 52, keepMonthly: 24 },
    encryption: 'none',
  };
  await writeFile(join(folder, 'holdfast.config.json'), JSON.stringify(config));
  await mkdir(join(folder, 'backups'));
  const stepMs = 4 * hourMs;
  const nameOf = (index: number) => {
    const database = databases[index % databases.length] ?? '';
    return { database, timeMs: nowMs - hourMs - Math.floor(index / databases.length) * stepMs };
  };
  for (let index = 0; index < archives; index++) {
    const { database, timeMs } = nameOf(index);
    const file = await open(join(folder, 'backups', archiveName(database, timeMs)), 'w', 0o600);
    await file.truncate(400_000_000 + index * 1000);
    await file.close();
  }
  const path = join(folder, '.holdfast', 'history.db');
  await (await openHistory({ path })).close();
  using file = new DatabaseSync(path);
  const addRun = file.prepare(
    `INSERT INTO run (id, kind, job, database, state, started_ms, ended_ms, process_id, process_space, size_bytes, phases)
     VALUES (?, ?, ?, ?, ?, ?, ?, 0, 'bench', ?, '[]')`,
  );
  const addArchive = file.prepare(
    `INSERT INTO run_archive (run_id, position, url, storage, name, database, state) VALUES (?, 0, ?, 'local', ?, ?, ?)`,
  );
  file.exec('BEGIN');
  for (let index = runs - 1; index >= 0; index--) {
    const { database, timeMs } = nameOf(index);
    const id = index.toString(16).padStart(24, '0');
    const state = index % 97 === 96 ? 'failed' : 'succeeded';
    addRun.run(
      id,
      'backup',
      `backup:${database}`,
      database,
      state,
      timeMs,
      timeMs + 90_000,
      400_000_000 + index * 1000,
    );
    const name = archiveName(database, timeMs);
    addArchive.run(id, join(folder, 'backups', name), name, database, state === 'failed' ? 'failed' : 'proven');
  }
  file.exec('COMMIT');
}
