import { constants } from 'node:fs';

/** O_NONBLOCK: what was a file a moment ago may be a FIFO now, and must not hold the run up. Windows has neither flag. */
export const readFlags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
