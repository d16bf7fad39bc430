import type { IndexEntry } from '../archive/entry/entry.ts';
import { formatVersion, type Header, slotType } from '../archive/header.ts';
import type { SweepResult } from '../archive/heal/sweep.ts';
import { asBuffer } from '../bytes.ts';
import { archivedTables } from '../source/sqlite/archived-tables.ts';
import type { ArchiveEntry, ArchiveSummary, BlockHealth, KeySlot } from './options.ts';

/** What an operation tells of an archive, from what the archive layer knows. */

export function archiveIdHex(header: Header): string {
  return asBuffer(header.archiveId).toString('hex');
}

export function keySlots(header: Header): KeySlot[] {
  const names = new Map<number, KeySlot['type']>([
    [slotType.passphrase, 'passphrase'],
    [slotType.age, 'age'],
  ]);
  return header.slots.map((slot) => ({
    id: asBuffer(slot.id).toString('hex'),
    type: names.get(slot.type) ?? 'unknown',
    label: slot.label,
    createdMs: slot.createdMs,
  }));
}

export function summarize(header: Header): ArchiveSummary {
  return {
    archiveId: archiveIdHex(header),
    formatVersion,
    createdMs: header.createdMs,
    encryption: header.cipher,
    compression: header.codec,
    copies: header.copies,
    dataBlocks: header.dataBlocks,
    parityBlocks: header.parityBlocks,
    slots: keySlots(header),
  };
}

export function toArchiveEntry(entry: IndexEntry): ArchiveEntry {
  const { path, pathBytes, kind, sizeBytes, sha256, metadata } = entry;
  return { path, ...(pathBytes === undefined ? {} : { pathBytes }), kind, sizeBytes, sha256, metadata };
}

/** The state of an archive by its blocks; one that was moved about is whole, but repair puts it in order. */
export function stateOf(result: SweepResult, inPlace: boolean): 'intact' | 'repairable' | 'lost' {
  if (result.tally.lost > 0) return 'lost';
  return result.tally.damaged > 0 || !inPlace ? 'repairable' : 'intact';
}

export function blockHealth(result: SweepResult): BlockHealth {
  return { ...result.tally };
}

/** Rows that the metadata of a database's entry tells: all, or those of some tables of it. */
export function rowCount(entry: Pick<ArchiveEntry, 'path' | 'kind' | 'metadata'>, tables?: readonly string[]): number {
  if (tables !== undefined) {
    const chosen = archivedTables(entry).filter(({ name }) => tables.includes(name));
    return chosen.reduce((sum, table) => sum + table.rows, 0);
  }
  const rows = entry.metadata['rows'];
  return typeof rows === 'number' ? rows : 0;
}
