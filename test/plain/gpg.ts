/** The real `gpg`, with a home folder of its own. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A `gpg` with no keys but those that a test makes. */
export class Gpg {
  readonly #home: string;

  constructor() {
    // The socket of its agent has a path of about a hundred bytes at most.
    this.#home = mkdtempSync(join(tmpdir(), 'hf-gpg-'));
    // Else the agent measures for seconds how many rounds this machine can do.
    writeFileSync(join(this.#home, 'gpg-agent.conf'), 's2k-count 65536\n');
  }

  run(args: readonly string[], input: Uint8Array | string = ''): Buffer {
    const common = ['--batch', '--yes', '--quiet', '--pinentry-mode', 'loopback', '--trust-model', 'always'];
    return execFileSync('gpg', [...common, ...args], {
      input,
      env: { PATH: process.env['PATH'], GNUPGHOME: this.#home, LC_ALL: 'C' },
      maxBuffer: 64 << 20,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
  }

  /** Makes a key pair, and gives its name for `--recipient`. */
  makeKey(name: string, algorithm: string, passphrase: string): string {
    const id = `${name}@example.test`;
    const usage = algorithm === 'rsa' ? ['default', 'default'] : ['future-default', 'default'];
    this.run(['--passphrase', passphrase, '--quick-generate-key', id, ...usage, 'never']);
    return id;
  }

  close(): void {
    try {
      execFileSync('gpgconf', ['--kill', 'all'], { env: { PATH: process.env['PATH'], GNUPGHOME: this.#home } });
    } finally {
      rmSync(this.#home, { recursive: true, force: true });
    }
  }
}
