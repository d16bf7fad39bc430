/** `holdfast serve --web` as a process of its own, as people start it. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../../src/cli/start.ts', import.meta.url));

/** A server of its own process. */
export interface ServedAdmin {
  readonly url: string;
  /** The link for the first admin, where nobody can administer yet. */
  readonly setupUrl: string | undefined;
  /** What it has written so far. */
  output(): string;
  /** Ends it as an operator does. */
  stop(): Promise<void>;
}

/** Starts the server of a folder, at a port that is free unless one is given. */
export async function serveAdmin(
  folder: string,
  environment: Readonly<Record<string, string>>,
  port = 0,
): Promise<ServedAdmin> {
  const child: ChildProcess = spawn(process.execPath, [program, 'serve', '--web', `127.0.0.1:${port}`], {
    cwd: folder,
    // Commands are started by the dozen: what Node made of the sources is kept for the next.
    env: { PATH: process.env['PATH'], NODE_COMPILE_CACHE: join(tmpdir(), 'holdfast-compile-cache'), ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  let text = '';
  const listening = Promise.withResolvers<string>();
  for (const stream of [child.stdout, child.stderr]) {
    assert.ok(stream);
    createInterface({ input: stream }).on('line', (line) => {
      text += `${line}\n`;
      const [, url] = /the web admin is at (http:\/\/127\.0\.0\.1:\d+)/.exec(line) ?? [];
      if (url !== undefined) listening.resolve(url);
    });
  }
  child.once('exit', () => listening.reject(new Error(`holdfast serve ended:\n${text}`)));
  const url = await listening.promise;
  // The link is told right behind the address.
  await new Promise((resolve) => setImmediate(resolve));
  return {
    url,
    get setupUrl() {
      return /make the first admin at (\S+)/.exec(text)?.[1];
    },
    output: () => text,
    stop: async () => {
      process.off('exit', kill);
      if (child.exitCode !== null) return;
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}
