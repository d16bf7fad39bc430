import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { extractedFolder, extractedLibraries, extractedProgram } from './extracted-server.ts';
import { saysListening } from './says-listening.ts';
import { makeCertificate } from './self-signed-certificate.ts';
import { ServerProcess } from './server-process.ts';
import { giveTo, serverUser } from './server-user.ts';
import type { Service } from './service.ts';
import { makeServiceFolder } from './service-folder.ts';

/** How the server is set up. */
export interface WebdavOptions {
  /** `basic` unless set. */
  readonly authentication?: 'basic' | 'digest';
  readonly tls?: boolean;
  /** Size of a disk of its own for the files, in MiB; needs root. */
  readonly diskMebibytes?: number;
}

/** A running Apache with mod_dav. `url` is without the user. */
export interface WebdavService extends Service {
  readonly user: string;
  readonly password: string;
  /** Path of its certificate, signed by itself, for localhost and 127.0.0.1. */
  readonly certificatePath: string;
  readonly home: string;
}

const user = 'holdfast';
const password = 'p@ss word-%123';
const realm = 'backups';

function passwords(isDigest: boolean): string {
  if (isDigest) {
    const { stdout } = spawnSync('openssl', ['md5', '-r'], { input: `${user}:${realm}:${password}`, encoding: 'utf8' });
    return `${user}:${realm}:${stdout.split(' ')[0]}\n`;
  }
  const { stdout } = spawnSync('openssl', ['passwd', '-apr1', '-stdin'], { input: password, encoding: 'utf8' });
  return `${user}:${stdout}`;
}

interface Place {
  readonly folder: string;
  readonly home: string;
  readonly certificatePath: string;
  readonly keyPath: string;
}

function settings(place: Place, port: number, options: WebdavOptions): string {
  const { folder, home } = place;
  const modules = join(extractedFolder('apache'), 'usr/lib/apache2/modules');
  const method = options.authentication ?? 'basic';
  const names = [
    'mpm_event',
    'authn_core',
    'authn_file',
    'authz_core',
    'authz_user',
    'dav',
    'dav_fs',
    `auth_${method}`,
  ];
  if (options.tls === true) names.push('ssl', 'socache_shmcb');
  const name = method === 'basic' ? 'Basic' : 'Digest';
  const tls = ['SSLEngine on', `SSLCertificateFile ${place.certificatePath}`, `SSLCertificateKeyFile ${place.keyPath}`];
  return `${[
    ...names.map((module) => `LoadModule ${module}_module ${modules}/mod_${module}.so`),
    ...['ServerName 127.0.0.1', `Listen 127.0.0.1:${port}`, `PidFile ${join(folder, 'run/pid')}`],
    ...[`DefaultRuntimeDir ${join(folder, 'run')}`, `Mutex file:${join(folder, 'run')}`],
    ...[`ErrorLog ${join(folder, 'run/log')}`, `DocumentRoot ${home}`, `DavLockDB ${join(folder, 'run/lock')}`],
    ...['KeepAlive On', 'MaxKeepAliveRequests 0', 'LimitRequestBody 0', 'StartServers 1', 'EnableSendfile Off'],
    ...(options.tls === true ? tls : []),
    ...[`<Directory ${home}>`, 'Dav On', `AuthType ${name}`, `AuthName ${realm}`],
    ...[`AuthUserFile ${join(folder, 'passwords')}`, 'Require valid-user', '</Directory>'],
  ].join('\n')}\n`;
}

/** Starts an Apache with mod_dav and one user; the test stops it. */
export async function startWebdav(options: WebdavOptions = {}): Promise<WebdavService> {
  const daemon = serverUser(['daemon']);
  const folder = makeServiceFolder(daemon);
  const home = join(folder, 'home');
  for (const path of [home, join(folder, 'run')]) {
    mkdirSync(path);
    giveTo(path, daemon);
  }
  const { certificatePath, keyPath } = await makeCertificate(folder, daemon);
  const place = { folder, home, certificatePath, keyPath };
  writeFileSync(join(folder, 'passwords'), passwords(options.authentication === 'digest'));
  const program = `${extractedProgram('apache')} -f ${join(folder, 'settings')} -DFOREGROUND`;
  const server = await ServerProcess.start({
    folder,
    user: undefined,
    commandFor: (port) => {
      writeFileSync(join(folder, 'settings'), settings(place, port, options));
      const libraries = `export LD_LIBRARY_PATH=${extractedLibraries('apache')}`;
      const start = `${saysListening(port)} ${libraries}`;
      // Without workers of its own, which would outlive it.
      if (daemon === undefined) return ['bash', '-c', `${start}; exec ${program.replace(' -DFOREGROUND', '')} -X`];
      // Its workers die with it in a namespace of its own, and a mount vanishes with it.
      const { userId, groupId } = daemon;
      const size = options.diskMebibytes;
      const mount =
        size === undefined ? '' : `mount -t tmpfs -o size=${size}m,uid=${userId},gid=${groupId} none ${home};`;
      const run = `setpriv --reuid=${userId} --regid=${groupId} --clear-groups -- ${program} & wait $!`;
      const namespaces = ['--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
      return ['unshare', ...namespaces, '--', 'bash', '-c', `set -e; ${mount} ${start}; ${run}`];
    },
    ready: /listening/,
    stopSignal: 'SIGKILL',
  });
  return {
    url: `${options.tls === true ? 'https' : 'http'}://127.0.0.1:${server.port}`,
    host: '127.0.0.1',
    port: server.port,
    version: 'apache',
    user,
    password,
    certificatePath,
    home,
    get processId() {
      return server.processId;
    },
    get log() {
      return readFileSync(join(folder, 'run/log'), 'utf8');
    },
    stop: () => server.stop(),
    kill: () => server.kill(),
    restart: () => server.restart(),
  };
}
