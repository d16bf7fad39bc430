import { execFile } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePort } from './free-port.ts';
import { type Certificate, makeCertificate } from './self-signed-certificate.ts';
import { ServerProcess } from './server-process.ts';
import { commandAs, giveTo, type ServerUser, serverUser } from './server-user.ts';
import type { Service } from './service.ts';
import { makeServiceFolder } from './service-folder.ts';
import { type UnpackedName, unpackedCommand, unpackedFolder, unpackedLibraries } from './unpacked-packages.ts';

const run = promisify(execFile);

/** How a Ceph RGW is to be started. */
export interface RgwOptions {
  /** 16 (16.2, an older server) unless set; 20 (20.2) is the strict one. */
  readonly version?: 16 | 20;
  /** Keeps objects in a sparse file instead of in memory: for more than some hundred MB. False unless set. */
  readonly onDisk?: boolean;
  /** Serves TLS with a certificate signed by itself, on a second port. */
  readonly tls?: boolean;
}

/** An account of the server. */
export interface RgwUser {
  readonly accessKey: string;
  readonly secretKey: string;
}

/** A running Ceph RGW: S3 with one monitor and one disk. Its `url` is the endpoint. */
export interface RgwService extends Service, RgwUser {
  /** With TLS; undefined without. */
  readonly tlsUrl: string | undefined;
  readonly certificatePath: string | undefined;
  /** Makes an account; `operations` limits what it may do: `read`, `write`, `delete`, joined by commas. */
  createUser(name: string, options?: { readonly operations?: string }): Promise<RgwUser>;
  /** Runs `radosgw-admin`. */
  administer(...args: string[]): Promise<string>;
}

const fsid = '5a5ac6f8-16d1-4c3e-9d29-6b1c1d3c7a10';

interface Cluster {
  readonly folder: string;
  readonly user: ServerUser | undefined;
  readonly root: string;
  readonly onDisk: boolean;
  readonly monitorPort: number;
  readonly certificate: Certificate | undefined;
  readonly tlsPort: number;
}

/** Ports that the disk may take: below those that the system gives out itself. */
const leastPort = 15_000;
const portsOfDisk = 40;

function configuration(cluster: Cluster): string {
  const { folder, root, onDisk, monitorPort } = cluster;
  const libraries = unpackedLibraries(root);
  const diskPort = randomInt(leastPort, 30_000);
  const settings = {
    global: {
      fsid,
      'mon host': `v2:127.0.0.1:${monitorPort}`,
      'public addr': '127.0.0.1',
      'cluster addr': '127.0.0.1',
      'auth cluster required': 'none',
      'auth service required': 'none',
      'auth client required': 'none',
      'ms mon client mode': 'crc',
      keyring: join(folder, 'keyring'),
      'run dir': folder,
      'admin socket': '',
      'pid file': '',
      'log file': '',
      'log to stderr': 'true',
      'err to stderr': 'true',
      'mon cluster log file': '',
      'crash dir': folder,
      'plugin dir': join(libraries, 'ceph'),
      'erasure code dir': join(libraries, 'ceph/erasure-code'),
      'osd class dir': join(libraries, 'rados-classes'),
      'osd pool default size': 1,
      'osd pool default min size': 1,
      'osd pool default pg num': 4,
      'osd pool default pgp num': 4,
      'osd pool default pg autoscale mode': 'off',
      'osd crush chooseleaf type': 0,
      'mon allow pool size one': 'true',
      'mon max pg per osd': 1000,
    },
    mon: {
      'mon data': join(folder, 'mon'),
      'mon data avail crit': 1,
      'mon data avail warn': 2,
      'paxos propose interval': 0.05,
      'paxos min wait': 0.01,
    },
    osd: {
      'osd data': join(folder, 'osd'),
      'osd objectstore': onDisk ? 'bluestore' : 'memstore',
      'osd class load list': '*',
      'osd class default list': '*',
      'memstore device bytes': 8 * 2 ** 30,
      'bluestore block size': 32 * 2 ** 30,
      'bluestore block create': 'true',
      'bluestore fsck on mkfs': 'false',
      'ms bind port min': diskPort,
      'ms bind port max': diskPort + portsOfDisk,
    },
    client: {
      'objecter tick interval': 0.2,
      'rgw gc obj min wait': 1,
      'rgw gc processor period': 5,
      'rgw gc processor max time': 5,
      'rgw run sync thread': 'false',
      'rgw override bucket index max shards': 1,
    },
  };
  return Object.entries(settings)
    .map(([section, values]) => {
      const lines = Object.entries(values).map(([name, value]) => `${name} = ${value}\n`);
      return `[${section}]\n${lines.join('')}`;
    })
    .join('');
}

/** Where the gateway listens. Without `tcp_nodelay` each answer waits 40 ms. */
function frontends({ certificate, tlsPort }: Cluster, port: number): string {
  const plain = `beast endpoint=127.0.0.1:${port} tcp_nodelay=1`;
  if (certificate === undefined) return plain;
  const { certificatePath, keyPath } = certificate;
  return `${plain} ssl_endpoint=127.0.0.1:${tlsPort} ssl_certificate=${certificatePath} ssl_private_key=${keyPath}`;
}

