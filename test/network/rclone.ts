import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { requireProgram } from '../services/find-program.ts';
import { makeHostsCertificate } from './hosts-certificate.ts';
import type { HttpFake } from './http-fake.ts';
import { TlsProxy } from './tls-proxy.ts';

const run = promisify(execFile);

/** rclone, unchanged, whose every request goes to a fake. */
export class Rclone {
  readonly #proxy: TlsProxy;
  readonly #environment: Readonly<Record<string, string | undefined>>;

  private constructor(proxy: TlsProxy, environment: Readonly<Record<string, string | undefined>>) {
    this.#proxy = proxy;
    this.#environment = environment;
  }

  /** `settings` are those of its one remote, `fake:`; `hosts` those that the service has. */
  static async start(
    fake: HttpFake,
    { workspace, hosts, settings }: { workspace: string; hosts: readonly string[]; settings: Record<string, string> },
  ): Promise<Rclone> {
    const certificate = await makeHostsCertificate(workspace, hosts);
    const proxy = await TlsProxy.start(fake, certificate);
    const remote = Object.entries(settings).map(([name, value]) => [`RCLONE_CONFIG_FAKE_${name.toUpperCase()}`, value]);
    return new Rclone(proxy, {
      PATH: process.env['PATH'],
      HOME: workspace,
      HTTPS_PROXY: proxy.url,
      SSL_CERT_FILE: certificate.certificatePath,
      RCLONE_CONFIG: join(workspace, 'none.conf'),
      RCLONE_RETRIES: '1',
      RCLONE_LOW_LEVEL_RETRIES: '2',
      ...Object.fromEntries(remote),
    });
  }

  /** What it writes. Rejects, with what it says, when it fails. */
  async run(...args: string[]): Promise<Buffer> {
    const options = { env: this.#environment, encoding: 'buffer', maxBuffer: 64 << 20, timeout: 60_000 } as const;
    return (await run(requireProgram('rclone'), args, options)).stdout;
  }

  stop(): void {
    this.#proxy.stop();
  }
}
