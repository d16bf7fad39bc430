/** The worker thread of `small-files.ts`: answers each request with what it found. */
import { parentPort } from 'node:worker_threads';
import { measureFiles, readSmallFiles, splitPaths } from './read-small-files.ts';
import type { SmallFilesRequest } from './small-files.ts';

parentPort?.on('message', ({ id, ask, joinedPaths }: SmallFilesRequest) => {
  const paths = splitPaths(joinedPaths);
  const answer = ask === 'read' ? readSmallFiles(paths) : measureFiles(paths);
  const memory = 'bytes' in answer ? answer.bytes.buffer : answer.buffer;
  parentPort?.postMessage({ id, answer }, [memory as ArrayBuffer]);
});
