import { extname } from 'node:path';
import { type Transferable, Worker } from 'node:worker_threads';
import { HoldfastError, throwIfAborted } from '../../errors.ts';

/** What a {@link RequestThread} sends to its script. */
export interface ThreadRequest<Question> {
  readonly id: number;
  readonly question: Question;
}

/** What the script sends back. An error of the system keeps its code. */
export type ThreadAnswer = { readonly id: number } & (
  | { readonly answer: unknown }
  | { readonly failure: { readonly message: string; readonly code: string | undefined } }
);

interface Waiting {
  resolve(answer: unknown): void;
  reject(error: unknown): void;
}

/**
 * A thread that answers questions about files, one after the other, with synchronous calls: of thousands of small files the many turns of the event
 * loop would take longer than the work. The first question starts it.
 */
export class RequestThread<Question> {
  readonly #script: string;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #lastId = 0;

  /** `script` stands beside this file; without its ending. */
  constructor(script: string) {
    this.#script = script;
  }

  async ask(question: Question, options: { signal?: AbortSignal | undefined; transfer?: Transferable[] } = {}) {
    const { signal, transfer = [] } = options;
    throwIfAborted(signal);
    this.#lastId += 1;
    const id = this.#lastId;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const onAbort = () => reject(new HoldfastError('operation.interrupted', { cause: signal?.reason }));
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#waiting.set(id, { resolve, reject });
    try {
      const worker = this.#thread();
      worker.ref();
      worker.postMessage({ id, question } satisfies ThreadRequest<Question>, transfer);
      return await promise;
    } finally {
      this.#waiting.delete(id);
      if (this.#waiting.size === 0) this.#worker?.unref();
      signal?.removeEventListener('abort', onAbort);
    }
  }

  /** May be repeated; what is still asked fails. */
  close(): void {
    const worker = this.#worker;
    this.#worker = undefined;
    // A thread that a dead network file system holds never ends, and nobody waits for it.
    void worker?.terminate();
    worker?.unref();
    this.#failAll(new HoldfastError('operation.interrupted'));
  }

  #thread(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    const script = new URL(`./${this.#script}${extname(import.meta.url)}`, import.meta.url);
    const worker = new Worker(script, {
      // The flags of the process may be such as a thread refuses.
      execArgv: [],
      resourceLimits: { maxYoungGenerationSizeMb: 4 },
      // Files that it opens are others' to close.
      trackUnmanagedFds: false,
    });
    worker.on('message', (message: ThreadAnswer) => {
      const waiting = this.#waiting.get(message.id);
      if ('answer' in message) return waiting?.resolve(message.answer);
      const { message: text, code } = message.failure;
      waiting?.reject(Object.assign(new Error(text), { code }));
    });
    worker.on('error', (error) => this.#failAll(error));
    worker.on('exit', () =>
      this.#failAll(new HoldfastError('operation.failed', { message: 'the thread for small files ended early' })),
    );
    this.#worker = worker;
    return worker;
  }

  #failAll(error: unknown): void {
    for (const { reject } of this.#waiting.values()) reject(error);
  }
}
