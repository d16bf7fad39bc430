import { type ErrorCode, HoldfastError } from '../../errors.ts';

type Meaning = readonly [code: ErrorCode, reason: string, hint?: string];

const lost: Meaning = ['storage.unavailable', 'the connection was cut'];
const slow: Meaning = ['storage.timeout', 'it did not answer in time'];
const untrusted = (reason: string): Meaning => ['storage.certificate', reason];

const meanings: Readonly<Record<string, Meaning>> = {
  ECONNREFUSED: ['storage.unavailable', 'nothing listens there', 'check the host and the port of `endpoint`'],
  ENOTFOUND: [
    'storage.unavailable',
    'its name is not known',
    'check the host of `endpoint`, and the DNS of this machine',
  ],
  EAI_AGAIN: ['storage.unavailable', 'its name cannot be looked up now', 'check the DNS of this machine'],
  EHOSTUNREACH: ['storage.unavailable', 'there is no way to it'],
  ENETUNREACH: ['storage.unavailable', 'there is no way to it'],
  ECONNRESET: lost,
  ECONNABORTED: lost,
  EPIPE: lost,
  UND_ERR_SOCKET: lost,
  ERR_STREAM_PREMATURE_CLOSE: lost,
  HPE_INVALID_CONSTANT: ['storage.failed', 'it does not speak HTTP', 'check the port of `endpoint`'],
  EPROTO: [
    'storage.failed',
    'it does not speak TLS',
    'check the port of `endpoint`, and whether it begins with https:',
  ],
  ERR_SSL_WRONG_VERSION_NUMBER: [
    'storage.failed',
    'it does not speak TLS',
    'check whether `endpoint` begins with https:',
  ],
  ETIMEDOUT: slow,
  UND_ERR_CONNECT_TIMEOUT: slow,
  UND_ERR_HEADERS_TIMEOUT: slow,
  UND_ERR_BODY_TIMEOUT: slow,
  DEPTH_ZERO_SELF_SIGNED_CERT: untrusted('its certificate is signed by itself'),
  SELF_SIGNED_CERT_IN_CHAIN: untrusted('its certificate comes from an authority that is not known here'),
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: untrusted('its certificate comes from an authority that is not known here'),
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: untrusted('its certificate comes from an authority that is not known here'),
  CERT_HAS_EXPIRED: untrusted('its certificate has expired'),
  CERT_NOT_YET_VALID: untrusted('its certificate is not valid yet: is the clock of this machine right?'),
  ERR_TLS_CERT_ALTNAME_INVALID: untrusted('its certificate is for another name'),
};

/** The code of the innermost cause that has a known one: `fetch` and the clients wrap what the system said. */
function knownCode(error: unknown, depth = 0): string | undefined {
  if (!(error instanceof Error) || depth > 5) return undefined;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  const inner = error instanceof AggregateError ? error.errors[0] : error.cause;
  return knownCode(inner, depth + 1) ?? (code !== undefined && code in meanings ? code : undefined);
}

/** What an error of the network means; anything else is given back as it is. `place` is the host, for people. */
export function networkErrorFrom(error: unknown, place: string): unknown {
  if (error instanceof HoldfastError) return error;
  const code = knownCode(error);
  const isFetchFailure = error instanceof TypeError && /fetch failed|terminated|network/i.test(error.message);
  const meaning = code === undefined ? (isFetchFailure ? lost : undefined) : meanings[code];
  if (meaning === undefined) return error;
  const [errorCode, reason, hint] = meaning;
  return new HoldfastError(errorCode, {
    message: `${place}: ${reason}`,
    ...(hint === undefined ? {} : { hint }),
    context: { place, ...(code === undefined ? {} : { cause: code }) },
    cause: error,
  });
}

/** The warning that belongs to an endpoint without TLS off this machine, or none. */
export function clearTextWarnings(endpoint: string): string[] {
  const { protocol, hostname } = new URL(endpoint);
  const isHere = hostname === 'localhost' || hostname === '[::1]' || /^127\./.test(hostname);
  if (protocol !== 'http:' || isHere) return [];
  return [`keys and archives pass in clear over the network to ${hostname}: use https:`];
}
