/** The file known_hosts of OpenSSH: sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT". */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

/** A line that names a host and one of its keys. */
interface KnownHost {
  /** Counted from 1. */
  readonly line: number;
  readonly marker: string | undefined;
  readonly patterns: string;
  readonly type: string;
  /** The key as the server shows it. */
  readonly key: Buffer;
}

/** A host as the file names it. */
export interface HostName {
  readonly host: string;
  readonly port: number;
}

/** What the file says of a key that a host shows. */
export type HostKeyVerdict =
  | { readonly state: 'known' }
  /** The host has no line. `authorityLine` is that of a certificate authority for it, which is of no use here. */
  | { readonly state: 'unknown'; readonly authorityLine: number | undefined }
  /** The host has other keys. */
  | { readonly state: 'changed'; readonly line: number; readonly fingerprint: string }
  | { readonly state: 'revoked'; readonly line: number };

/** Reads the lines of known_hosts. Comments, and lines that cannot be read, name no host. */
export class KnownHosts {
  readonly #hosts: readonly KnownHost[];

  constructor(text: string) {
    this.#hosts = text.split('\n').flatMap((line, index) => parseLine(line, index + 1) ?? []);
  }

  /** Judges the key that a host shows. A revocation holds wherever it stands; other ports are other hosts. */
  judge(name: HostName, key: Uint8Array): HostKeyVerdict {
    const hosts = this.#hosts.filter(({ patterns }) => matches(patterns, name));
    const isShown = (host: KnownHost) => host.key.equals(key);
    const revoked = hosts.find((host) => host.marker === '@revoked' && isShown(host));
    if (revoked !== undefined) return { state: 'revoked', line: revoked.line };
    const plain = hosts.filter(({ marker }) => marker === undefined);
    if (plain.some(isShown)) return { state: 'known' };
    const [other] = plain;
    if (other !== undefined) return { state: 'changed', line: other.line, fingerprint: fingerprint(other.key) };
    return { state: 'unknown', authorityLine: hosts.find(({ marker }) => marker === '@cert-authority')?.line };
  }

  /** Types of the keys that a host is known by, so that it can be asked to show one of these. */
  keyTypes(name: HostName): string[] {
    const hosts = this.#hosts.filter(({ marker, patterns }) => marker === undefined && matches(patterns, name));
    return [...new Set(hosts.map(({ type }) => type))];
  }
}

/** A key as people compare it: `SHA256:…`. */
export function fingerprint(key: Uint8Array): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

/** The type that a key says of itself, its first string (RFC 4253, 6.6): `ssh-ed25519`. */
export function keyType(key: Uint8Array): string {
  const bytes = Buffer.from(key.buffer, key.byteOffset, key.length);
  return bytes.length < 4 ? '' : bytes.toString('latin1', 4, 4 + bytes.readUInt32BE(0));
}

/** How a host is written in the file: another port than 22 belongs to the name. */
export function knownHostName({ host, port }: HostName): string {
  return port === 22 ? host : `[${host}]:${port}`;
}

function parseLine(text: string, line: number): KnownHost | undefined {
  const fields = text.trim().split(/[ \t]+/);
  const marker = fields[0]?.startsWith('@') === true ? fields.shift() : undefined;
  const [patterns, type, base64] = fields;
  if (patterns === undefined || patterns.startsWith('#') || type === undefined || base64 === undefined)
    return undefined;
  const key = Buffer.from(base64, 'base64');
  return keyType(key) === type ? { line, marker, patterns, type, key } : undefined;
}

/** Whether a list of patterns means the host: any of them, and none of those with `!`. */
function matches(patterns: string, name: HostName): boolean {
  const host = knownHostName(name).toLowerCase();
  if (patterns.startsWith('|')) return matchesHash(patterns, host);
  let found = false;
  for (const pattern of patterns.toLowerCase().split(',')) {
    const isNegated = pattern.startsWith('!');
    if (!matchesPattern(isNegated ? pattern.slice(1) : pattern, host)) continue;
    if (isNegated) return false;
    found = true;
  }
  return found;
}

/** `|1|salt|hash`: an HMAC-SHA1 of the name, so that the file does not tell where one logs in. */
function matchesHash(pattern: string, host: string): boolean {
  const [, version, salt, hash] = pattern.split('|');
  if (version !== '1' || salt === undefined || hash === undefined) return false;
  const expected = Buffer.from(hash, 'base64');
  const actual = createHmac('sha1', Buffer.from(salt, 'base64')).update(host).digest();
  return expected.length === actual.length && timingSafeEqual(expected, actual);
}

/** `*` stands for any characters, `?` for one. */
function matchesPattern(pattern: string, host: string): boolean {
  // Walked by hand: a regular expression made from it could take for ever.
  let star = -1;
  let resume = 0;
  let inPattern = 0;
  let inHost = 0;
  while (inHost < host.length) {
    const wanted = pattern[inPattern];
    if (wanted === '*') {
      star = inPattern++;
      resume = inHost;
    } else if (wanted === '?' || (wanted !== undefined && wanted === host[inHost])) {
      inPattern += 1;
      inHost += 1;
    } else if (star >= 0) {
      inPattern = star + 1;
      inHost = ++resume;
    } else return false;
  }
  return /^\**$/.test(pattern.slice(inPattern));
}
