import type { Random } from '../../random.ts';
import type { PostgresConnection } from './postgres-connection.ts';

const maximumNameBytes = 63;
const idBytes = 6;

/** `new`: being filled. `undo`: what a restore replaced. `old`: what was replaced and is not kept. */
export type SideKind = 'new' | 'undo' | 'old';

/** A database that stands beside another one. */
export interface SideDatabase {
  readonly name: string;
  readonly kind: SideKind;
  readonly id: string;
  readonly mark: SideMark | undefined;
}

/** What the comment of a database beside another one says. */
export interface SideMark {
  readonly holdfast: SideKind;
  /** The database that it stands beside. */
  readonly of: string;
  readonly atMs: number;
  /** The comment that it had. */
  readonly comment: string | null;
}

export function newId(random: Random): string {
  return Buffer.from(random.bytes(idBytes)).toString('hex');
}

/** The beginning of a name, as much of it as leaves room for a suffix, without half a character. */
function shortened(name: string, suffix: string): string {
  let short = name;
  while (Buffer.byteLength(short) > maximumNameBytes - suffix.length) short = [...short].slice(0, -1).join('');
  return short;
}

/** A name that is told by its database, its kind and an id: `shop__holdfast_new_0123456789ab`. */
export function sideName(database: string, kind: SideKind, id: string): string {
  const suffix = `__holdfast_${kind}_${id}`;
  return `${shortened(database, suffix)}${suffix}`;
}

/** The databases that stand beside one, the newest first. */
export async function findSides(control: PostgresConnection, database: string): Promise<SideDatabase[]> {
  const rows = await control.rows(
    `SELECT datname AS name, shobj_description(oid, 'pg_database') AS comment FROM pg_database WHERE datname LIKE '%\\_\\_holdfast\\_%'`,
  );
  const found = rows.flatMap((row): SideDatabase[] => {
    const name = String(row['name']);
    const [, kind, id] = /__holdfast_(new|undo|old)_([0-9a-f]{12})$/.exec(name) ?? [];
    if (kind === undefined || id === undefined || sideName(database, kind as SideKind, id) !== name) return [];
    const mark = readMark(row['comment']);
    // Two long names may begin alike.
    if (mark !== undefined && mark.of !== database) return [];
    return [{ name, kind: kind as SideKind, id, mark }];
  });
  return found.sort((a, b) => (b.mark?.atMs ?? 0) - (a.mark?.atMs ?? 0));
}

function readMark(comment: unknown): SideMark | undefined {
  if (typeof comment !== 'string') return undefined;
  try {
    const mark = JSON.parse(comment) as Partial<SideMark> | null;
    if (typeof mark?.of !== 'string' || typeof mark.atMs !== 'number' || mark.holdfast === undefined) return undefined;
    return { holdfast: mark.holdfast, of: mark.of, atMs: mark.atMs, comment: mark.comment ?? null };
  } catch {
    return undefined;
  }
}

/** The name under which the server lists the connection that a restore keeps all the time. */
export function restoreName(id: string): string {
  return `holdfast restore ${id}`;
}

/** Whether the restore that makes a database beside another one is still at work. */
export async function isAtWork(control: PostgresConnection, id: string): Promise<boolean> {
  const rows = await control.rows('SELECT 1 FROM pg_stat_activity WHERE application_name = $1', [restoreName(id)]);
  return rows.length > 0;
}
