import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { systemClock } from '../../clock.ts';
import { isSystemError } from '../../disk/system-error.ts';
import { HoldfastError } from '../../errors.ts';
import { systemRandom } from '../../random.ts';
import { Secret } from '../../secret.ts';
import type { StorageAdapter, StorageContext } from '../storage-adapter.ts';
import type { ServerOptions } from './connect-sftp.ts';
import type { SftpLogin } from './sftp-login.ts';

/** Permission bits, as a number or in octal as `chmod` takes them. */
const modeSchema = z.union([
  z.int().min(0).max(0o777),
  z
    .string()
    .regex(/^0?[0-7]{3}$/, 'must be an octal mode such as 0640')
    .transform((text) => Number.parseInt(text, 8)),
]);
const idSchema = z.int().min(0).max(0xff_ff_ff_fe);
const secondsSchema = z.number().positive().max(86_400);

const sftpSettings = z.strictObject({
  backend: z.literal('sftp'),
  /** Name or address of the server. */
  host: z.string().min(1),
  port: z.int().min(1).max(65_535).default(22),
  user: z.string().min(1),
  password: z.string().min(1).optional(),
  /** A private key: the path of its file, or its text. */
  key: z.string().min(1).optional(),
  /** Opens the key. */
  passphrase: z.string().min(1).optional(),
  /** The socket of an ssh-agent; `true` takes the one of `SSH_AUTH_SOCK`. */
  agent: z.union([z.literal(true), z.string().min(1)]).optional(),
  /** Gives the password to a server that asks for it by a prompt (keyboard-interactive). */
  interactive: z.boolean().default(false),
  /** The path of a file like known_hosts of OpenSSH, or its lines; `~/.ssh/known_hosts` unless set. */
  knownHosts: z.string().min(1).default('~/.ssh/known_hosts'),
  /** The folder that archives are written to; without a `/` at its start it lies in the one where a log-in begins. */
  rootPath: z.string().min(1).default('.'),
  /** Mode of the files: 0600 unless set. */
  fileMode: modeSchema.optional(),
  /** Mode of folders that are made: 0700 unless set. */
  dirMode: modeSchema.optional(),
  /** Owner of the files, by number; most servers let only the super-user change it. */
  uid: idSchema.optional(),
  /** Group of the files, by number. */
  gid: idSchema.optional(),
  /** How long connecting and logging in may take, in seconds. */
  connectTimeoutSeconds: secondsSchema.default(20),
  /** How long the server may be silent while it is asked something, in seconds. */
  timeoutSeconds: secondsSchema.default(60),
});

type SftpSettings = z.output<typeof sftpSettings>;

/** A folder of a server that is reached by SSH. */
export const sftpAdapter: StorageAdapter<typeof sftpSettings> = {
  backend: 'sftp',
  schema: sftpSettings,
  async open(settings, context) {
    const { host, port, user, rootPath, fileMode, dirMode, uid, gid } = settings;
    if (settings.password === undefined && settings.key === undefined && settings.agent === undefined) {
      throw invalid('sftp: nothing is given to log in with', 'set `key`, `agent` or `password`');
    }
    if (settings.passphrase !== undefined && settings.key === undefined) {
      throw invalid(
        'sftp: `passphrase` is given without `key`',
        'set `key`, or use `password` to log in by a password',
      );
    }
    const [{ default: library }, { connectSftp }, { SftpSession }, { SftpStorage }] = await Promise.all([
      import('ssh2'),
      import('./connect-sftp.ts'),
      import('./sftp-session.ts'),
      import('./sftp-storage.ts'),
    ]);
    const server: ServerOptions = {
      host,
      port,
      login: loginOf(settings, context),
      knownHosts: knownHostsOf(settings.knownHosts, context),
      connectTimeoutMs: settings.connectTimeoutSeconds * 1000,
      timeoutMs: settings.timeoutSeconds * 1000,
      clock: context.clock ?? systemClock,
      place: `sftp://${encodeURIComponent(user)}@${host.includes(':') ? `[${host}]` : host}:${port}`,
      library,
    };
    const random = context.random ?? systemRandom;
    const session = new SftpSession({ connect: () => connectSftp(server), random, retryDelayMs: 500 });
    return new SftpStorage({ session, rootPath, place: server.place, fileMode, dirMode, uid, gid });
  },
  placeOf({ host, port, user, rootPath }) {
    // What is relative starts from the home of this user.
    const home = rootPath.startsWith('/') ? '' : `${user}@`;
    return { service: `${home}${host.toLowerCase()}:${port}`, folder: rootPath };
  },
};

function loginOf(settings: SftpSettings, context: StorageContext): () => Promise<SftpLogin> {
  const secret = (text: string | undefined) => (text === undefined ? undefined : new Secret(text));
  const password = secret(settings.password);
  const passphrase = secret(settings.passphrase);
  const { user, interactive } = settings;
  const agent = agentOf(settings.agent, context);
  const isText = settings.key !== undefined && /^\s*(-----BEGIN|PuTTY-User-Key-File)/.test(settings.key);
  const keyText = isText ? secret(settings.key) : undefined;
  const keyPath = isText || settings.key === undefined ? undefined : pathOf(settings.key, context.folder);
  return async () => {
    const common = { user, password, passphrase, agent, interactive };
    if (keyText !== undefined) return { ...common, key: { text: keyText, name: 'of the setting `key`' } };
    if (keyPath === undefined) return common;
    return { ...common, key: { text: await readKey(keyPath), name: keyPath } };
  };
}

function agentOf(agent: SftpSettings['agent'], { environment = process.env }: StorageContext): string | undefined {
  if (agent !== true) return agent;
  const socket = environment['SSH_AUTH_SOCK'];
  if (socket === undefined || socket === '') {
    throw invalid('sftp: `agent` is set, but $SSH_AUTH_SOCK is not', 'start an ssh-agent, or name its socket');
  }
  return socket;
}

async function readKey(path: string): Promise<Secret> {
  try {
    return new Secret(await readFile(path, 'utf8'));
  } catch (error) {
    const reason = isSystemError(error) && error.code === 'ENOENT' ? 'it does not exist' : 'it cannot be read';
    const message = `the key ${path}: ${reason}`;
    throw new HoldfastError('storage.credentials', { message, hint: 'check `key`', context: { path }, cause: error });
  }
}

function knownHostsOf(setting: string, { folder }: StorageContext): ServerOptions['knownHosts'] {
  // A line has the type of a key in its middle; a path that looks like that is not one that anybody has.
  return / (ssh|ecdsa|sk)-\S+ /.test(setting) ? { text: setting } : { path: pathOf(setting, folder) };
}

function pathOf(path: string, folder: string): string {
  return path.startsWith('~/') ? join(homedir(), path.slice(2)) : resolve(folder, path);
}

function invalid(message: string, hint: string): HoldfastError {
  return new HoldfastError('config.invalid', { message, hint });
}
