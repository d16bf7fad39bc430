import type { Clock } from '../clock.ts';
import type { Random } from '../random.ts';
import type { Secret } from '../secret.ts';

/** Where a database is made for a while. */
export interface ScratchOptions {
  /** The server, by the URL of any database on it, which is not touched; a file needs none. */
  readonly url?: Secret;
  /** A folder of this user only, for what is a file. */
  readonly folder: string;
  /** How long the server is waited for: 60,000 unless set. */
  readonly timeoutMs?: number;
  readonly clock?: Clock;
  readonly random?: Random;
}

/** How {@link Scratch.query} runs. */
export interface QueryOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * A database that does not exist yet, with a name that nobody else has. What was made for it is marked, so that it is found after a crash,
 * and removed by the next one that is opened on the server.
 */
export interface Scratch {
  /** Where to restore to. */
  readonly url: Secret;
  /** The URL without secrets, or the path. */
  readonly label: string;
  /** Makes the database, empty, for what is restored into one that is there. A file is made by what is restored. */
  create(): Promise<void>;
  /** The rows of one statement that only reads. Throws `target.invalid` with the message of the server. */
  query(sql: string, options: QueryOptions): Promise<readonly (readonly unknown[])[]>;
  /** Removes the database and all that was made with it. May be repeated. */
  drop(): Promise<void>;
}

const namePattern = /^holdfast_drill_([0-9a-f]{16})(_db(?:__holdfast_(?:(?:new|undo|old)_)?[0-9a-f]{8,12})?)?$/;
const idBytes = 8;

/** A new id, by which all databases of one drill on one server are known. */
export function newScratchId(random: Random): string {
  return Buffer.from(random.bytes(idBytes)).toString('hex');
}

/** The database that carries the mark, and nothing else. It is there as long as any of the others. */
export function markName(id: string): string {
  return `holdfast_drill_${id}`;
}

/** The database that is restored to; a restore makes others beside it for a while. */
export function scratchName(id: string): string {
  return `${markName(id)}_db`;
}

/** The id in the name of a database of a drill, and whether it is the one with the mark; undefined for all other names. */
export function readScratchName(name: string): { readonly id: string; readonly isMark: boolean } | undefined {
  const [, id, rest] = namePattern.exec(name) ?? [];
  return id === undefined ? undefined : { id, isMark: rest === undefined };
}

/** What the mark says. */
export function scratchMark(id: string, atMs: number): string {
  return JSON.stringify({ holdfast: 'drill', id, atMs });
}

/** Whether a text is the mark of this id. */
export function isScratchMark(text: unknown, id: string): boolean {
  if (typeof text !== 'string') return false;
  try {
    const mark = JSON.parse(text) as { readonly holdfast?: unknown; readonly id?: unknown } | null;
    return mark?.holdfast === 'drill' && mark.id === id;
  } catch {
    return false;
  }
}

/** The names of a list that belong to one id, those without the mark first: with the mark nothing would tell whose they are. */
export function scratchesById(names: readonly string[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const name of names) {
    const read = readScratchName(name);
    if (read === undefined) continue;
    const known = found.get(read.id) ?? [];
    if (read.isMark) known.push(name);
    else known.unshift(name);
    found.set(read.id, known);
  }
  return found;
}

/** A URL of a server with another database. It may have had none. */
export function urlWithDatabase(url: string, database: string): string {
  const [, start = url, rest = ''] = /^([a-z][a-z0-9+.-]*:\/\/[^/?#]*)(?:\/[^?#]*)?(.*)$/is.exec(url) ?? [];
  return `${start}/${encodeURIComponent(database)}${rest}`;
}
