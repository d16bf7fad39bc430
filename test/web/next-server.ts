/**
 * The example of `examples/mount/next` in a real Next.js, built and as it is developed: `npm run mount:next`. Next.js has 341 MB, and its build takes half a
 * minute: the suite tests the contract of its route handlers instead.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { frameworksFolder, whyNoFrameworks } from '../services/web-frameworks.ts';
import { backUpMounted, makeFirstAdmin, useMountedAdmin } from './mounted-admin.ts';
import { layOutExample, linkModules, startApplication } from './mounted-application.ts';

const root = join(import.meta.dirname, '../..');
const mebibyte = 1024 * 1024;
const quiet = { NEXT_TELEMETRY_DISABLED: '1' };
const next = (folder: string, ...words: string[]) => [join(folder, 'node_modules/next/dist/bin/next'), ...words];

let folder = '';
let remove: (() => void) | undefined;
before(() => {
  assert.equal(whyNoFrameworks('next'), undefined);
  execFileSync(process.execPath, ['scripts/build.ts'], { cwd: root, stdio: 'pipe' });
  ({ folder, remove } = layOutExample('next'));
  const modules = join(folder, 'node_modules');
  // What Next.js compiles has to lie below the application: links lead out of it.
  copyLinked(join(frameworksFolder('next'), 'node_modules'), modules);
  linkModules(join(root, 'node_modules'), modules);
  const holdfast = join(modules, 'holdfast');
  mkdirSync(holdfast);
  for (const part of ['package.json', 'dist', 'bin'])
    cpSync(join(root, part), join(holdfast, part), { recursive: true });
});
after(() => remove?.());

/** Copies a folder: as further names of the same files, where both are on one file system. */
function copyLinked(from: string, to: string): void {
  try {
    execFileSync('cp', ['-al', from, to], { stdio: 'pipe' });
  } catch {
    rmSync(to, { recursive: true, force: true });
    execFileSync('cp', ['-a', from, to], { stdio: 'pipe' });
  }
}

/** Starts Next.js at a free port, and gives its address. */
async function start(t: { after(close: () => Promise<void>): void }, command: 'start' | 'dev') {
  const application = startApplication(folder, next(folder, command, '-H', '127.0.0.1', '-p', '0'), quiet);
  t.after(() => application.stop());
  return { application, origin: await application.line(/Local:\s+(http:\/\/127\.0\.0\.1:\d+)/) };
}

/** The most memory that a process of the group had at once. */
function mostMemoryBytes(group: number): number {
  const ids = execFileSync('pgrep', ['-g', String(group)], { encoding: 'utf8' })
    .trim()
    .split('\n');
  const kilobytes = ids.map((id) =>
    Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${id}/status`, 'utf8'))?.[1] ?? 0),
  );
  return Math.max(...kilobytes) * 1024;
}

test('next build and next start: logged in, backed up and followed, 512 MiB uploaded as a stream', async (t) => {
  execFileSync(process.execPath, next(folder, 'build'), {
    cwd: folder,
    env: { ...process.env, ...quiet },
    stdio: 'pipe',
  });
  const { application, origin } = await start(t, 'start');
  await fetch(`${origin}/admin/backups/login`);
  await makeFirstAdmin(origin, await application.line(/make the first admin .* (\/admin\/backups\/setup\/\S+)/));
  await backUpMounted(await useMountedAdmin(origin));
  const before = mostMemoryBytes(application.processId);
  await useMountedAdmin(origin, 512 * mebibyte);
  const grown = mostMemoryBytes(application.processId) - before;
  t.diagnostic(`the memory of the server grew by ${Math.round(grown / mebibyte)} MiB while 512 MiB were uploaded`);
  assert.ok(grown < 200 * mebibyte, `${grown} bytes`);
});

test('next dev: the same admin, also after its route was compiled anew', async (t) => {
  const { origin } = await start(t, 'dev');
  await useMountedAdmin(origin);
  const route = join(folder, 'app/admin/backups/[[...path]]/route.js');
  execFileSync('touch', [route]);
  await useMountedAdmin(origin);
});
