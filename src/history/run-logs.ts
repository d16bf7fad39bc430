import type { Kysely } from 'kysely';
import type { HistoryTables } from './history-schema.ts';
import type { RunLogLine } from './run-record.ts';

/** So many logs are kept, of the newest runs: at some hundred bytes each, and 64 KiB at most, they take a few MiB. */
const keptLogs = 2000;
/** More of one is cut, from its middle. */
const mostCharacters = 64 * 1024;

type Database = Kysely<HistoryTables>;

/** The lines from both ends that fit. */
function fitting(lines: readonly RunLogLine[]): readonly RunLogLine[] {
  let left = mostCharacters - lines.reduce((sum, { text }) => sum + text.length + 40, 0);
  if (left >= 0) return lines;
  const kept = [...lines];
  while (left < 0 && kept.length > 1) {
    const [removed] = kept.splice(Math.floor(kept.length / 2), 1);
    left += (removed?.text.length ?? 0) + 40;
  }
  return kept;
}

/** Writes what a run told; the logs of the oldest runs make room. */
export async function writeRunLog(
  database: Database,
  runId: string,
  { atMs, lines }: { readonly atMs: number; readonly lines: readonly RunLogLine[] },
): Promise<void> {
  await database.deleteFrom('run_log').where('run_id', '=', runId).execute();
  if (lines.length === 0) return;
  const row = {
    run_id: runId,
    at_ms: atMs,
    lines: JSON.stringify(fitting(lines).map(({ timeMs, text }) => [timeMs, text])),
  };
  await database.insertInto('run_log').values(row).execute();
  const oldest = await database
    .selectFrom('run_log')
    .select('at_ms')
    .orderBy('at_ms', 'desc')
    .offset(keptLogs)
    .limit(1)
    .executeTakeFirst();
  if (oldest !== undefined) await database.deleteFrom('run_log').where('at_ms', '<=', oldest.at_ms).execute();
}

/** What a run told; nothing where it told nothing, or is older than those that are kept. */
export async function readRunLog(database: Database, runId: string): Promise<readonly RunLogLine[]> {
  const row = await database.selectFrom('run_log').select('lines').where('run_id', '=', runId).executeTakeFirst();
  if (row === undefined) return [];
  return (JSON.parse(row.lines) as [number, string][]).map(([timeMs, text]) => ({ timeMs, text }));
}
