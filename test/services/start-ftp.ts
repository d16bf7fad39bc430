import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { extractedFolder, extractedLibraries, extractedProgram } from './extracted-server.ts';
import { saysListening } from './says-listening.ts';
import { makeCertificate } from './self-signed-certificate.ts';
import { ServerProcess } from './server-process.ts';
import { giveTo } from './server-user.ts';
import type { Service } from './service.ts';
import { makeServiceFolder } from './service-folder.ts';

/** Which server, and what it does. */
export interface FtpOptions {
  /** vsftpd has no MLSD and needs root; ProFTPD has it, and runs as anyone. */
  readonly server: 'vsftpd' | 'proftpd';
  /** Refuses clients that do not encrypt; false unless set: they may. */
  readonly requiresTls?: boolean;
  /** Size of a disk of its own for the files, in MiB; needs root. */
  readonly diskMebibytes?: number;
}

/** A running FTP server. `url` has the user and the password. */
export interface FtpService extends Service {
  readonly user: string;
  readonly password: string;
  /** Path of its certificate, signed by itself, for localhost and 127.0.0.1. */
  readonly certificatePath: string;
  /** Path of the user's files on this machine, as the server's processes see it. */
  readonly home: string;
}

const user = 'holdfast';
const password = 'p@ss word-%123';
const userId = 1999;

function hash(text: string): string {
  return spawnSync('openssl', ['passwd', '-6', '-stdin'], { input: text, encoding: 'utf8' }).stdout.trim();
}

interface Place {
  readonly folder: string;
  readonly home: string;
  readonly certificatePath: string;
  readonly keyPath: string;
}

function vsftpdSettings(place: Place, port: number, options: FtpOptions): string {
  const force = options.requiresTls === true ? 'YES' : 'NO';
  return `${[
    ...['listen=YES', 'listen_address=127.0.0.1', `listen_port=${port}`, 'background=NO'],
    ...['anonymous_enable=NO', 'local_enable=YES', 'write_enable=YES', 'local_umask=077'],
    ...['chroot_local_user=YES', 'allow_writeable_chroot=YES', 'pam_service_name=other', 'check_shell=NO'],
    ...['seccomp_sandbox=NO', 'pasv_address=127.0.0.1', 'ssl_enable=YES', 'require_ssl_reuse=YES', 'ssl_ciphers=HIGH'],
    ...[`force_local_logins_ssl=${force}`, `force_local_data_ssl=${force}`],
    ...[`rsa_cert_file=${place.certificatePath}`, `rsa_private_key_file=${place.keyPath}`],
    ...[`secure_chroot_dir=${join(place.folder, 'empty')}`, `vsftpd_log_file=${join(place.folder, 'log')}`],
    ...['xferlog_enable=YES', 'log_ftp_protocol=YES', 'delay_failed_login=0', 'max_per_ip=0'],
  ].join('\n')}\n`;
}

/** vsftpd knows the users of the machine: it gets a view of them with one more. */
function vsftpdScript(place: Place, port: number, options: FtpOptions): string {
  const { folder, home } = place;
  const passwd = readFileSync('/etc/passwd', 'utf8');
  writeFileSync(join(folder, 'passwd'), `${passwd.trimEnd()}\n${user}:x:${userId}:${userId}::${home}:/bin/sh\n`);
  const shadow = readFileSync('/etc/shadow', 'utf8');
  writeFileSync(join(folder, 'shadow'), `${shadow.trimEnd()}\n${user}:${hash(password)}:19000:0:99999:7:::\n`, {
    mode: 0o600,
  });
  mkdirSync(join(folder, 'empty'), { recursive: true });
  writeFileSync(join(folder, 'settings'), vsftpdSettings(place, port, options));
  const mounts = ['passwd', 'shadow'].map((file) => `mount --bind ${join(folder, file)} /etc/${file}`);
  return [...mounts, `run ${extractedProgram('vsftpd')} ${join(folder, 'settings')}`].join('\n');
}

