import { createHash } from 'node:crypto';
import type { Random } from '../../random.ts';

/** The server's limit for a name, in characters. */
const limit = 64;
const longestEnding = '__holdfast_undo_00000000'.length;
const idSizeBytes = 4;

function digest(text: string, length: number): string {
  return createHash('sha256').update(text).digest('hex').slice(0, length);
}

/** What the names of all databases beside this one begin with. */
function beginning(database: string): string {
  if (database.length + longestEnding <= limit) return database;
  return `${database.slice(0, limit - longestEnding - 9)}_${digest(database, 8)}`;
}

/** A new name for a database that is filled beside this one. */
export function sideName(database: string, random: Random): string {
  return `${beginning(database)}__holdfast_${Buffer.from(random.bytes(idSizeBytes)).toString('hex')}`;
}

/** A new name for a database that keeps what this one held. */
export function undoName(database: string, random: Random): string {
  return `${beginning(database)}__holdfast_undo_${Buffer.from(random.bytes(idSizeBytes)).toString('hex')}`;
}

/** What a name beside this database stands for; undefined for names that Holdfast did not give. */
export function sideKind(database: string, name: string): 'side' | 'undo' | undefined {
  const start = `${beginning(database)}__holdfast_`.toLowerCase();
  const lower = name.toLowerCase();
  if (!lower.startsWith(start)) return undefined;
  const rest = lower.slice(start.length);
  if (/^[0-9a-f]{8}$/.test(rest)) return 'side';
  return /^undo_[0-9a-f]{8}$/.test(rest) ? 'undo' : undefined;
}

/** The name of the server's lock under which one restore at a time works on a database. */
export function lockName(database: string): string {
  return `holdfast:${digest(database.toLowerCase(), 40)}`;
}
