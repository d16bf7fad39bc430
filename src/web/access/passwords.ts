import { argon2, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { HoldfastError } from '../../errors.ts';
import type { Random } from '../../random.ts';
import type { Secret } from '../../secret.ts';

/** What one try costs whoever tries: Argon2id, RFC 9106. */
export interface PasswordCost {
  readonly memoryKib: number;
  readonly passes: number;
  readonly lanes: number;
}

/** Some 50 ms and 32 MiB a try. */
export const defaultPasswordCost: PasswordCost = { memoryKib: 32_768, passes: 3, lanes: 1 };

/** Tries at once, each with its memory, and those that wait behind them. */
const triesAtOnce = 2;
const waitingTries = 32;
const hashSizeBytes = 32;
const saltSizeBytes = 16;
export const minimumPasswordLength = 12;
const maximumPasswordLength = 512;
const derive = promisify(argon2);

/** Base64 without padding, as PHC strings have it. */
function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64').replace(/=+$/, '');
}

/** Passwords of users, as PHC strings: `$argon2id$v=19$m=32768,t=3,p=1$salt$hash`. The work is done off the main thread. */
export class Passwords {
  readonly #cost: PasswordCost;
  readonly #random: Random;
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  /** What the password of a user who is not there is compared with: it fits none, and costs the same. */
  readonly decoy: string;

  constructor({ random, cost = defaultPasswordCost }: { readonly random: Random; readonly cost?: PasswordCost }) {
    this.#random = random;
    this.#cost = cost;
    this.decoy = this.#format(cost, random.bytes(saltSizeBytes), random.bytes(hashSizeBytes));
  }

  /** Throws `request.invalid` for one that is too short or too long, or is the name. */
  check(password: Secret, name: string): void {
    const text = password.reveal();
    const problem =
      [...text].length < minimumPasswordLength
        ? `a password has ${minimumPasswordLength} characters at least`
        : text.length > maximumPasswordLength
          ? `a password has ${maximumPasswordLength} characters at most`
          : text.toLowerCase() === name || new Set(text).size < 4
            ? 'this password is too easily guessed'
            : undefined;
    if (problem === undefined) return;
    throw new HoldfastError('request.invalid', { message: problem, hint: 'a few words that do not belong together' });
  }

  async hash(password: Secret): Promise<string> {
    const salt = this.#random.bytes(saltSizeBytes);
    return this.#format(this.#cost, salt, await this.#derive(password, salt, this.#cost));
  }

  /** Whether it is the one. Throws `access.limited` where too many wait. */
  async verify(phc: string, password: Secret): Promise<boolean> {
    const [, memory, passes, lanes, salt, hash] =
      /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/.exec(phc) ?? [];
    if (salt === undefined || hash === undefined) {
      throw new HoldfastError('history.unavailable', {
        message: 'the password of a user is no hash that is known here',
      });
    }
    const cost = { memoryKib: Number(memory), passes: Number(passes), lanes: Number(lanes) };
    const found = await this.#derive(password, Buffer.from(salt, 'base64'), cost);
    return timingSafeEqual(found, Buffer.from(hash, 'base64'));
  }

  #format({ memoryKib, passes, lanes }: PasswordCost, salt: Uint8Array, hash: Uint8Array): string {
    return `$argon2id$v=19$m=${memoryKib},t=${passes},p=${lanes}$${toBase64(salt)}$${toBase64(hash)}`;
  }

  async #derive(password: Secret, salt: Uint8Array, cost: PasswordCost): Promise<Uint8Array> {
    if (this.#running >= triesAtOnce) {
      if (this.#waiting.length >= waitingTries)
        throw new HoldfastError('access.limited', { hint: 'try it again soon' });
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else this.#running++;
    try {
      return await derive('argon2id', {
        message: Buffer.from(
          password
            .reveal()
            .slice(0, maximumPasswordLength + 1)
            .normalize('NFC'),
          'utf8',
        ),
        nonce: salt,
        parallelism: cost.lanes,
        tagLength: hashSizeBytes,
        memory: cost.memoryKib,
        passes: cost.passes,
      });
    } finally {
      // A place goes to whoever waits the longest.
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }
}
