import { createHash } from 'node:crypto';
import { type Random, systemRandom } from '../../random.ts';
import type { Secret } from '../../secret.ts';

/** User and password of a server. */
export interface Credentials {
  readonly username: string;
  readonly password: Secret;
}

/** What a server asked for: Basic (RFC 7617), or Digest (RFC 7616). */
export type Challenge = { readonly scheme: 'basic' } | DigestChallenge;

interface DigestChallenge {
  readonly scheme: 'digest';
  readonly realm: string;
  readonly nonce: string;
  readonly opaque: string | undefined;
  readonly algorithm: 'MD5' | 'SHA-256';
  readonly hasQop: boolean;
  /** How often the nonce was used. */
  useCount: number;
}

/** The best one that a `WWW-Authenticate` header offers; undefined where none is known. */
export function parseChallenge(header: string | undefined): Challenge | undefined {
  if (header === undefined) return undefined;
  // Each challenge begins with its scheme; what follows is `name=value` or `name="value"`.
  const challenges = header
    .split(/(?:^|,\s*)(?=(?:basic|digest|negotiate|ntlm|bearer)\b(?!=))/i)
    .filter((text) => text !== '');
  const digests = challenges
    .filter((text) => /^digest\b/i.test(text))
    .map(parseDigest)
    .filter((challenge) => challenge !== undefined);
  const best = digests.find((challenge) => challenge.algorithm === 'SHA-256') ?? digests[0];
  if (best !== undefined) return best;
  return challenges.some((text) => /^basic\b/i.test(text)) ? { scheme: 'basic' } : undefined;
}

function parseDigest(text: string): DigestChallenge | undefined {
  const fields = new Map<string, string>();
  for (const [, name = '', quoted, plain] of text.matchAll(/(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/g)) {
    fields.set(name.toLowerCase(), quoted?.replace(/\\(.)/g, '$1') ?? plain ?? '');
  }
  const nonce = fields.get('nonce');
  const algorithm = (fields.get('algorithm') ?? 'MD5').toUpperCase();
  if (nonce === undefined || (algorithm !== 'MD5' && algorithm !== 'SHA-256')) return undefined;
  const qop = fields.get('qop');
  if (qop !== undefined && !qop.split(/\s*,\s*/).includes('auth')) return undefined;
  return {
    scheme: 'digest',
    realm: fields.get('realm') ?? '',
    nonce,
    opaque: fields.get('opaque'),
    algorithm,
    hasQop: qop !== undefined,
    useCount: 0,
  };
}

/** The `Authorization` header of one request. Counts the use of the nonce. */
export function authorize(
  challenge: Challenge,
  credentials: Credentials,
  request: { readonly method: string; readonly path: string },
  random: Random = systemRandom,
): string {
  const { username, password } = credentials;
  if (challenge.scheme === 'basic') {
    return `Basic ${Buffer.from(`${username}:${password.reveal()}`).toString('base64')}`;
  }
  const { realm, nonce, opaque, algorithm, hasQop } = challenge;
  const hash = (text: string) =>
    createHash(algorithm === 'MD5' ? 'md5' : 'sha256')
      .update(text)
      .digest('hex');
  const who = hash(`${username}:${realm}:${password.reveal()}`);
  const what = hash(`${request.method}:${request.path}`);
  const fields = [
    ...[`username="${quoted(username)}"`, `realm="${quoted(realm)}"`, `nonce="${quoted(nonce)}"`],
    ...[`uri="${request.path}"`, `algorithm=${algorithm}`],
    ...(opaque === undefined ? [] : [`opaque="${quoted(opaque)}"`]),
  ];
  if (!hasQop) return `Digest ${[...fields, `response="${hash(`${who}:${nonce}:${what}`)}"`].join(', ')}`;
  challenge.useCount += 1;
  const count = challenge.useCount.toString(16).padStart(8, '0');
  const own = Buffer.from(random.bytes(16)).toString('hex');
  const response = hash(`${who}:${nonce}:${count}:${own}:auth:${what}`);
  return `Digest ${[...fields, 'qop=auth', `nc=${count}`, `cnonce="${own}"`, `response="${response}"`].join(', ')}`;
}

function quoted(text: string): string {
  return text.replace(/["\\]/g, '\\$&');
}
