/** The job that backs up all that has no schedule of its own, into one archive. */
export const mainJob = 'backup';

/** The job that proves the newest backups by restoring them. */
export const drillJob = 'drill';

/** The job that reads all archives, and mends them. */
export const scrubJob = 'scrub';
