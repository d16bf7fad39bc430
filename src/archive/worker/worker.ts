import assert from 'node:assert/strict';
import { createHash, type Hash } from 'node:crypto';
import { parentPort } from 'node:worker_threads';
import { HoldfastError } from '../../errors.ts';
import { compressSegment } from '../compress/codec.ts';
import { BlockFramer } from '../heal/block-framer.ts';
import { checkBlocks, loadSegment, openSegments } from '../heal/check.ts';
import { Layout } from '../heal/geometry.ts';
import { scanBlocks } from '../heal/scan.ts';
import { solveStripe } from '../heal/solve.ts';
import { sealSegment } from '../seal/segment-cipher.ts';
import { freeMemory } from './free-memory.ts';
import type { HashSpan, SealTask, TaskError, TaskName, TaskRequest, WorkerSetup } from './protocol.ts';

/** The script of a worker thread: takes tasks, one after the other. */

interface WorkerState extends WorkerSetup {
  readonly layout: Layout | undefined;
}

let state: WorkerState | undefined;
let framer: BlockFramer | undefined;
const hashes = new Map<number, Hash>();

function configured(): WorkerState {
  assert(state !== undefined, 'the worker was not configured');
  return state;
}

function layout(): Layout {
  const known = configured().layout;
  assert(known !== undefined, 'the layout is not known');
  return known;
}

function configure(setup: WorkerSetup): undefined {
  const known = setup.totalDataBlocks === undefined ? undefined : new Layout(setup.totalDataBlocks, setup.shape);
  state = { ...setup, layout: known };
  return undefined;
}

function seal(task: SealTask): number[] {
  const { codec, seal: keys } = configured();
  assert(keys !== undefined, 'the worker has no key');
  let end = 0;
  return task.segments.map(({ number, offset, length }) => {
    const compressed = compressSegment(codec, task.plain.subarray(offset, offset + length));
    const sealed = sealSegment(keys, { number, kind: task.kind, bytes: compressed }, task.into.subarray(end));
    freeMemory(compressed);
    end += sealed;
    return sealed;
  });
}

function hash(task: { bytes: Uint8Array; spans: readonly HashSpan[] }): { entry: number; sha256: string }[] {
  const ended: { entry: number; sha256: string }[] = [];
  for (const span of task.spans) {
    const hasher = hashes.get(span.entry) ?? createHash('sha256');
    hasher.update(task.bytes.subarray(span.offset, span.offset + span.length));
    if (span.last) {
      ended.push({ entry: span.entry, sha256: hasher.digest('hex') });
      hashes.delete(span.entry);
    } else {
      hashes.set(span.entry, hasher);
    }
  }
  return ended;
}

function resetParity(): undefined {
  framer = undefined;
  return undefined;
}

function currentFramer(): BlockFramer {
  const { archiveId, shape } = configured();
  framer ??= new BlockFramer(archiveId, shape);
  return framer;
}

const handlers: { [Name in TaskName]: (input: TaskRequest<Name>['input']) => unknown } = {
  configure,
  seal,
  hash,
  resetParity,
  frame: (task) => currentFramer().frame(task),
  parity: (task) => currentFramer().parity(task),
  check: (task) => checkBlocks(task, configured().archiveId, layout()),
  load: (task) => loadSegment(task, configured(), layout()),
  open: (task) => openSegments(task, configured(), layout()),
  solve: (task) => solveStripe(task, configured(), layout()),
  scan: scanBlocks,
};

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
  try {
    const handler = handlers[request.name] as (input: unknown) => unknown;
    const output = handler(request.input);
    const transfer =
      output instanceof Uint8Array && output.buffer instanceof ArrayBuffer && output.length === output.buffer.byteLength
        ? [output.buffer]
        : [];
    parentPort?.postMessage({ id: request.id, output }, transfer);
  } catch (error) {
    parentPort?.postMessage({ id: request.id, error: describeError(error) });
  }
});
