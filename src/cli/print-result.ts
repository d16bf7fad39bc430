import type { CommandContext } from './command-context.ts';
import { displayWidth, paint, printable } from './format-value.ts';

/** What a terminal may act on, and JSON leaves as it is: C1 controls, and what turns the direction of writing. */
const steering = /[\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}]/gu;

/** JSON that is safe to be shown on a terminal, and means the same. */
export function safeJson(value: object): string {
  return JSON.stringify(value).replace(steering, (character) =>
    [...Array(character.length).keys()]
      .map((index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`)
      .join(''),
  );
}

/** One JSON object, on one line of stdout. */
export function printJson(context: CommandContext, value: object): void {
  context.stdout.write(`${safeJson(value)}\n`);
}

/** Lines of a result, on stdout. */
export function printLines(context: CommandContext, lines: readonly string[]): void {
  context.stdout.write(lines.map((line) => `${line}\n`).join(''));
}

/** Something to know that is no result, on stderr. */
export function printNote(context: CommandContext, text: string): void {
  context.stderr.write(`holdfast: ${printable(text)}\n`);
}

/** Facts one below the other, the names in a column; a fact without a value is left out. */
export function formatFacts(context: CommandContext, facts: readonly (readonly [string, string])[]): string[] {
  const shown = facts.filter(([, value]) => value !== '');
  const width = Math.max(...shown.map(([name]) => name.length));
  return shown.map(([name, value]) => `  ${paint(context, context.stdout, 'dim', name.padEnd(width))}  ${value}`);
}

/** Rows with their columns one below the other; a column whose heading begins with `>` is set to the right. */
export function formatTable(
  context: CommandContext,
  headings: readonly string[],
  rows: readonly (readonly string[])[],
): string[] {
  const right = headings.map((heading) => heading.startsWith('>'));
  const head = headings.map((heading) => heading.replace(/^>/, ''));
  const widths = head.map((heading, column) =>
    rows.reduce((most, row) => Math.max(most, displayWidth(row[column] ?? '')), heading.length),
  );
  const line = (cells: readonly string[]) =>
    `  ${cells
      .map((cell, column) => {
        const gap = ' '.repeat(Math.max(0, (widths[column] ?? 0) - displayWidth(cell)));
        return right[column] ? gap + cell : cell + gap;
      })
      .join('  ')
      .trimEnd()}`;
  return [paint(context, context.stdout, 'dim', line(head)), ...rows.map(line)];
}
