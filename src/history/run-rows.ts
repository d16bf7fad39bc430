import { isRunning, processSpaceTag } from '../disk/process-life.ts';
import type { DeliveryTable, RunArchiveTable, RunTable } from './history-schema.ts';
import type { RecordedDelivery, RunArchive, RunArchiveState, RunKind, RunRecord, RunState } from './run-record.ts';

/** Leaves out what the table has no value for. */
function present<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], null> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null)) as never;
}

const asNumber = (value: number | null) => (value === null ? null : Number(value));
const asError = (value: string | null) => (value === null ? null : JSON.parse(value));

/** A row as the record that it is. */
export function toRecord(row: RunTable, archives: readonly RunArchiveTable[]): RunRecord {
  const hasDied = row.state === 'running' && row.process_space === processSpaceTag() && !isRunning(row.process_id);
  return {
    id: row.id,
    kind: row.kind as RunKind,
    state: hasDied ? 'died' : (row.state as RunState),
    startedMs: Number(row.started_ms),
    phases: JSON.parse(row.phases),
    ...present({
      job: row.job,
      scheduledMs: asNumber(row.scheduled_ms),
      database: row.database,
      endedMs: asNumber(row.ended_ms),
      sizeBytes: asNumber(row.size_bytes),
      plainSizeBytes: asNumber(row.plain_size_bytes),
      entryCount: asNumber(row.entry_count),
      rowCount: asNumber(row.row_count),
      healedBlocks: asNumber(row.healed_blocks),
      error: asError(row.error),
    }),
    archives: archives.map(toArchive),
  };
}

/** The same of a delivery. */
export function toDelivery(row: DeliveryTable): RecordedDelivery {
  return {
    event: row.event,
    type: row.type,
    place: row.place,
    sent: Number(row.sent) === 1,
    tries: Number(row.tries),
    atMs: Number(row.at_ms),
    ...present({ runId: row.run_id, error: asError(row.error) }),
  };
}

function toArchive(row: RunArchiveTable): RunArchive {
  return {
    url: row.url,
    state: row.state as RunArchiveState,
    ...present({
      storage: row.storage,
      name: row.name,
      database: row.database,
      archiveId: row.archive_id,
      sizeBytes: asNumber(row.size_bytes),
      sha256: row.sha256,
      error: asError(row.error),
    }),
  };
}
