import { Worker } from 'node:worker_threads';
import type { RunLimits } from './coverage.ts';
import type { ThreadTask } from './thread-worker.ts';

const tickMs = 50;
/** Tasks after which another thread takes its place, as modules leave things behind. */
const tasksPerThread = 60;

/** Runs tests of code that starts no threads or processes itself, many times faster than in processes of their own. */
export class TestThread {
  #worker: Worker | undefined;
  #tasksLeft = 0;
  #settle: (isPassed: boolean) => void = () => undefined;

  /** Whether the test passes; one that takes longer than its limits, or waits for what never comes, has failed. */
  async passes(task: ThreadTask, limits: RunLimits): Promise<boolean> {
    if (this.#tasksLeft === 0) await this.close();
    this.#worker ??= this.#start();
    this.#tasksLeft -= 1;
    const before = process.cpuUsage();
    let leftMs = limits.durationMs;
    const timer = setInterval(() => {
      leftMs -= tickMs;
      const { user, system } = process.cpuUsage(before);
      if (leftMs <= 0 || (user + system) / 1000 > limits.processorTimeMs) void this.close();
    }, tickMs);
    const isPassed = await new Promise<boolean>((resolve) => {
      this.#settle = resolve;
      this.#worker?.postMessage(task);
    });
    clearInterval(timer);
    return isPassed;
  }

  /** Ends the thread; what runs in it has failed. */
  async close(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    this.#tasksLeft = 0;
    await worker?.terminate();
    this.#settle(false);
  }

  #start(): Worker {
    const worker = new Worker(new URL('thread-worker.ts', import.meta.url), {
      execArgv: ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'],
      stdout: true,
      stderr: true,
    });
    this.#tasksLeft = tasksPerThread;
    worker.on('message', (isPassed: boolean) => this.#settle(isPassed));
    worker.on('error', () => undefined);
    worker.on('exit', () => {
      if (this.#worker === worker) void this.close();
    });
    return worker;
  }
}
