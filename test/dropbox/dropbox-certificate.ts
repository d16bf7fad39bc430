import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { requireProgram } from '../services/find-program.ts';
import type { Certificate } from '../services/self-signed-certificate.ts';

const run = promisify(execFile);
const hosts = [
  'api.dropboxapi.com',
  'content.dropboxapi.com',
  'notify.dropboxapi.com',
  'api.dropbox.com',
  'www.dropbox.com',
];

/** A certificate for Dropbox's hosts that only the tests' clients are told to trust. */
export async function makeDropboxCertificate(folder: string): Promise<Certificate> {
  const certificatePath = join(folder, 'dropbox-certificate.pem');
  const keyPath = join(folder, 'dropbox-key.pem');
  const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30'];
  const names = hosts.map((host) => `DNS:${host}`).join(',');
  const subject = ['-subj', '/CN=api.dropboxapi.com', '-addext', `subjectAltName=${names}`];
  await run(requireProgram('openssl'), ['req', ...kind, ...subject, '-keyout', keyPath, '-out', certificatePath]);
  return { certificatePath, keyPath };
}
