/** One step of a transcript: a command and all that it must show. */
export interface Step {
  readonly lineNumber: number;
  readonly words: readonly string[];
  readonly exitCode: number;
  readonly stdout: readonly string[];
  readonly stderr: readonly string[];
}

/** Splits a command line as a shell does: by blanks, with single and double quotes; nothing is expanded. */
export function splitWords(line: string): string[] {
  const words = line.match(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g) ?? [];
  return words.map((word) => word.replace(/'([^']*)'|"([^"]*)"/g, '$1$2'));
}

/**
 * Reads a transcript. Its lines begin with `$ ` (a command), `= ` (its exit code, 0 unless given), `> ` (a line of its stdout),
 * `! ` (a line of its stderr) or `#` (a comment).
 */
export function parseTranscript(text: string): Step[] {
  const steps: { lineNumber: number; words: string[]; exitCode: number; stdout: string[]; stderr: string[] }[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (line === '' || line.startsWith('#')) continue;
    const mark = line.charAt(0);
    const rest = line.slice(2);
    const step = steps.at(-1);
    if (mark === '$')
      steps.push({ lineNumber: index + 1, words: splitWords(rest), exitCode: 0, stdout: [], stderr: [] });
    else if (mark === '=' && step) step.exitCode = Number(rest);
    else if (mark === '>' && step) step.stdout.push(rest);
    else if (mark === '!' && step) step.stderr.push(rest);
    else throw new Error(`line ${index + 1} of the transcript is not understood: ${line}`);
  }
  return steps;
}

/** What an output must match: `…` stands for any text of a line, a line of only `…` for any lines. */
export function outputPattern(lines: readonly string[]): RegExp {
  const pattern = lines.map((line) => {
    if (line === '…') return '(?:[^\\n]*\\n)*?';
    return `${line.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&').replaceAll('…', '[^\\n]*?')}\\n`;
  });
  return new RegExp(`^${pattern.join('')}$`);
}
