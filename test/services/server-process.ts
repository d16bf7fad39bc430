import { type ChildProcess, spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { freePort } from './free-port.ts';
import { commandAs, type ServerUser } from './server-user.ts';

/** How a server is run in the foreground. */
export interface ServerCommand {
  /** Everything of this server; removed when it is stopped. */
  readonly folder: string;
  readonly user: ServerUser | undefined;
  readonly commandFor: (port: number) => readonly string[];
  /** What its log says once it takes connections. */
  readonly ready: RegExp;
  readonly stopSignal: NodeJS.Signals;
}

const startLimitMs = 180_000;
const stopLimitMs = 30_000;
const keptLogLength = 64 * 1024;

const isTaken = (log: string): boolean => /address already in use/i.test(log);

/** A server of a test: dies with the test process, however that ends. */
export class ServerProcess {
  readonly #command: ServerCommand;
  #port = 0;
  #child: ChildProcess | undefined;
  #closed: Promise<void> = Promise.resolve();
  #log = '';
  readonly #onExit = (): void => this.#discard();

  private constructor(command: ServerCommand) {
    this.#command = command;
    process.once('exit', this.#onExit);
  }

  /** Starts it on a free port. */
  static async start(command: ServerCommand): Promise<ServerProcess> {
    const server = new ServerProcess(command);
    for (let attempt = 1; ; attempt += 1) {
      server.#port = await freePort();
      try {
        await server.#run();
        return server;
      } catch (error) {
        if (isTaken(server.#log) && attempt < 5) continue;
        await server.stop();
        throw error;
      }
    }
  }

  get port(): number {
    return this.#port;
  }

  /** The process of the server; for PostgreSQL the one that starts the others. */
  get processId(): number {
    if (this.#child?.pid === undefined) throw new Error('the server is not running');
    return this.#child.pid;
  }

  /** The end of what it said, of all its runs. */
  get log(): string {
    return this.#log;
  }

  /** Ends it in good order and removes its folder. May be called again. */
  async stop(): Promise<void> {
    await this.#end(this.#command.stopSignal);
    process.removeListener('exit', this.#onExit);
    rmSync(this.#command.folder, { recursive: true, force: true });
  }

  /** Ends it as a crash does; its data stay. Done when no process of it is left. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** Starts it again on the same port and data: after {@link kill}, or ending it in good order first. */
  async restart(): Promise<void> {
    await this.#end(this.#command.stopSignal);
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#run();
      } catch (error) {
        // Meanwhile somebody's connection may have been given the port.
        if (attempt === 5 || !isTaken(this.#log)) throw error;
      }
    }
  }

  async #run(): Promise<void> {
    const { folder, user, commandFor, ready } = this.#command;
    const [program = '', ...args] = commandAs(user, commandFor(this.#port), { dies: true });
    const env = { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8', TZ: 'UTC', HOME: folder };
    const child = spawn(program, args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    // Closed, not only ended: whatever else the server started holds its log open until it is gone.
    const closed = Promise.withResolvers<void>();
    child.once('close', () => closed.resolve());
    this.#closed = closed.promise;
    await this.#untilReady(child, ready);
    // A test that forgets to stop it still ends.
    this.#hold(child, false);
  }

  async #untilReady(child: ChildProcess, ready: RegExp): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    let said: string | undefined = '';
    const hear = (chunk: Buffer): void => {
      const text = chunk.toString('latin1');
      this.#log = (this.#log + text).slice(-keptLogLength);
      if (said === undefined) return;
      said += text;
      if (!ready.test(said)) return;
      said = undefined;
      resolve();
    };
    child.stdout?.on('data', hear);
    child.stderr?.on('data', hear);
    child.once('error', reject);
    child.once('close', () => reject(new Error(`the server ended before it was ready:\n${this.#log}`)));
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`the server was not ready in ${startLimitMs} ms:\n${this.#log}`));
    }, startLimitMs);
    try {
      await promise;
    } finally {
      clearTimeout(timer);
    }
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    this.#hold(child, true);
    child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), stopLimitMs);
    await this.#closed;
    clearTimeout(timer);
    this.#child = undefined;
  }

  /** Whether the test process waits for it. */
  #hold(child: ChildProcess, isHeld: boolean): void {
    const method = isHeld ? 'ref' : 'unref';
    child[method]();
    for (const stream of [child.stdout, child.stderr] as (Socket | null)[]) stream?.[method]();
  }

  /** At the end of the test process there is no time to wait. */
  #discard(): void {
    this.#child?.kill('SIGKILL');
    rmSync(this.#command.folder, { recursive: true, force: true, maxRetries: 3 });
  }
}
