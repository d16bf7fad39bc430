import { parentPort, workerData } from 'node:worker_threads';
import { HoldfastError } from '../../errors.ts';
import type { TaskError, TaskRequest } from './protocol.ts';
import { TaskRunner } from './task-runner.ts';

/** The script of a worker thread: takes tasks, one after the other. */
const runner = new TaskRunner();
/** Other than 0 once the pool is closed: what was sent before is not begun. */
const stop = workerData as Int32Array;

function describeError(error: unknown): TaskError {
  const plain = error instanceof Error ? error : new Error(String(error));
  const known = error instanceof HoldfastError ? error : undefined;
  return {
    code: known?.code,
    message: plain.message,
    hint: known?.hint,
    context: { ...known?.context },
    stack: plain.stack,
  };
}

parentPort?.on('message', (request: TaskRequest) => {
  if (Atomics.load(stop, 0) !== 0) {
    // Nothing keeps the thread then.
    parentPort?.close();
    return;
  }
  try {
    const output = runner.run(request);
    const transfer =
      output instanceof Uint8Array && output.buffer instanceof ArrayBuffer && output.length === output.buffer.byteLength
        ? [output.buffer]
        : [];
    parentPort?.postMessage({ id: request.id, output }, transfer);
  } catch (error) {
    parentPort?.postMessage({ id: request.id, error: describeError(error) });
  }
});
