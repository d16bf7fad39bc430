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
    const answer = await ask(this.#worker, task, limits);
    // One that gave none is still at work, or has ended: nothing that it says later is of the next task.
    if (answer === undefined) await this.close();
    return answer === true;
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
    // It ends then, which is noticed.
    worker.on('error', () => undefined);
    return worker;
  }
}

/** The thread's answer; undefined where it gives none within the limits. */
async function ask(worker: Worker, task: ThreadTask, limits: RunLimits): Promise<boolean | undefined> {
  const before = process.cpuUsage();
  let leftMs = limits.durationMs;
  const { promise, resolve } = Promise.withResolvers<boolean | undefined>();
  const timer = setInterval(() => {
    leftMs -= tickMs;
    const { user, system } = process.cpuUsage(before);
    if (leftMs <= 0 || (user + system) / 1000 > limits.processorTimeMs) resolve(undefined);
  }, tickMs);
  const end = () => resolve(undefined);
  worker.on('message', resolve).on('exit', end);
  worker.postMessage(task);
  try {
    return await promise;
  } finally {
    clearInterval(timer);
    worker.off('message', resolve).off('exit', end);
  }
}
