import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { requireProgram } from '../services/find-program.ts';
import type { Certificate } from '../services/self-signed-certificate.ts';

const run = promisify(execFile);
/** A certificate for the hosts of a service, that only the tests' clients are told to trust. */
export async function makeHostsCertificate(folder: string, hosts: readonly string[]): Promise<Certificate> {
  const certificatePath = join(folder, 'hosts-certificate.pem');
  const keyPath = join(folder, 'hosts-key.pem');
  const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30'];
  const names = hosts.map((host) => `DNS:${host}`).join(',');
  const subject = ['-subj', '/CN=hosts of a fake', '-addext', `subjectAltName=${names}`];
  await run(requireProgram('openssl'), ['req', ...kind, ...subject, '-keyout', keyPath, '-out', certificatePath]);
  return { certificatePath, keyPath };
}
