import { execFile } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { requireProgram } from './find-program.ts';
import { giveTo, type ServerUser } from './server-user.ts';

const run = promisify(execFile);

/** Paths of a certificate and its key. */
export interface Certificate {
  readonly certificatePath: string;
  readonly keyPath: string;
}

/** A certificate for `localhost` and 127.0.0.1, signed by itself, whose key the server's user alone reads. */
export async function makeCertificate(folder: string, user: ServerUser | undefined): Promise<Certificate> {
  const certificatePath = join(folder, 'certificate.pem');
  const keyPath = join(folder, 'key.pem');
  const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30'];
  const name = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  await run(requireProgram('openssl'), ['req', ...kind, ...name, '-keyout', keyPath, '-out', certificatePath]);
  chmodSync(keyPath, 0o600);
  giveTo(keyPath, user);
  return { certificatePath, keyPath };
}
