import type { Kysely } from 'kysely';
import type { HistoryTables, RunArchiveTable } from './history-schema.ts';
import type { PlainDigest, RunArchive } from './run-record.ts';

/** Writes the archives of a run. */
export async function insertArchives(
  database: Kysely<HistoryTables>,
  runId: string,
  archives: readonly RunArchive[],
): Promise<void> {
  for (const [position, archive] of archives.entries()) {
    const row: RunArchiveTable = {
      run_id: runId,
      position,
      url: archive.url,
      storage: archive.storage ?? null,
      name: archive.name ?? null,
      database: archive.database ?? null,
      archive_id: archive.archiveId ?? null,
      size_bytes: archive.sizeBytes ?? null,
      sha256: archive.sha256 ?? null,
      state: archive.state,
      error: archive.error === undefined ? null : JSON.stringify(archive.error),
    };
    await database.insertInto('run_archive').values(row).execute();
  }
}

/** What plain dumps were, the newest run first; last, what was read when the history was rebuilt. */
export async function readPlainDigests(database: Kysely<HistoryTables>): Promise<readonly PlainDigest[]> {
  const rows = await database
    .selectFrom('run_archive')
    .innerJoin('run', 'run.id', 'run_archive.run_id')
    .select(['run_archive.url', 'run_archive.name', 'run_archive.sha256', 'run.sequence'])
    .where('run_archive.sha256', 'is not', null)
    .orderBy('run.sequence', 'desc')
    .orderBy('run.started_ms', 'desc')
    .orderBy('run.id', 'desc')
    .execute();
  return rows.map(({ url, name, sha256, sequence }) => ({
    url,
    sha256: sha256 ?? '',
    ...(name === null ? {} : { name }),
    ...(Number(sequence) === 0 ? { isFromRebuild: true } : {}),
  }));
}
