import type { CommandContext } from './command-context.ts';
import { type Paint, paint } from './format-value.ts';

interface Cell {
  readonly shown: string;
  readonly colour: Paint;
  readonly meaning: string;
}

/** How each cell of a map is drawn; told apart without colours too. */
const cells: Readonly<Record<string, Cell>> = {
  '=': { shown: '█', colour: 'green', meaning: 'whole' },
  '+': { shown: '▒', colour: 'yellow', meaning: 'damaged, healable' },
  '#': { shown: '×', colour: 'red', meaning: 'lost' },
};
const unknownCell: Cell = { shown: '?', colour: 'dim', meaning: 'not known' };

const cellsPerLine = 64;

function drawRun(line: string, context: CommandContext): string {
  return line.replace(/(.)\1*/gsu, (run: string) => {
    const cell = cells[run.charAt(0)] ?? unknownCell;
    return paint(context, context.stdout, cell.colour, cell.shown.repeat(run.length));
  });
}

/** Draws where an archive is damaged: a row of cells for each copy, from its start to its end, and what they mean. */
export function formatBlockMap(
  map: readonly { readonly copy: number; readonly cells: string }[],
  context: CommandContext,
): string[] {
  const lines = map.flatMap(({ copy, cells: states }) => {
    const rows = states.match(new RegExp(`.{1,${cellsPerLine}}`, 'gsu')) ?? [];
    return rows.map((row, index) => `  ${(index === 0 ? `copy ${copy + 1}` : '').padEnd(7)} ${drawRun(row, context)}`);
  });
  const present = new Set(map.flatMap((row) => [...row.cells]));
  const legend = Object.entries(cells)
    .filter(([state]) => present.has(state))
    .map(([, cell]) => `${paint(context, context.stdout, cell.colour, cell.shown)} ${cell.meaning}`);
  return legend.length === 0 ? lines : [...lines, `  ${' '.repeat(8)}${legend.join('   ')}`];
}
