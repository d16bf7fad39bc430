import { type ErrorCode, HoldfastError } from '../../errors.ts';

/** What a status means: code, reason, and what to do where the code's own hint is not enough. */
const meanings: Readonly<Record<number, readonly [ErrorCode, string, string?]>> = {
  401: [
    'storage.credentials',
    'it does not take user and password',
    'check `username` and `password` in the configuration',
  ],
  403: [
    'storage.unauthorized',
    'it refuses this to the user',
    'the user needs the rights to list, read, write, move and delete below `rootPath`',
  ],
  404: ['storage.not_found', 'it does not exist'],
  405: ['storage.failed', 'it does not know this method here', 'check `url`: it has to be the WebDAV address'],
  408: ['storage.timeout', 'it waited too long for the request'],
  409: ['storage.conflict', 'a folder above it is not there, or something else is in the way'],
  410: ['storage.not_found', 'it does not exist any more'],
  411: [
    'storage.failed',
    'it wants to know the size of an upload before',
    'this server cannot take a stream; use another protocol, such as SFTP',
  ],
  412: ['storage.conflict', 'it was changed meanwhile', 'run it again'],
  413: [
    'storage.failed',
    'the upload is larger than the server allows',
    'raise its limit for uploads (LimitRequestBody, client_max_body_size)',
  ],
  423: ['storage.locked', 'another client holds a lock on it', 'wait until the lock is released'],
  429: ['storage.throttled', 'it asks to slow down'],
  501: ['storage.failed', 'it does not know this method', 'check `url`: it has to be the WebDAV address'],
  502: ['storage.unavailable', 'the server behind it does not answer'],
  503: ['storage.unavailable', 'it is not available now'],
  504: ['storage.timeout', 'the server behind it did not answer in time'],
  507: ['storage.full', 'there is no space left', 'free some space or quota on the server, then run it again'],
};

/** The error that an answer means which is not the one wanted. `what` is the method and the path. */
export function statusError(status: number, place: string, what: string): HoldfastError {
  const isRedirect = status >= 300 && status < 400;
  const [code, reason, hint]: readonly [ErrorCode, string, string?] = isRedirect
    ? ['storage.failed', 'it points to another address', 'set `url` to the final address']
    : (meanings[status] ?? ['storage.failed', 'it could not do it']);
  const message = `${place}: ${what}: the server answered ${status}: ${reason}`;
  return new HoldfastError(code, { message, ...(hint === undefined ? {} : { hint }), context: { place, status } });
}
