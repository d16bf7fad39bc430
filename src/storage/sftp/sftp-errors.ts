/** What a server's answer, or its silence, means. */
import type { SystemError } from '../../disk/system-error.ts';
import { type ErrorCode, HoldfastError } from '../../errors.ts';

/** Status of an answer: draft-ietf-secsh-filexfer-02, 7, and those of later drafts that servers send too. */
const statusMeanings: Readonly<Record<number, readonly [ErrorCode, string]>> = {
  2: ['storage.not_found', 'it does not exist'],
  3: ['storage.unauthorized', 'access was denied'],
  4: ['storage.failed', 'the server failed'],
  5: ['storage.failed', 'the server does not take the request; the name may be too long'],
  8: ['storage.failed', 'the server cannot do this'],
  10: ['storage.not_found', 'its folder does not exist'],
  11: ['storage.conflict', 'it exists already'],
  12: ['storage.read_only', 'the disk of the server is write-protected'],
  14: ['storage.full', 'there is no space left on the server'],
  15: ['storage.full', 'the quota of the user is used up'],
};

/** The answer to who reads on behind the last byte, or the last entry. */
export const endStatus = 1;

/** The answer "failure": what has no status of its own, such as a full disk. */
export const failureStatus = 4;

/** An error with which a server answers a request. */
export interface StatusError extends Error {
  readonly code: number;
}

/** Whether the server answered with this, so that the connection still stands. */
export function isStatusError(error: unknown): error is StatusError {
  return error instanceof Error && 'code' in error && typeof error.code === 'number';
}

/** The error that an answer means. `place` is the path, for people. */
export function statusError(error: StatusError, place: string): HoldfastError {
  const context = { path: place, status: error.code };
  // Servers that say more than the standard does say it in words.
  if (/no space|disk (is )?full|quota/i.test(error.message)) {
    const message = `${place}: there is no space left on the server: ${error.message}`;
    return new HoldfastError('storage.full', { message, context, cause: error });
  }
  const [code, reason] = statusMeanings[error.code] ?? ['storage.failed', `the server answered ${error.code}`];
  const isPlain = /^(No such file( or directory)?|Permission denied|Failure|Bad message|Operation unsupported)?\.?$/i;
  const told = isPlain.test(error.message) ? '' : `: ${error.message}`;
  return new HoldfastError(code, { message: `${place}: ${reason}${told}`, context, cause: error });
}

/** Numbers of the request statvfs@openssh.com (OpenSSH, PROTOCOL 4.4). */
export interface FileSystemStatus {
  readonly f_frsize: number;
  readonly f_blocks: number;
  readonly f_bavail: number;
  readonly f_files: number;
  readonly f_favail: number;
  readonly f_flag: number;
}

/** A request that fails with less room than this on the disk fails for that: a write is smaller. */
const littleBytes = 1024 * 1024;
const readOnlyFlag = 1;

/** What a plain "failure" means, seen from the state of the file system; the error itself where that tells nothing. */
export function explainFailure(error: HoldfastError, place: string, status: FileSystemStatus): HoldfastError {
  const { context } = error;
  const explained = (code: ErrorCode, reason: string) =>
    new HoldfastError(code, { message: `${place}: ${reason}`, context, cause: error });
  if ((status.f_flag & readOnlyFlag) !== 0) {
    return explained('storage.read_only', 'the file system of the server is read-only');
  }
  const freeBytes = status.f_bavail * status.f_frsize;
  if (freeBytes < littleBytes) {
    const total = status.f_blocks * status.f_frsize;
    return explained('storage.full', `there is no space left on the server: ${freeBytes} bytes of ${total} are free`);
  }
  if (status.f_files > 0 && status.f_favail === 0) {
    return explained('storage.full', 'the file system of the server has no room for another file (no inodes)');
  }
  return new HoldfastError('storage.failed', {
    message: `${place}: the server failed without a reason, with ${freeBytes} bytes free on its disk`,
    hint: 'a quota, a limit of the size of files, or a fault of the disk: see the log of the server',
    context,
    cause: error,
  });
}

const connectMeanings: Readonly<Record<string, readonly [ErrorCode, string, string]>> = {
  ENOTFOUND: ['storage.unavailable', 'the name of the host is not known (DNS)', 'check `host`'],
  EAI_AGAIN: [
    'storage.unavailable',
    'the name of the host cannot be looked up now (DNS)',
    'check the network, and `host`',
  ],
  ECONNREFUSED: ['storage.unavailable', 'nothing listens on this port', 'check `host` and `port`, and that sshd runs'],
  EHOSTUNREACH: ['storage.unavailable', 'the host cannot be reached', 'check the network, and `host`'],
  ENETUNREACH: ['storage.unavailable', 'the network of the host cannot be reached', 'check the network, and `host`'],
  ETIMEDOUT: ['storage.timeout', 'the host does not answer', 'check `host` and `port`, and the firewall'],
};

/** The error for a connection that could not be made. */
export function connectError(error: unknown, place: string): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const code = (error as Partial<SystemError>).code ?? '';
  const [meaning, reason, hint] = connectMeanings[code] ?? [];
  const options = { context: { place }, cause: error };
  if (meaning !== undefined && hint !== undefined) {
    return new HoldfastError(meaning, { ...options, message: `${place}: ${reason}`, hint });
  }
  const said = error instanceof Error ? error.message : String(error);
  if (levelOf(error) === 'handshake') {
    const message = `${place}: client and server agree on no way to talk: ${said}`;
    return new HoldfastError('storage.failed', { ...options, message, hint: 'the server may be very old: update it' });
  }
  return new HoldfastError('storage.unavailable', { ...options, message: `${place}: no connection: ${said}` });
}

/** Where in the library an error comes from. */
export function levelOf(error: unknown): string | undefined {
  return error instanceof Error && 'level' in error && typeof error.level === 'string' ? error.level : undefined;
}

/** The error for a host that is silent. */
export function silenceError(place: string, waitedMs: number, cause?: unknown): HoldfastError {
  const message = `${place}: the server did not answer within ${Math.round(waitedMs / 100) / 10} s`;
  return new HoldfastError('storage.timeout', { message, context: { place }, cause });
}
