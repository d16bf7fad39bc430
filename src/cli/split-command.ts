import { HoldfastError } from '../errors.ts';

const hint = 'for what a shell does, write it: sh -c "…"';

function refuse(message: string): never {
  throw new HoldfastError('usage.invalid', { message, hint });
}

/**
 * The words of a command line, for a program that is started without a shell. Quotes and backslashes work as in one; what only a
 * shell does is refused, since it would be taken for plain text.
 *
 * @example splitCommand("redis-cli --rdb -") // ['redis-cli', '--rdb', '-']
 */
export function splitCommand(line: string): readonly string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = '';
  for (let at = 0; at < line.length; at++) {
    const character = line.charAt(at);
    if (quote === '' && /\s/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (character === quote) {
      quote = '';
    } else if (quote === '' && (character === "'" || character === '"')) {
      quote = character;
      word ??= '';
    } else if (character === '\\' && quote !== "'" && (quote === '' || /["\\$`]/.test(line.charAt(at + 1)))) {
      at += 1;
      if (at >= line.length) refuse('a command ends with a backslash');
      word = (word ?? '') + line.charAt(at);
    } else {
      const isOfShell = quote === '' ? /[|&;<>()$`*?[\]{}~#]/ : quote === '"' && /[$`]/;
      if (isOfShell !== false && isOfShell.test(character)) {
        refuse(`${JSON.stringify(character)} in a command is for a shell, and none is used`);
      }
      word = (word ?? '') + character;
    }
  }
  if (quote !== '') refuse(`a quote (${quote}) in a command is not closed`);
  if (word !== undefined) words.push(word);
  if (words.length === 0) refuse('a command is empty');
  return words;
}

/** A name and what it stands for, as `name=value`. */
export function splitNamed(text: string, option: string): { readonly name: string; readonly value: string } {
  const [, name, value] = /^([^=/\0]+)=(.+)$/s.exec(text) ?? [];
  if (name !== undefined && value !== undefined) return { name, value };
  throw new HoldfastError('usage.invalid', {
    message: `${option} takes a name and a command`,
    hint: `such as ${option} 'cache=redis-cli --rdb -'`,
  });
}
