/**
 * Loaded into each test file: one that is still held open after its limit ends with an error that names what holds it.
 * The runner alone waits for a file without end.
 */
import { isMainThread } from 'node:worker_threads';

const limitMs = 15 * 60_000;

function endWithError(): void {
  const held = process.getActiveResourcesInfo().join(', ');
  process.stderr.write(`this file was still running after ${limitMs / 60_000} minutes, held by: ${held}\n`);
  process.exit(1);
}

// The runner and workers load this too; only the process of a file has the limit.
if (isMainThread && process.env['NODE_TEST_CONTEXT'] !== undefined) setTimeout(endWithError, limitMs).unref();