function proftpdSettings(place: Place, port: number, options: FtpOptions): string {
  const { folder, home } = place;
  const [ownUser, ownGroup] = ['-un', '-gn'].map((flag) => spawnSync('id', [flag], { encoding: 'utf8' }).stdout.trim());
  return `${[
    `ModulePath ${join(extractedFolder('proftpd'), 'usr/lib/proftpd')}`,
    ...['LoadModule mod_tls.c', 'ServerType standalone', 'DefaultAddress 127.0.0.1', 'SocketBindTight on'],
    ...[`Port ${port}`, 'UseIPv6 off', 'UseReverseDNS off', `User ${ownUser}`, `Group ${ownGroup}`],
    ...[`PidFile ${join(folder, 'pid')}`, `ScoreboardFile ${join(folder, 'scores')}`, 'ControlsEngine off'],
    ...[`SystemLog ${join(folder, 'log')}`, 'TransferLog none', 'WtmpLog off', 'DelayEngine off'],
    ...['AuthOrder mod_auth_file.c', `AuthUserFile ${join(folder, 'users')}`, 'RequireValidShell off', 'RootLogin on'],
    ...['AllowOverwrite on', 'AllowStoreRestart on', 'AllowRetrieveRestart on', `DefaultChdir ${home}`],
    ...['TLSEngine on', `TLSRequired ${options.requiresTls === true ? 'on' : 'off'}`],
    ...[`TLSECCertificateFile ${place.certificatePath}`, `TLSECCertificateKeyFile ${place.keyPath}`],
  ].join('\n')}\n`;
}

function proftpdScript(place: Place, port: number, options: FtpOptions): string {
  const { folder, home } = place;
  const [ownId, ownGroupId] = [process.getuid?.(), process.getgid?.()];
  writeFileSync(join(folder, 'users'), `${user}:${hash(password)}:${ownId}:${ownGroupId}::${home}:/bin/sh\n`, {
    mode: 0o600,
  });
  writeFileSync(join(folder, 'settings'), proftpdSettings(place, port, options));
  return `run ${extractedProgram('proftpd')} --nodaemon --quiet --config ${join(folder, 'settings')}`;
}

/**
 * The script below, in namespaces of its own where this is root: its mounts vanish with it, and its sessions, which are processes of their
 * own, die with it.
 */
function commandOf(script: string, port: number): string[] {
  const wait = saysListening(port);
  if (process.getuid?.() !== 0) return ['bash', '-c', `set -e\nrun() { exec "$@"; }\n${wait}\n${script}`];
  // The first process of a namespace is treated as no other is: vsftpd ends at once when it is that one.
  const words = ['bash', '-c', `set -e\nrun() { "$@" & wait $!; }\n${wait}\n${script}`];
  return ['unshare', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc', '--', ...words];
}

/** Why a server cannot run here although it is there, or undefined. */
export function whyNoFtp(server: FtpOptions['server']): string | undefined {
  if (server === 'proftpd') return undefined;
  if (process.getuid?.() !== 0) return 'vsftpd needs root';
  const { status } = spawnSync('unshare', ['--mount', '--pid', '--fork', '--kill-child', 'true']);
  return status === 0 ? undefined : 'vsftpd needs mounts of its own, which are not permitted here';
}

/** Starts an FTP server with one user; the test stops it. */
export async function startFtp(options: FtpOptions): Promise<FtpService> {
  const folder = makeServiceFolder(undefined);
  const home = join(folder, 'home');
  mkdirSync(home);
  const { certificatePath, keyPath } = await makeCertificate(folder, undefined);
  const place = { folder, home, certificatePath, keyPath };
  const isVsftpd = options.server === 'vsftpd';
  if (isVsftpd) giveTo(home, { userId, groupId: userId });
  const { diskMebibytes } = options;
  const owner = isVsftpd ? `,uid=${userId},gid=${userId}` : '';
  const disk = diskMebibytes === undefined ? '' : `mount -t tmpfs -o size=${diskMebibytes}m${owner} none ${home}\n`;
  const libraries = `export LD_LIBRARY_PATH=${extractedLibraries(options.server)}\n`;
  const server = await ServerProcess.start({
    folder,
    user: undefined,
    commandFor: (port) => {
      const script = isVsftpd ? vsftpdScript(place, port, options) : proftpdScript(place, port, options);
      return commandOf(`${disk}${libraries}${script}`, port);
    },
    ready: /listening/,
    // ProFTPD ends its sessions itself; as root they end with their namespace.
    stopSignal: process.getuid?.() === 0 ? 'SIGKILL' : 'SIGTERM',
  });
  return {
    url: `ftp://${user}:${encodeURIComponent(password)}@127.0.0.1:${server.port}`,
    host: '127.0.0.1',
    port: server.port,
    version: options.server,
    user,
    password,
    certificatePath,
    home,
    get processId() {
      return server.processId;
    },
    get log() {
      return readFileSync(join(folder, 'log'), 'utf8');
    },
    stop: () => server.stop(),
    kill: () => server.kill(),
    restart: () => server.restart(),
  };
}
