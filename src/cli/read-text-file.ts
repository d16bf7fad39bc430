import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { HoldfastError } from '../errors.ts';

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'it does not exist',
  EACCES: 'access was denied',
  EISDIR: 'it is a folder',
};

/** Reads a small text file that the command line names, or with `-` what comes in; `what` says which for the error. Throws `usage.invalid`. */
export async function readTextFile(path: string, what: string): Promise<string> {
  try {
    return path === '-' ? await text(process.stdin) : await readFile(path, 'utf8');
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new HoldfastError('usage.invalid', {
      message: `the ${what} ${path} cannot be read: ${reasons[code ?? ''] ?? message}`,
      hint: 'check the path and its permissions',
      context: { path },
      cause,
    });
  }
}

/** The lines of a text that say something: without blank ones and `#` comments. */
export function meaningfulLines(text: string): { line: string; lineNumber: number }[] {
  return text
    .split('\n')
    .map((line, index) => ({ line: line.trim(), lineNumber: index + 1 }))
    .filter(({ line }) => line !== '' && !line.startsWith('#'));
}
