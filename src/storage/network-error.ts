import { type ErrorCode, HoldfastError } from '../errors.ts';

const unavailable: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing takes connections there',
  ECONNRESET: 'the server cut the connection',
  ECONNABORTED: 'the connection was cut',
  EPIPE: 'the server cut the connection',
  ENOTFOUND: 'the name of the host is not known',
  EAI_AGAIN: 'the name of the host cannot be looked up now',
  EHOSTUNREACH: 'the host cannot be reached',
  ENETUNREACH: 'the network cannot be reached',
  EADDRNOTAVAIL: 'this machine has no free port for it',
};

const untrusted: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: 'it is signed by itself',
  SELF_SIGNED_CERT_IN_CHAIN: 'its authority is not known here',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its authority is not known here',
  UNABLE_TO_GET_ISSUER_CERT: 'its authority is not known here',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its authority is not known here',
  CERT_HAS_EXPIRED: 'it has expired',
  CERT_NOT_YET_VALID: 'it is not valid yet',
  CERT_REVOKED: 'it was revoked',
  ERR_TLS_CERT_ALTNAME_INVALID: 'it is for another host',
};

/** Whether a host is this machine: bytes to it cross no network. */
export function isLoopbackHost(host: string): boolean {
  return host === 'localhost' || host === '::1' || host === '[::1]' || /^127(\.\d+){3}$/.test(host);
}

/**
 * The {@link HoldfastError} that an error of a socket or of TLS means: `storage.unavailable`, `storage.timeout`, `storage.certificate`;
 * undefined for all other errors. `place` is the server, for people.
 */
export function networkErrorFrom(error: unknown, place: string): HoldfastError | undefined {
  if (!(error instanceof Error)) return undefined;
  const errno = 'code' in error && typeof error.code === 'string' ? error.code : '';
  const make = (code: ErrorCode, reason: string, hint?: string) =>
    new HoldfastError(code, {
      message: `${place}: ${reason}`,
      ...(hint === undefined ? {} : { hint }),
      context: { place, errno },
      cause: error,
    });
  const distrust = untrusted[errno];
  if (distrust !== undefined) {
    return make(
      'storage.certificate',
      `the server's certificate is not trusted: ${distrust}`,
      'check that it is the right server, then name its certificate or that of its authority by `ca`',
    );
  }
  if (errno === 'ETIMEDOUT' || /^timeout\b/i.test(error.message))
    return make('storage.timeout', 'it did not answer in time');
  const reason = unavailable[errno];
  if (reason !== undefined) return make('storage.unavailable', reason);
  // A server that speaks no TLS at this port, or refuses our versions of it.
  if (/^ERR_SSL_|^EPROTO$/.test(errno)) {
    return make(
      'storage.unavailable',
      `TLS could not be agreed on (${error.message.trim()})`,
      'check the port and whether it speaks TLS',
    );
  }
  return undefined;
}
