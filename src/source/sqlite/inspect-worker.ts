/** The worker thread of `inspect.ts`: inspects the file that it is given, and answers once. */
import { parentPort, workerData } from 'node:worker_threads';
import { inspectDatabaseSync } from './inspect-database.ts';
import { sqliteResultCode } from './sqlite-error.ts';

try {
  parentPort?.postMessage({ contents: inspectDatabaseSync(String(workerData)) });
} catch (error) {
  const code = sqliteResultCode(error);
  // An error loses its own properties on the way to another thread.
  if (code === undefined) throw error;
  parentPort?.postMessage({ code, message: error instanceof Error ? error.message : String(error) });
}
