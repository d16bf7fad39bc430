/** Express and Fastify, in which the web admin is mounted for a test: a hundred packages that nothing else here needs, kept outside of the project. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { cacheFolder } from './unpacked-packages.ts';

const versions = { express: '5.3.0', fastify: '5.12.8' } as const;

/** A framework that is fetched for the tests. */
export type FrameworkName = keyof typeof versions;

const folder = join(cacheFolder(), `frameworks-${Object.values(versions).join('-')}`);

/** Fetches them once for all runs on this machine; gives why not where that fails. */
export function whyNoFrameworks(): string | undefined {
  if (existsSync(folder)) return undefined;
  const making = `${folder}.${process.pid}`;
  mkdirSync(making, { recursive: true });
  writeFileSync(join(making, 'package.json'), JSON.stringify({ private: true, dependencies: versions }));
  const words = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock'];
  const { status, error, stderr } = spawnSync('npm', words, { cwd: making, encoding: 'utf8', timeout: 120_000 });
  if (status === 0 && !existsSync(folder)) renameSync(making, folder);
  rmSync(making, { recursive: true, force: true });
  if (existsSync(folder)) return undefined;
  return `tests with Express and Fastify are left out: npm could not fetch them: ${error?.message ?? stderr.slice(-300)}`;
}

/** What a framework exports. */
export function loadFramework<Exports>(name: FrameworkName): Exports {
  return createRequire(join(folder, 'package.json'))(name) as Exports;
}