/** Commands of one cluster. */
class ClusterCommands {
  readonly #cluster: Cluster;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  words(program: string, ...args: string[]): string[] {
    const { root, folder } = this.#cluster;
    return [...unpackedCommand(root, program), '-c', join(folder, 'ceph.conf'), ...args];
  }

  async run(program: string, ...args: string[]): Promise<string> {
    const { user, folder } = this.#cluster;
    const [file = '', ...rest] = commandAs(user, this.words(program, ...args));
    const env = { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8', HOME: folder };
    return (await run(file, rest, { cwd: folder, env, timeout: 60_000 })).stdout;
  }

  async start(program: string, ready: RegExp, args: (port: number) => string[]): Promise<ServerProcess> {
    const { user, folder } = this.#cluster;
    const commandFor = (port: number) => this.words(program, '-f', ...args(port));
    // In good order it hangs once another part of the cluster is gone.
    return await ServerProcess.start({ folder, user, commandFor, ready, stopSignal: 'SIGKILL' });
  }
}

async function makeCluster(options: RgwOptions): Promise<Cluster> {
  const user = serverUser(['daemon']);
  const folder = makeServiceFolder(user, { isOnDisk: options.onDisk === true });
  const name: UnpackedName = options.version === 20 ? 'rgw20' : 'rgw16';
  const cluster: Cluster = {
    folder,
    user,
    root: unpackedFolder(name),
    onDisk: options.onDisk ?? false,
    monitorPort: await freePort(),
    certificate: options.tls === true ? await makeCertificate(folder, user) : undefined,
    tlsPort: options.tls === true ? await freePort() : 0,
  };
  for (const part of ['mon', 'osd']) {
    mkdirSync(join(folder, part));
    giveTo(join(folder, part), user);
  }
  writeFileSync(join(folder, 'keyring'), '');
  writeFileSync(join(folder, 'ceph.conf'), configuration(cluster));
  return cluster;
}

/** Starts monitor, disk and gateway, in this order. */
async function startParts(cluster: Cluster, commands: ClusterCommands): Promise<ServerProcess[]> {
  const address = `v2:127.0.0.1:${cluster.monitorPort}`;
  const parts: ServerProcess[] = [];
  try {
    await commands.run('ceph-mon', '-i', 'a', '--mkfs', '--fsid', fsid, '--public-addr', address);
    parts.push(await commands.start('ceph-mon', /ceph version/, () => ['-i', 'a', '--public-addr', address]));
    await commands.run('ceph-osd', '-i', '0', '--mkfs', '--osd-uuid', '0e1f4b0c-8a63-4b53-8f3c-2f3a54d1b9aa');
    parts.push(await commands.start('ceph-osd', /ceph version/, () => ['-i', '0']));
    const gateway = (port: number) => ['-n', 'client.rgw', `--rgw-frontends=${frontends(cluster, port)}`];
    parts.push(await commands.start('radosgw', /starting handler: beast/, gateway));
    return parts;
  } catch (error) {
    await endParts(parts);
    throw error;
  }
}

/** They share a folder, which goes when none of them writes to it any more. */
async function endParts(parts: readonly ServerProcess[]): Promise<void> {
  for (const part of [...parts].reverse()) await part.kill();
  for (const part of parts) await part.stop();
}

/** The gateway tells that it begins to listen, not that it does. */
async function untilListening(port: number): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const socket = connect(port, '127.0.0.1');
    try {
      await once(socket, 'connect');
      return;
    } catch (error) {
      if (attempt === 1000) throw error;
      await setTimeout(10);
    } finally {
      socket.destroy();
    }
  }
}

/** Starts a Ceph RGW of its own for a test; the test stops it. `kill` and `restart` are of the gateway; the objects stay. */
export async function startRgw(options: RgwOptions = {}): Promise<RgwService> {
  const cluster = await makeCluster(options);
  const commands = new ClusterCommands(cluster);
  const parts = await startParts(cluster, commands);
  const [, , gateway] = parts;
  if (gateway === undefined) throw new Error('there is no gateway');
  const administer = (...args: string[]) => commands.run('radosgw-admin', ...args);
  const createUser = async (name: string, { operations }: { operations?: string } = {}): Promise<RgwUser> => {
    const user = { accessKey: `KEY${name.toUpperCase()}`, secretKey: randomBytes(20).toString('hex') };
    const keys = [`--access-key=${user.accessKey}`, `--secret-key=${user.secretKey}`];
    const mask = operations === undefined ? [] : [`--op-mask=${operations}`];
    await administer('user', 'create', `--uid=${name}`, `--display-name=${name}`, ...keys, ...mask);
    return user;
  };
  const stop = async (): Promise<void> => {
    await endParts(parts);
  };
  try {
    await untilListening(gateway.port);
    const { tlsPort, certificate } = cluster;
    return {
      ...(await createUser('test')),
      url: `http://127.0.0.1:${gateway.port}`,
      host: '127.0.0.1',
      port: gateway.port,
      version: /ceph version (\S+)/.exec(gateway.log)?.[1] ?? '',
      tlsUrl: certificate && `https://127.0.0.1:${tlsPort}`,
      certificatePath: certificate?.certificatePath,
      createUser,
      administer,
      get processId() {
        return gateway.processId;
      },
      get log() {
        return gateway.log;
      },
      stop,
      kill: () => gateway.kill(),
      async restart() {
        await gateway.restart();
        await untilListening(gateway.port);
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
