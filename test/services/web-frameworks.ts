/** Servers in which the web admin is mounted for tests: packages by the hundred that nothing else here needs, kept outside of the project. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from './unpacked-packages.ts';

/** Next.js is too large for every run of the suite: 341 MB. */
const groups = {
  servers: { express: '5.3.0', fastify: '5.12.8', hono: '4.13.19', '@hono/node-server': '2.1.9' },
  next: { next: '16.4.6', react: '19.3.1', 'react-dom': '19.3.1' },
} as const;

/** Packages that are fetched together. */
export type FrameworkGroup = keyof typeof groups;

/** Where the packages of a group are, in a `node_modules`. */
export function frameworksFolder(group: FrameworkGroup): string {
  return join(cacheFolder(), `${group}-${Object.values(groups[group]).join('-')}`);
}

/** Fetches a group once for all runs on this machine; gives why not where that fails. */
export function whyNoFrameworks(group: FrameworkGroup): string | undefined {
  const folder = frameworksFolder(group);
  if (existsSync(folder)) return undefined;
  const making = `${folder}.${process.pid}`;
  mkdirSync(making, { recursive: true });
  writeFileSync(join(making, 'package.json'), JSON.stringify({ private: true, dependencies: groups[group] }));
  const words = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock'];
  const { status, error, stderr } = spawnSync('npm', words, { cwd: making, encoding: 'utf8', timeout: 120_000 });
  if (status === 0 && !existsSync(folder)) renameSync(making, folder);
  rmSync(making, { recursive: true, force: true });
  if (existsSync(folder)) return undefined;
  return `tests with ${Object.keys(groups[group]).join(', ')} are left out: npm could not fetch them: ${error?.message ?? stderr.slice(-300)}`;
}
