import { type ErrorCode, HoldfastError } from '../../errors.ts';
import { networkErrorFrom } from '../network-error.ts';

/** A reply of 400 or more, as basic-ftp throws it. */
interface FtpReply extends Error {
  readonly code: number;
}

/** Whether the server itself answered so; after any other error the connection is gone. */
export function isFtpReply(error: unknown): error is FtpReply {
  return error instanceof Error && error.name === 'FTPError' && 'code' in error && typeof error.code === 'number';
}

/** Servers use 550 and 553 for most refusals, and say which one in words of their own. */
const wordings: readonly (readonly [RegExp, ErrorCode])[] = [
  [/no space|disk full|quota|insufficient storage|not enough space/i, 'storage.full'],
  [/read-only/i, 'storage.read_only'],
  [/permission|denied|not permitted|not allowed|forbidden/i, 'storage.unauthorized'],
  [/\bexists\b/i, 'storage.conflict'],
  [/no such|not found|not exist|could not get file size|not a (plain|regular) file/i, 'storage.not_found'],
];

const codes: Readonly<Record<number, ErrorCode>> = {
  421: 'storage.unavailable',
  425: 'storage.unavailable',
  426: 'storage.unavailable',
  430: 'storage.credentials',
  450: 'storage.unavailable',
  452: 'storage.full',
  530: 'storage.credentials',
  532: 'storage.credentials',
  552: 'storage.full',
};

const hints: Partial<Record<ErrorCode, string>> = {
  'storage.credentials': 'check `username` and `password` in the configuration',
  'storage.unauthorized': 'the user needs the rights to list, read, write, rename and delete below `rootPath`',
  'storage.conflict': 'this server does not let a file replace another one: give each archive a name of its own',
  'storage.full': 'free some space or quota on the server; where there is enough, its log says what went wrong',
};

/** What went on, for {@link ftpErrorFrom}. */
export interface FtpStep {
  /** The server, for people. */
  readonly place: string;
  /** What was done: `SIZE`, `log in`. */
  readonly doing: string;
  readonly path?: string;
  /** What a refusal means where the server does not say. */
  readonly otherwise?: ErrorCode;
}

function replyCode(error: FtpReply, { doing, otherwise }: FtpStep): ErrorCode {
  // What they say when the disk is full, and hardly ever for another reason: "451 Failure writing to local file".
  const isOfDisk = error.code === 451 && !/connection|network|reset/i.test(error.message);
  if (isOfDisk && (doing === 'STOR' || doing === 'APPE')) return 'storage.full';
  const known = codes[error.code];
  if (known !== undefined) return known;
  for (const [wording, code] of wordings) if (wording.test(error.message)) return code;
  return error.code < 500 ? 'storage.unavailable' : (otherwise ?? 'storage.failed');
}

/** The {@link HoldfastError} that an error of basic-ftp means; errors of ours are given back. */
export function ftpErrorFrom(error: unknown, step: FtpStep): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const { place, doing, path } = step;
  const what = path === undefined ? doing : `${doing} ${path}`;
  const context = { place, ...(path === undefined ? {} : { path }) };
  if (isFtpReply(error)) {
    const code = replyCode(error, step);
    const needsTls = /encrypt|ssl|tls/i.test(error.message) && error.code >= 500;
    const hint = needsTls ? 'the server wants TLS: set `secure` to true' : hints[code];
    const reply = error.message.replace(/\s+/g, ' ').trim();
    const message = `${place}: ${what}: the server answered "${reply}"`;
    return new HoldfastError(code, { message, ...(hint === undefined ? {} : { hint }), context, cause: error });
  }
  const network = networkErrorFrom(error, place);
  if (network !== undefined) return network;
  const reason = error instanceof Error ? error.message : String(error);
  // What else basic-ftp says is about a connection that was closed.
  const code = /clos|FIN|disconnect/i.test(reason) ? 'storage.unavailable' : 'storage.failed';
  return new HoldfastError(code, { message: `${place}: ${what}: ${reason}`, context, cause: error });
}
