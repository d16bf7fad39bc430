import type { DrillProof } from '../history/run-record.ts';
import type { OpenPgpOpenKeys } from '../plain/openpgp-message.ts';
import type { GivenCheck } from '../policy/drill-check.ts';
import type { Secret } from '../secret.ts';
import type { ArchiveLocation, OpenKeys, RunOptions } from './options.ts';

/** What `drillBackup` takes. */
export interface DrillOptions extends RunOptions {
  readonly archive: ArchiveLocation;
  readonly keys?: OpenKeys;
  /** Of a plain dump. */
  readonly plainKeys?: OpenPgpOpenKeys;
  /**
   * Servers on which databases are made for the drill, by the URL of any database there, which is not touched: one for each kind of database.
   * Those where the databases came from unless set.
   */
  readonly servers?: readonly (string | Secret)[];
  /** Where databases came from, by their names in the archive: their servers are used where `servers` names none of that kind. */
  readonly databases?: Readonly<Record<string, string | Secret>>;
  /** The name of the database of a plain dump, which does not tell it; that of the file unless set. */
  readonly database?: string;
  /** What has to hold of what was restored. */
  readonly checks?: readonly GivenCheck[];
  /** Folder in which SQLite databases and files are put for a while; the system's unless set. */
  readonly temporaryFolder?: string;
  /** Connections that write to a server; 2 unless set. */
  readonly connections?: number;
  /** How long a lock or a silent server is waited for, and a check may take: 60,000 unless set. */
  readonly timeoutMs?: number;
  /** How long the drill may take; no limit unless set. */
  readonly limitMs?: number;
}

/** What `drillBackup` found. */
export interface DrillReport extends DrillProof {
  /** Absent for a plain dump. */
  readonly archiveId?: string;
  readonly format: 'holdfast' | 'plain';
  readonly databases: readonly DrilledDatabase[];
  readonly entryCount: number;
  /** Bytes of what was restored. */
  readonly sizeBytes: number;
  readonly rowCount: number;
  readonly healedBlocks: number;
  /** What could not be removed again; the next drill on the same server or folder removes it. */
  readonly leftovers: readonly string[];
  readonly durationMs: number;
}

/** A database that was restored. */
export interface DrilledDatabase {
  readonly name: string;
  /** Where it was for a while, without secrets. */
  readonly place: string;
  readonly tableCount: number;
  readonly rowCount: number;
}
