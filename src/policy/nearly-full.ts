/** Room of the disk that a storage is on. */
export interface StorageRoom {
  readonly freeBytes: number;
  readonly totalBytes: number;
}

const leastFreeShare = 0.05;
/** Backups that must fit besides. */
const backupsToCome = 3;

/** Whether a storage will soon take no more: less than a twentieth is free, or less than the next three backups take. */
export function isNearlyFull({ freeBytes, totalBytes }: StorageRoom, lastBackupBytes: number): boolean {
  return freeBytes < totalBytes * leastFreeShare || freeBytes < lastBackupBytes * backupsToCome;
}
