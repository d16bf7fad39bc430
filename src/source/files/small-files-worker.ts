/** The worker thread of `small-files.ts`: answers each question with what it found or did. */
import { parentPort, type Transferable } from 'node:worker_threads';
import { systemCode } from '../system-error.ts';
import { measureFiles, readSmallFiles, splitPaths } from './read-small-files.ts';
import type { ThreadAnswer, ThreadRequest } from './request-thread.ts';
import type { SmallFilesQuestion } from './small-files.ts';
import { writeSmallFiles } from './write-small-files.ts';

function answerOf(question: SmallFilesQuestion): { readonly answer: unknown; readonly transfer: Transferable[] } {
  if (question.ask === 'write') return { answer: writeSmallFiles(question.files), transfer: [] };
  const paths = splitPaths(question.joinedPaths);
  if (question.ask === 'measure') {
    const sizes = measureFiles(paths);
    return { answer: sizes, transfer: [sizes.buffer as ArrayBuffer] };
  }
  const read = readSmallFiles(paths);
  return { answer: read, transfer: [read.bytes.buffer as ArrayBuffer] };
}

parentPort?.on('message', ({ id, question }: ThreadRequest<SmallFilesQuestion>) => {
  const send = (message: ThreadAnswer, transfer: Transferable[] = []) => parentPort?.postMessage(message, transfer);
  try {
    const { answer, transfer } = answerOf(question);
    send({ id, answer }, transfer);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    send({ id, failure: { message, code: systemCode(error) } });
  }
});
