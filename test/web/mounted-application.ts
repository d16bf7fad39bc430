/** The examples of servers that mount the admin, laid out as applications of their own and started as people start them. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';

const root = join(import.meta.dirname, '../..');

/** A copy of an example in a folder of its own, with a tree to back up. */
export function layOutExample(example: string): { readonly folder: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-mounted-'));
  cpSync(join(root, 'examples/mount', example), folder, { recursive: true });
  mkdirSync(join(folder, 'uploads'));
  writeFileSync(join(folder, 'uploads', 'a.txt'), 'hello\n'.repeat(1000));
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** Links the packages of one `node_modules` into another; those that are there already go first. */
export function linkModules(from: string, to: string): void {
  for (const name of readdirSync(from).filter((entry) => !entry.startsWith('.'))) {
    if (name.startsWith('@')) linkModules(join(from, name), join(to, name));
    else {
      mkdirSync(to, { recursive: true });
      try {
        symlinkSync(join(from, name), join(to, name));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
    }
  }
}

/** Holdfast as a package of the application: from the sources that are tested, without a build. */
export function installSources(folder: string): void {
  const holdfast = join(folder, 'node_modules/holdfast');
  mkdirSync(holdfast, { recursive: true });
  const exported = { './web': './web.js' };
  writeFileSync(
    join(holdfast, 'package.json'),
    JSON.stringify({ name: 'holdfast', type: 'module', exports: exported }),
  );
  const sources = JSON.stringify(`file://${join(root, 'src/web/index.ts')}`);
  writeFileSync(join(holdfast, 'web.js'), `export * from ${sources};\n`);
}

/** An application that runs. */
export interface StartedApplication {
  readonly processId: number;
  /** Waits for a line that it writes, or for as many as are given, and gives what the pattern takes of the last that is there. */
  line(pattern: RegExp, count?: number): Promise<string>;
  stop(): Promise<void>;
}

/** Starts a program of Node; it dies with the test. */
export function startApplication(
  folder: string,
  words: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): StartedApplication {
  const child = spawn(process.execPath, words, {
    cwd: folder,
    env: {
      PATH: `${dirname(process.execPath)}:${process.env['PATH']}`,
      BACKUP_ENCRYPTION_KEY: 'five words that I chose',
      NODE_COMPILE_CACHE: join(tmpdir(), 'holdfast-compile-cache'),
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own: some start further processes, and all of them are ended.
    detached: true,
  });
  assert.ok(child.pid !== undefined);
  const group = -child.pid;
  const kill = () => process.kill(group, 'SIGKILL');
  process.once('exit', kill);
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  const hear = (line: string) => {
    lines.push(line);
    for (const look of waiting) look();
  };
  for (const input of [child.stdout, child.stderr]) createInterface({ input }).on('line', hear);
  const ended = once(child, 'exit');
  return {
    processId: child.pid,
    line: async (pattern, count = 1) => {
      const { promise, resolve, reject } = Promise.withResolvers<string>();
      const look = () => {
        const found = lines.map((line) => pattern.exec(line)).filter((match) => match !== null);
        const last = found.at(-1);
        if (last && found.length >= count) resolve(last[1] ?? last[0]);
      };
      waiting.add(look);
      ended.then(() => reject(new Error(`it ended:\n${lines.join('\n')}`)));
      look();
      return await promise.finally(() => waiting.delete(look));
    },
    stop: async () => {
      process.off('exit', kill);
      if (child.exitCode === null) process.kill(group, 'SIGKILL');
      await ended;
    },
  };
}
