import { HoldfastError } from '../../errors.ts';
import { fingerprint, type HostName, type KnownHosts, keyType, knownHostName } from './known-hosts.ts';

/** Lines of known_hosts, and where they come from, for people. */
export interface TrustedHosts {
  readonly hosts: KnownHosts;
  readonly source: string;
}

/** Checks the key that a host shows; gives the error, `storage.certificate`, when it is not to be trusted. */
export function checkHostKey(name: HostName, key: Uint8Array, trusted: TrustedHosts): HoldfastError | undefined {
  const verdict = trusted.hosts.judge(name, key);
  if (verdict.state === 'known') return undefined;
  const shown = `${keyType(key)} ${fingerprint(key)}`;
  const { source } = trusted;
  const host = knownHostName(name);
  const scan = `ssh-keyscan -p ${name.port} ${name.host}`;
  const check = `ask whoever runs the server for its fingerprint, and compare: \`${scan} | ssh-keygen -lf -\``;
  const refuse = (message: string, hint: string) =>
    new HoldfastError('storage.certificate', {
      message: `${host}: ${message}`,
      hint,
      context: { ...name, fingerprint: fingerprint(key), knownHosts: source },
    });
  if (verdict.state === 'changed') {
    return refuse(
      `the host key is not the one that is known: the server shows ${shown}, line ${verdict.line} of ${source} says ${verdict.fingerprint}`,
      `somebody may be in between. If the key was changed on purpose: ${check}; then \`ssh-keygen -R '${host}'\`, and \`${scan} >> ~/.ssh/known_hosts\``,
    );
  }
  if (verdict.state === 'revoked') {
    const hint = 'do not connect: whoever has this key can pretend to be the server; ask whoever revoked it';
    return refuse(`the host key ${shown} is revoked by line ${verdict.line} of ${source}`, hint);
  }
  if (verdict.authorityLine !== undefined) {
    return refuse(
      `the host key ${shown} is not known; @cert-authority in line ${verdict.authorityLine} of ${source} is not supported`,
      `add the host key itself: ${check}; then \`${scan} >> ~/.ssh/known_hosts\``,
    );
  }
  return refuse(
    `the host key ${shown} is not known: ${source} has no line for ${host}`,
    `${check}; then \`${scan} >> ~/.ssh/known_hosts\`, or put its line in \`knownHosts\``,
  );
}

/** In the order of preference; signatures with SHA-1 are left out. */
const algorithms = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'rsa-sha2-512',
  'rsa-sha2-256',
] as const;

/** Which keys the server is asked for: those first that it is known by. */
export function hostKeyAlgorithms(knownTypes: readonly string[]): (typeof algorithms)[number][] {
  const isKnown = (algorithm: string) => knownTypes.includes(algorithm.startsWith('rsa-') ? 'ssh-rsa' : algorithm);
  return [...algorithms.filter(isKnown), ...algorithms.filter((algorithm) => !isKnown(algorithm))];
}
