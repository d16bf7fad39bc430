import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { requireProgram } from './find-program.ts';
import { ServerProcess } from './server-process.ts';
import { giveTo, type ServerUser, serverUser } from './server-user.ts';
import type { Service } from './service.ts';
import { makeServiceFolder } from './service-folder.ts';

/** How an OpenSSH server is to be started. */
export interface SshdOptions {
  /**
   * Gives it an account of its own, `backup`, with this password; needs root. The account is in the server's view of the system only.
   * Without it, who logs in by key is the user that the server runs as.
   */
  readonly password?: string;
  /** Puts what it serves on a disk of this size, which only it sees; needs `password`. */
  readonly diskBytes?: number;
  /** Commands of the shell that run before it, where /srv is empty and its own; needs `password`. */
  readonly setup?: string;
  /** Further lines of its configuration; `%FOLDER%` is the folder that it serves. */
  readonly settings?: readonly string[];
  /** The SFTP server; OpenSSH's own unless set. */
  readonly subsystem?: string;
}

/** A running OpenSSH server that serves SFTP. */
export interface SshdService extends Service {
  readonly user: string;
  /** What archives may be written to, as the server names it. */
  readonly folder: string;
  /** A file with a private key that it takes. */
  readonly keyPath: string;
  /** The same, encrypted with the passphrase `phrase`. */
  readonly encryptedKeyPath: string;
  /** Lines of known_hosts for each of its host keys. */
  readonly knownHosts: readonly string[];
  /** Ends the processes of all connections, not the server. */
  endSessions(): void;
  /** Makes new host keys and starts again with them. */
  changeHostKeys(): Promise<void>;
}

const hostKeyTypes = ['ed25519', 'ecdsa'] as const;
/** No account of a Debian has it. */
const accountId = 61_987;

/** Starts an OpenSSH server of its own for a test; the test stops it. */
export async function startSshd(options: SshdOptions = {}): Promise<SshdService> {
  const user = options.password === undefined ? serverUser(['daemon']) : undefined;
  const folder = makeServiceFolder(user);
  const served = join(folder, 'served');
  makeKeys(folder, user);
  mkdirSync(served);
  giveTo(served, user);
  if (options.password !== undefined) makeAccount(folder, served, options.password);
  const server = await ServerProcess.start({
    folder,
    user,
    commandFor: (port) => {
      writeFileSync(join(folder, 'sshd_config'), configuration(folder, port, options));
      const command = [requireProgram('sshd'), '-D', '-e', '-f', join(folder, 'sshd_config')];
      return options.password === undefined ? command : inOwnSystem(folder, command, options);
    },
    ready: /Server listening on/,
    stopSignal: 'SIGTERM',
  });
  const endingSessions = async (end: () => Promise<void>): Promise<void> => {
    // Stopped first, so that no session begins meanwhile; they outlive the server, and hold its log.
    process.kill(server.processId, 'SIGSTOP');
    const sessions = descendants(server.processId);
    const ended = end();
    process.kill(server.processId, 'SIGCONT');
    killAll(sessions);
    await ended;
  };
  let isRunning = true;
  const stopWith = async (end: () => Promise<void>): Promise<void> => {
    if (isRunning) await endingSessions(end);
    else await end();
    isRunning = false;
  };
  const restart = async (): Promise<void> => {
    await stopWith(() => server.kill());
    await server.restart();
    isRunning = true;
  };
  const userName = options.password === undefined ? nameOf(user) : 'backup';
  return {
    url: `sftp://${userName}@127.0.0.1:${server.port}`,
    host: '127.0.0.1',
    port: server.port,
    version: sshVersion(),
    user: userName,
    folder: served,
    keyPath: join(folder, 'id'),
    encryptedKeyPath: join(folder, 'id_encrypted'),
    get knownHosts() {
      return knownHostsOf(folder, server.port);
    },
    get processId() {
      return server.processId;
    },
    get log() {
      return server.log;
    },
    stop: () => stopWith(() => server.stop()),
    kill: () => stopWith(() => server.kill()),
    restart,
    endSessions: () => killAll(descendants(server.processId)),
    async changeHostKeys() {
      makeHostKeys(folder, user);
      await restart();
    },
  };
}

function knownHostsOf(folder: string, port: number): string[] {
  return hostKeyTypes.map((type) => {
    const [name, key] = readFileSync(join(folder, `host_${type}.pub`), 'utf8').split(' ');
    return `[127.0.0.1]:${port} ${name} ${key}`;
  });
}

function sshVersion(): string {
  const { stderr } = spawnSync('ssh', ['-V'], { encoding: 'utf8' });
  return /OpenSSH_([^\s,]+)/.exec(stderr)?.[1] ?? '';
}

