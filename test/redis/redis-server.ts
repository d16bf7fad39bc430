import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** A Redis server of a test's own; it keeps nothing but what its dump file holds when it starts. */
export interface RedisServer {
  readonly port: number;
  /** Its folder; `dump.rdb` in it is read at the start. */
  readonly folder: string;
  /** Runs one command by `redis-cli`, fed with `input`. */
  run(words: readonly string[], input?: string): string;
  start(): Promise<void>;
  /** Ends it at once. */
  kill(): Promise<void>;
  /** Ends it, and removes its folder. */
  stop(): Promise<void>;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** A server on a free port, which is not started yet. Throws where Redis is not installed. */
export async function makeRedis(password: string): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-redis-'));
  const port = await freePort();
  const options = [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--dir',
    folder,
    '--save',
    '',
    '--requirepass',
    password,
  ];
  options.push('--repl-diskless-sync-delay', '0', '--enable-debug-command', 'local');
  let child: ReturnType<typeof spawn> | undefined;
  const kill = async () => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  };
  return {
    port,
    folder,
    run(words, input = '') {
      const env = { ...process.env, REDISCLI_AUTH: password };
      return execFileSync('redis-cli', ['-p', String(port), ...words], { env, input, encoding: 'utf8' }).trim();
    },
    async start() {
      const started = spawn('redis-server', options, { stdio: ['ignore', 'pipe', 'inherit'] });
      child = started;
      await once(started, 'spawn');
      for await (const line of createInterface(started.stdout)) {
        if (!line.includes('Ready to accept connections')) continue;
        // Its further words are passed over, so that it never waits for a reader.
        started.stdout.resume();
        return;
      }
      throw new Error('Redis did not start');
    },
    kill,
    async stop() {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
