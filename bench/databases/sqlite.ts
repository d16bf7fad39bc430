import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { holdfast } from '../programs.ts';
import { type Bench, mebibyte, race, residentMebibytes, seconds, seriesOf } from '../race.ts';
import type { Row } from '../row.ts';
import { shell } from './shell.ts';

/** Rows of about 1 KiB, half of each random. */
export function makeNotes(path: string, sizeBytes: number): void {
  const database = new DatabaseSync(path);
  database.exec(`PRAGMA journal_mode = WAL; CREATE TABLE note (id INTEGER PRIMARY KEY, title TEXT, body TEXT, content BLOB);
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${Math.ceil(sizeBytes / 1_130)})
    INSERT INTO note SELECT i, 'Note ' || i, replace(hex(zeroblob(8)), '00', 'paid after reminder ' || i || ', '), randomblob(600) FROM n;
    CREATE INDEX note_title ON note (title)`);
  database.close();
}

/** Backup of a file of SQLite, beside its own shell and a compressor. */
export async function benchSqlite(bench: Bench): Promise<Row[]> {
  const path = join(bench.workFolder, 'notes.db');
  const archive = join(bench.workFolder, 'notes.holdfast');
  const copy = join(bench.workFolder, 'notes.copy.db');
  bench.say('making the database');
  makeNotes(path, bench.dataSizeBytes);
  const results = await race(
    bench,
    [
      {
        name: 'holdfast',
        prepare: () => rmSync(archive, { force: true }),
        command: holdfast('backup', '--url', `sqlite:${path}`, '--output', archive, '--json'),
      },
      {
        name: '.backup, then zstd',
        prepare: () => rmSync(copy, { force: true }),
        command: shell(`sqlite3 '${path}' ".backup '${copy}'" && zstd -3 -T2 -q -f '${copy}' -o '${copy}.zst'`),
      },
    ],
    bench.repetitions,
  );
  const [own, peers] = seriesOf(results, seconds);
  const [memory] = seriesOf(results, residentMebibytes);
  const note = `the file has ${Math.round(statSync(path).size / mebibyte)} MiB; its integrity is checked, which the peer does not`;
  for (const each of [path, copy, `${copy}.zst`, archive]) rmSync(each, { force: true });
  return [
    {
      id: 'sqlite.backup.time',
      title: 'SQLite: backup',
      unit: 's',
      own,
      peers,
      target: { kind: 'at most', bound: 1.5, ratioTo: '.backup, then zstd' },
      note,
    },
    {
      id: 'sqlite.backup.memory',
      title: 'SQLite: backup, peak resident memory',
      unit: 'MiB',
      own: memory,
      peers: [],
      target: { kind: 'at most', bound: 250 },
    },
  ];
}