function nameOf(user: ServerUser | undefined): string {
  const id = user?.userId ?? process.getuid?.() ?? 0;
  return execFileSync('id', ['-un', String(id)], { encoding: 'utf8' }).trim();
}

function makeKey(path: string, user: ServerUser | undefined, ...settings: string[]): void {
  // It would ask whether to replace them.
  for (const old of [path, `${path}.pub`]) rmSync(old, { force: true });
  execFileSync(requireProgram('ssh-keygen'), ['-q', '-f', path, ...settings], { stdio: ['ignore', 'pipe', 'pipe'] });
  giveTo(path, user);
}

function makeHostKeys(folder: string, user: ServerUser | undefined): void {
  for (const type of hostKeyTypes) makeKey(join(folder, `host_${type}`), user, '-t', type, '-N', '');
}

function makeKeys(folder: string, user: ServerUser | undefined): void {
  makeHostKeys(folder, user);
  makeKey(join(folder, 'id'), undefined, '-t', 'ed25519', '-N', '');
  makeKey(join(folder, 'id_encrypted'), undefined, '-t', 'ed25519', '-N', 'phrase');
  const keys = ['id.pub', 'id_encrypted.pub'].map((name) => readFileSync(join(folder, name), 'utf8'));
  writeFileSync(join(folder, 'authorized_keys'), keys.join(''));
}

function configuration(folder: string, port: number, options: SshdOptions): string {
  // The first value of a setting holds, and what follows a Match belongs to it.
  const settings = options.settings ?? [];
  const match = settings.findIndex((line) => line.startsWith('Match '));
  const generalCount = match < 0 ? settings.length : match;
  const lines = [
    ...settings.slice(0, generalCount),
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    ...hostKeyTypes.map((type) => `HostKey ${join(folder, `host_${type}`)}`),
    'PidFile none',
    `AuthorizedKeysFile ${join(folder, 'authorized_keys')}`,
    'StrictModes no',
    'UsePAM no',
    'UseDNS no',
    'MaxStartups 200',
    'KbdInteractiveAuthentication no',
    `PasswordAuthentication ${options.password === undefined ? 'no' : 'yes'}`,
    `Subsystem sftp ${options.subsystem ?? 'internal-sftp'}`,
    ...settings.slice(generalCount),
  ];
  return lines.map((line) => `${line.replaceAll('%FOLDER%', join(folder, 'served'))}\n`).join('');
}

/** Files that stand in the place of /etc/passwd and /etc/shadow for this server. */
function makeAccount(folder: string, served: string, password: string): void {
  const hash = execFileSync('openssl', ['passwd', '-6', '-stdin'], { input: password, encoding: 'utf8' }).trim();
  // Debian has a user of this name.
  const others = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .filter((line) => !line.startsWith('backup:'));
  const account = `backup:x:${accountId}:${accountId}::${served}:/bin/sh`;
  writeFileSync(join(folder, 'passwd'), [account, ...others].join('\n'));
  writeFileSync(join(folder, 'shadow'), `backup:${hash}:19000:0:99999:7:::\nroot:*:19000:0:99999:7:::\n`);
  chmodSync(join(folder, 'shadow'), 0o600);
  chownSync(served, accountId, accountId);
}

/** The command in a view of the system of its own: with the account, with the folder that sshd wants, and with a small disk. */
function inOwnSystem(folder: string, command: readonly string[], { diskBytes, setup = '' }: SshdOptions): string[] {
  const steps = [
    'set -e',
    'mount --bind "$1/passwd" /etc/passwd',
    'mount --bind "$1/shadow" /etc/shadow',
    'mount -t tmpfs none /run',
    'mkdir -m 755 /run/sshd',
    diskBytes === undefined ? '' : `mount -t tmpfs -o size=${diskBytes},uid=${accountId},mode=755 none "$1/served"`,
    'mount -t tmpfs -o mode=755 none /srv',
    setup,
    'shift',
    'exec "$@"',
  ];
  return ['unshare', '--mount', 'sh', '-c', steps.join('\n'), 'sh', folder, ...command];
}

/** Children of a process, and theirs. */
function descendants(processId: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      // The name, in parentheses, may hold anything.
      const fields = readFileSync(`/proc/${name}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ');
      parents.set(Number(name), Number(fields[1]));
    } catch {
      // It ended meanwhile.
    }
  }
  const found = [processId];
  for (const parent of found) {
    for (const [child, itsParent] of parents) if (itsParent === parent) found.push(child);
  }
  return found.slice(1);
}

function killAll(processIds: readonly number[]): void {
  for (const processId of processIds) {
    try {
      process.kill(processId, 'SIGKILL');
    } catch {
      // It ended by itself.
    }
  }
}
