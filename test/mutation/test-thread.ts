import { Worker } from 'node:worker_threads';
import type { RunLimits } from './coverage.ts';
import type { ThreadTask } from './thread-worker.ts';

const tickMs = 50;
/** Tasks after which another thread takes its place, as modules leave things behind. */
const tasksPerThread = 60;

/** Runs tests of code that starts no threads or processes itself, many times faster than in processes of their own. One at a time. */
export class TestThread {
  #worker: Worker | undefined;
  #tasksLeft = 0;

  /** Whether the test passes; one that takes longer than its limits, or waits for what never comes, has failed. */
  async passes(task: ThreadTask, limits: RunLimits): Promise<boolean> {
    if (this.#tasksLeft === 0) await this.close();
    this.#worker ??= this.#start();
    this.#tasksLeft -= 1;
    const isFresh = this.#tasksLeft === tasksPerThread - 1;
    const answer = await ask(this.#worker, task, limits);
    if (typeof answer === 'boolean') return answer;
    // Nothing that it says later is of the next task.
    await this.close();
    // What the task before left behind may have ended it: one of its own tells.
    return answer === 'ended' && !isFresh ? await this.passes(task, limits) : false;
  }

  async close(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }

  #start(): Worker {
    this.#tasksLeft = tasksPerThread;
    const worker = new Worker(new URL('thread-worker.ts', import.meta.url), {
      execArgv: ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'],
      stdout: true,
      stderr: true,
    });
    // It ends then.
    worker.on('error', () => undefined);
    worker.on('exit', () => {
      if (this.#worker === worker) this.#worker = undefined;
    });
    return worker;
  }
}

/** The thread's answer, or why there is none. */
async function ask(worker: Worker, task: ThreadTask, limits: RunLimits): Promise<boolean | 'ended' | 'late'> {
  const before = process.cpuUsage();
  let leftMs = limits.durationMs;
  const { promise, resolve } = Promise.withResolvers<boolean | 'ended' | 'late'>();
  const timer = setInterval(() => {
    leftMs -= tickMs;
    const { user, system } = process.cpuUsage(before);
    if (leftMs <= 0 || (user + system) / 1000 > limits.processorTimeMs) resolve('late');
  }, tickMs);
  const end = () => resolve('ended');
  worker.on('message', resolve).on('exit', end);
  worker.postMessage(task);
  try {
    return await promise;
  } finally {
    clearInterval(timer);
    worker.off('message', resolve).off('exit', end);
  }
}
