import type { StateReason } from './web-services.ts';

/** What a state means, and what to do about it. */
export const stateTexts = {
  backed_up: ['it is backed up, and the backup was read back', ''],
  never_backed_up: ['there is no backup of it yet', 'start the first one now'],
  not_scheduled: ['no schedule backs it up, and the last backup is old', 'turn its schedule on, or start a backup'],
  overdue: [
    'the last good backup is older than its schedule allows',
    'see that holdfast serve runs, or start a backup',
  ],
  last_run_failed: ['the last backup failed', 'see its error, mend what it names, and start a backup'],
  last_run_died: [
    'the process of the last backup ended in the middle of it',
    'look for lack of memory or a restart, and start a backup',
  ],
  last_run_interrupted: ['the last backup was interrupted', 'start it again'],
  last_run_suspect: [
    'the last backup holds far less than the one before',
    'see whether data was lost, before you trust it',
  ],
  last_archive_damaged: [
    'the newest archive is damaged',
    'start a scrub: it heals from the other copy and the other storages',
  ],
  never_proven: ['the contents of no archive were ever read back', 'verify the newest archive with its key'],
  proof_is_old: ['the contents were last read back long ago', 'verify the newest archive with its key'],
  disabled: ['the configuration leaves it out of backups', 'enable it, where that is not meant'],
} as const satisfies Record<StateReason, readonly [string, string]>;
