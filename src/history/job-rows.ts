import { isRunning, processSpaceTag } from '../disk/process-life.ts';
import type { JobTable } from './history-schema.ts';

/** A job that nobody holds. */
export const freeJob: Omit<JobTable, 'name' | 'handled_ms'> = {
  lease_token: null,
  lease_until_ms: null,
  process_id: null,
  process_space: null,
};

/** Whether the process that holds it is known to be gone: that of another machine is not. */
export function isHolderDead({ process_id: processId, process_space: space }: JobTable): boolean {
  return processId !== null && space === processSpaceTag() && !isRunning(processId);
}
