import { StringDecoder } from 'node:string_decoder';
import { HoldfastError, throwIfAborted } from '../errors.ts';
import { Secret } from '../secret.ts';
import type { CommandContext, Terminal } from './command-context.ts';

interface Question {
  readonly text: string;
  /** Whether what is typed can be seen. */
  readonly visible: boolean;
  readonly signal: AbortSignal;
}

/** A line as it is typed: what each key does to it. */
class TypedLine {
  readonly #characters: string[] = [];

  get text(): string {
    return this.#characters.join('');
  }

  /** Takes one key: `done` ends the line, `interrupted` the program. */
  press(key: string): 'typed' | 'ignored' | 'done' | 'interrupted' {
    if (key === '\r' || key === '\n') return 'done';
    if (key === '\u0003') return 'interrupted';
    if (key === '\u0004') return this.#characters.length === 0 ? 'interrupted' : 'done';
    if (key === '\u007f' || key === '\b') this.#characters.pop();
    else if (key === '\u0015') this.#characters.length = 0;
    else if (key < ' ') return 'ignored';
    else this.#characters.push(key);
    return 'typed';
  }
}

const escapeKey = String.fromCharCode(27);
// A cursor or function key sends a sequence that begins with ESC: none of it belongs to the text.
const keyPattern = new RegExp(`${escapeKey}(?:[[O][0-9;]*[A-Za-z~])?|.`, 'gsu');

/** Asks for a line. Throws `operation.interrupted` for Ctrl-C, an end of input or an aborted signal. */
function askLine(terminal: Terminal, question: Question): Promise<string> {
  throwIfAborted(question.signal);
  const { input, output } = terminal;
  const line = new TypedLine();
  const decoder = new StringDecoder('utf8');
  output.write(question.text);
  input.setRawMode?.(true);
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const draw = () => output.write(`\r${question.text}${line.text}\x1b[K`);
  const interrupt = () => reject(new HoldfastError('operation.interrupted'));
  const onData = (chunk: Buffer | string) => {
    const keys = (typeof chunk === 'string' ? chunk : decoder.write(chunk)).match(keyPattern) ?? [];
    for (const [index, key] of keys.entries()) {
      const result = line.press(key);
      if (result === 'typed' && question.visible) draw();
      if (result === 'interrupted') return interrupt();
      if (result !== 'done') continue;
      const rest = keys.slice(index + 1).join('');
      input.pause();
      // A paste may hold the next answer as well.
      if (rest !== '') input.unshift(Buffer.from(rest));
      return resolve(line.text);
    }
  };
  const onEnd = () => interrupt();
  input.on('data', onData).once('end', onEnd).once('error', reject);
  question.signal.addEventListener('abort', interrupt, { once: true });
  input.resume();
  return promise.finally(() => {
    input.off('data', onData).off('end', onEnd).off('error', reject);
    question.signal.removeEventListener('abort', interrupt);
    input.pause();
    input.setRawMode?.(false);
    output.write('\n');
  });
}

/** Asks for a passphrase without showing it. */
export async function askPassphrase(terminal: Terminal, label: string, signal: AbortSignal): Promise<Secret> {
  const text = await askLine(terminal, { text: `${label}: `, visible: false, signal });
  if (text === '') throw new HoldfastError('key.invalid', { message: 'the passphrase is empty', hint: 'type one' });
  return new Secret(text);
}

/** Asks for a new passphrase twice: a typing error would make a backup that nobody can open. */
export async function askNewPassphrase(terminal: Terminal, label: string, signal: AbortSignal): Promise<Secret> {
  const first = await askPassphrase(terminal, label, signal);
  const second = await askPassphrase(terminal, `${label}, again`, signal);
  if (first.reveal() === second.reveal()) return first;
  throw new HoldfastError('key.invalid', { message: 'the two passphrases differ', hint: 'run it again' });
}

/** Asks a question whose answer is no unless it is yes. */
export async function askYes(terminal: Terminal, question: string, signal: AbortSignal): Promise<boolean> {
  const answer = await askLine(terminal, { text: `${question} [y/N] `, visible: true, signal });
  return /^y(es)?$/i.test(answer.trim());
}

/** The terminal for a question that `--yes` would answer. Throws `usage.invalid` where nobody sits. */
export function terminalForQuestion(context: CommandContext, what: string): Terminal {
  const terminal = context.openTerminal();
  if (terminal !== undefined) return terminal;
  throw new HoldfastError('usage.invalid', {
    message: `${what} has to be confirmed, and there is no terminal to ask on`,
    hint: 'see what it would do with --dry-run, then give --yes',
  });
}
