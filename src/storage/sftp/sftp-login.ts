import type { AnyAuthMethod, AuthHandlerMiddleware, ParsedKey, Prompt, utils } from 'ssh2';
import { HoldfastError } from '../../errors.ts';
import type { Secret } from '../../secret.ts';
import { fingerprint } from './known-hosts.ts';

/** How a user proves who they are; each way that is given is tried, in this order. */
export interface SftpLogin {
  readonly user: string;
  /** A private key as text, of OpenSSH, PEM or PuTTY. `name` is for people: its path. */
  readonly key?: { readonly text: Secret; readonly name: string } | undefined;
  readonly passphrase?: Secret | undefined;
  /** The socket of an ssh-agent. */
  readonly agent?: string | undefined;
  readonly password?: Secret | undefined;
  /** Gives the password to a server that asks for it by a prompt (keyboard-interactive). */
  readonly interactive?: boolean | undefined;
}

/** Reads the private key. Throws `storage.credentials`. */
export function parsePrivateKey(login: SftpLogin, parseKey: typeof utils.parseKey): ParsedKey | undefined {
  const { key, passphrase } = login;
  if (key === undefined) return undefined;
  const refuse = (reason: string, hint: string, cause?: unknown) =>
    new HoldfastError('storage.credentials', {
      message: `the key ${key.name}: ${reason}`,
      hint,
      context: { key: key.name },
      cause,
    });
  const parsed: ParsedKey | ParsedKey[] | Error = parseKey(key.text.reveal(), passphrase?.reveal());
  if (parsed instanceof Error) {
    if (/no passphrase/.test(parsed.message)) throw refuse('it has a passphrase', 'set `passphrase`', parsed);
    if (passphrase !== undefined && /bad passphrase|decrypt|integrity/i.test(parsed.message)) {
      throw refuse('the passphrase does not open it', 'check `passphrase`', parsed);
    }
    const hint = 'give a private key of OpenSSH, PEM or PuTTY, or the path of its file';
    throw refuse(`it cannot be read: ${parsed.message}`, hint, parsed);
  }
  const [first] = [parsed].flat();
  if (first?.isPrivateKey() !== true) throw refuse('it is not a private key', 'give the file without `.pub`');
  return first;
}

/** One log-in: what is tried, and what came of it. */
export class LoginAttempt {
  readonly #login: SftpLogin;
  readonly #place: string;
  /** Not tried yet. */
  readonly #ways: { readonly method: AnyAuthMethod; readonly shown: string }[] = [];
  readonly #tried: string[] = [];
  #accepted: readonly string[] = [];
  #unanswered: string | undefined;
  #hasAnswered = false;
  /** Why the agent could not help. */
  agentFailure: string | undefined;

  constructor(login: SftpLogin, key: ParsedKey | undefined, place: string) {
    this.#login = login;
    this.#place = place;
    const { user: username, agent, password, interactive } = login;
    const add = (shown: string, method: AnyAuthMethod) => this.#ways.push({ method, shown });
    if (key !== undefined) {
      const shown = `the key ${login.key?.name ?? ''} (${fingerprint(key.getPublicSSH())})`;
      add(shown, { type: 'publickey', username, key });
    }
    if (agent !== undefined) add('the keys of the agent', { type: 'agent', username, agent });
    if (password === undefined) return;
    // The library keeps what it is given as long as the attempt; the attempt ends with the handshake.
    add('the password', { type: 'password', username, password: password.reveal() });
    if (interactive !== true) return;
    const prompt = (
      _name: string,
      _instructions: string,
      _language: string,
      prompts: Prompt[],
      finish: (answers: string[]) => void,
    ) => finish(this.#answer(prompts));
    add('the password at a prompt', { type: 'keyboard-interactive', username, prompt });
  }

  get user(): string {
    return this.#login.user;
  }

  /** Chooses the next way, among those that the server takes. */
  readonly choose: AuthHandlerMiddleware = (accepted: readonly string[] | null, _partial, next) => {
    // At first it is not known what the server takes.
    if (accepted !== null) this.#accepted = accepted;
    const isTaken = (type: string) => accepted === null || accepted.includes(type === 'agent' ? 'publickey' : type);
    const index = this.#ways.findIndex(({ method }) => isTaken(method.type));
    const [way] = index < 0 ? [] : this.#ways.splice(index, 1);
    if (way !== undefined) this.#tried.push(way.shown);
    (next as (method: AnyAuthMethod | false) => void)(way?.method ?? false);
  };

  /** Answers one hidden prompt, once: anything else wants a person. */
  #answer(prompts: readonly Prompt[]): string[] {
    const [only] = prompts;
    if (only === undefined) return [];
    const { password } = this.#login;
    if (prompts.length > 1 || only.echo === true || this.#hasAnswered || password === undefined) {
      this.#unanswered = prompts.map(({ prompt }) => prompt.trim()).join(', ');
      return [];
    }
    this.#hasAnswered = true;
    return [password.reveal()];
  }

  /** The error for a log-in that was refused. */
  refusal(cause: unknown): HoldfastError {
    const { user } = this.#login;
    const takes = this.#accepted.length > 0 ? `; the server takes ${this.#accepted.join(', ')}` : '';
    const tried = this.#tried.length > 0 ? `it was tried with ${this.#tried.join(', ')}` : 'nothing could be tried';
    const agent = this.agentFailure === undefined ? '' : `; the agent: ${this.agentFailure}`;
    const prompts = this.#unanswered === undefined ? '' : `; it asked ${JSON.stringify(this.#unanswered)}`;
    return new HoldfastError('storage.credentials', {
      message: `${this.#place}: the server refused the user ${user}: ${tried}${takes}${agent}${prompts}`,
      hint: this.#hint(),
      context: { user, accepted: this.#accepted },
      cause,
    });
  }

  #hint(): string {
    const { password, interactive, key, agent } = this.#login;
    if (this.#unanswered !== undefined) return 'this log-in needs a person: use a key instead';
    if (password !== undefined && interactive !== true && this.#accepted.includes('keyboard-interactive')) {
      return 'this server asks for the password by a prompt: set `interactive: true`, or check user and password';
    }
    if (key === undefined && agent === undefined && !this.#accepted.includes('password')) {
      return 'this server takes no password: set `key`';
    }
    if (key !== undefined) return "check `user`, and that the key's public half is in the authorized_keys of this user";
    return 'check `user` and the password or the keys of the agent';
  }
}
