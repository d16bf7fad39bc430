import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import type { Client, SFTPWrapper, utils } from 'ssh2';
import { type Clock, timeoutSignal } from '../../clock.ts';
import { isSystemError } from '../../disk/system-error.ts';
import { HoldfastError } from '../../errors.ts';
import { checkHostKey, hostKeyAlgorithms, type TrustedHosts } from './host-key-check.ts';
import { type HostName, KnownHosts } from './known-hosts.ts';
import { SftpConnection } from './sftp-connection.ts';
import { connectError, levelOf, silenceError } from './sftp-errors.ts';
import { LoginAttempt, parsePrivateKey, type SftpLogin } from './sftp-login.ts';

const socketBufferBytes = 256 * 1024;

/** What of the library is used; it is loaded by whoever opens a storage. */
export interface SshLibrary {
  readonly Client: new () => Client;
  readonly utils: { readonly parseKey: typeof utils.parseKey };
}

/** How the server is reached. */
export interface ServerOptions extends HostName {
  /** How the user logs in; read anew for each connection. */
  readonly login: () => Promise<SftpLogin>;
  /** Lines of known_hosts, or the path of a file with them, read anew for each connection. */
  readonly knownHosts: { readonly text: string } | { readonly path: string };
  /** How long connecting may take in all. */
  readonly connectTimeoutMs: number;
  /** How long the server may be silent while it is asked something. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** For people: user, host and port. */
  readonly place: string;
  readonly library: SshLibrary;
}

/**
 * Connects, checks the server's host key, logs in and starts SFTP. Throws `storage.certificate`, `storage.credentials`,
 * `storage.unavailable`, `storage.timeout`, `storage.failed`.
 */
export async function connectSftp(options: ServerOptions): Promise<SftpConnection> {
  const trusted = await readTrustedHosts(options.knownHosts);
  const login = await options.login();
  const key = parsePrivateKey(login, options.library.utils.parseKey);
  const limit = timeoutSignal(options.connectTimeoutMs);
  const client = new options.library.Client();
  const socket = connectSocket(options, client);
  // Errors after this function are the connection's.
  socket.on('error', () => undefined);
  try {
    await once(socket, 'connect', { signal: limit });
    await logIn({ client, socket, options, trusted, attempt: new LoginAttempt(login, key, options.place), limit });
    const sftp = await startSftp(client, options.place, limit);
    return new SftpConnection({ ...options, client, socket, sftp });
  } catch (error) {
    client.on('error', () => undefined);
    client.destroy();
    socket.destroy();
    if (limit.aborted) throw silenceError(options.place, options.connectTimeoutMs, error);
    throw connectError(error, options.place);
  }
}

/**
 * A socket that reads into one buffer again and again: with memory for each read, as is usual, the garbage of a fast download adds tens of
 * megabytes to the process. The library deciphers what it is given before it returns, and keeps parts of it before the first key exchange
 * only: these are copies.
 */
function connectSocket({ host, port }: HostName, client: Client): Socket {
  let isEncrypted = false;
  client.once('handshake', () => {
    isEncrypted = true;
  });
  const onread = {
    buffer: Buffer.allocUnsafeSlow(socketBufferBytes),
    callback: (length: number, buffer: Uint8Array): boolean => {
      const bytes = Buffer.from(buffer.buffer, buffer.byteOffset, length);
      socket.emit('data', isEncrypted ? bytes : Buffer.from(bytes));
      return true;
    },
  };
  const socket: Socket = connect({ host, port, noDelay: true, keepAlive: true, onread });
  return socket;
}

async function readTrustedHosts(knownHosts: ServerOptions['knownHosts']): Promise<TrustedHosts> {
  if ('text' in knownHosts) return { hosts: new KnownHosts(knownHosts.text), source: 'the setting knownHosts' };
  const { path } = knownHosts;
  try {
    return { hosts: new KnownHosts(await readFile(path, 'utf8')), source: path };
  } catch (error) {
    // Without the file no host is known: that is said with the key that the server shows.
    if (isSystemError(error) && error.code === 'ENOENT') return { hosts: new KnownHosts(''), source: path };
    throw new HoldfastError('config.invalid', { message: `${path}: the known hosts cannot be read`, cause: error });
  }
}

/** The handshake and the log-in. */
async function logIn(parts: {
  readonly client: Client;
  readonly socket: Socket;
  readonly options: ServerOptions;
  readonly trusted: TrustedHosts;
  readonly attempt: LoginAttempt;
  readonly limit: AbortSignal;
}): Promise<void> {
  const { client, socket, options, trusted, attempt, limit } = parts;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  // Where the library throws, nobody waits for it.
  promise.catch(() => undefined);
  let untrusted: HoldfastError | undefined;
  limit.addEventListener('abort', () => reject(limit.reason), { once: true });
  client.once('ready', resolve);
  client.once('close', () =>
    reject(new HoldfastError('storage.unavailable', { message: `${options.place}: the server closed the connection` })),
  );
  client.on('error', (error) => {
    const level = levelOf(error);
    // The library goes on with the next way to log in.
    if (level === 'agent') attempt.agentFailure = error.message;
    else if (level === 'client-authentication') reject(attempt.refusal(error));
    else reject(untrusted ?? error);
  });
  client.on('change password', () => {
    const message = `${options.place}: the password has expired`;
    reject(new HoldfastError('storage.credentials', { message, hint: 'log in by `ssh` and choose a new one' }));
  });
  client.connect({
    sock: socket,
    username: attempt.user,
    authHandler: attempt.choose,
    // Our own limit covers this.
    readyTimeout: 0,
    algorithms: { serverHostKey: hostKeyAlgorithms(trusted.hosts.keyTypes(options)) },
    hostVerifier: (shown: Buffer) => {
      untrusted = checkHostKey(options, shown, trusted);
      return untrusted === undefined;
    },
  });
  await promise;
}

async function startSftp(client: Client, place: string, limit: AbortSignal): Promise<SFTPWrapper> {
  const { promise, resolve, reject } = Promise.withResolvers<SFTPWrapper>();
  // As above: `sftp` throws where the socket has ended.
  promise.catch(() => undefined);
  limit.addEventListener('abort', () => reject(limit.reason), { once: true });
  client.once('close', () => reject(new Error('the server closed the connection when SFTP was to start')));
  client.sftp((error, sftp) => {
    if (error === undefined) resolve(sftp);
    else {
      const message = `${place}: the server does not start SFTP: ${error.message}`;
      const hint = "the user's account needs the subsystem sftp: see Subsystem and ForceCommand of sshd_config";
      reject(new HoldfastError('storage.failed', { message, hint, cause: error }));
    }
  });
  return await promise;
}
