import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from './measure.ts';

const checkout = join(import.meta.dirname, '..');
const passphrase = 'correct horse battery staple';

/** The command line of the product, as a user starts it. */
export function holdfast(...args: string[]): Command {
  return {
    program: process.execPath,
    args: [join(checkout, 'bin/holdfast.js'), ...args],
    environment: { HOLDFAST_PASSPHRASE: passphrase },
  };
}

/** A peer: how it makes a repository, backs up into it, and restores. Each starts from nothing. */
export interface Peer {
  readonly name: string;
  readonly program: string;
  readonly debianPackage: string;
  readonly versionArgs: readonly string[];
  init(repository: string): Command;
  backup(repository: string, dataFolder: string): Command;
  restore(repository: string, target: string): Command;
}

const resticEnvironment = (repository: string) => ({ RESTIC_PASSWORD: passphrase, RESTIC_REPOSITORY: repository });

const restic: Peer = {
  name: 'restic',
  program: 'restic',
  debianPackage: 'restic',
  versionArgs: ['version'],
  init: (repository) => ({ program: 'restic', args: ['init', '--quiet'], environment: resticEnvironment(repository) }),
  // Without a cache: a fresh repository gains nothing from one, and none is left behind.
  backup: (repository, dataFolder) => ({
    program: 'restic',
    args: ['backup', '--quiet', '--no-cache', '.'],
    folder: dataFolder,
    environment: resticEnvironment(repository),
  }),
  restore: (repository, target) => ({
    program: 'restic',
    args: ['restore', 'latest', '--quiet', '--no-cache', '--target', target],
    environment: resticEnvironment(repository),
  }),
};

const borgEnvironment = (repository: string) => ({
  BORG_PASSPHRASE: passphrase,
  BORG_REPO: repository,
  BORG_BASE_DIR: `${repository}-base`,
});

const borg: Peer = {
  name: 'borg',
  program: 'borg',
  debianPackage: 'borgbackup',
  versionArgs: ['--version'],
  init: (repository) => ({
    program: 'borg',
    args: ['init', '--encryption', 'repokey'],
    environment: borgEnvironment(repository),
  }),
  backup: (repository, dataFolder) => ({
    program: 'borg',
    args: ['create', '::bench', '.'],
    folder: dataFolder,
    environment: borgEnvironment(repository),
  }),
  restore: (repository, target) => ({
    program: 'borg',
    args: ['extract', '::bench'],
    folder: target,
    environment: borgEnvironment(repository),
  }),
};

export const peers: readonly Peer[] = [restic, borg];

/** Removes a peer's repository and what it keeps beside it. */
export function removeRepository(repository: string): void {
  rmSync(repository, { recursive: true, force: true });
  rmSync(`${repository}-base`, { recursive: true, force: true });
}
