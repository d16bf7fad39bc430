/** Dots of a Braille character in the order of its bits: left column down, right column down. */
const dotsPerCell = 8;
const firstBraille = 0x2800;

/** A piece of the map: which of its dots are damaged, and whether most of it is gone. */
export interface MapCell {
  /** Bits 0 to 7: a dot each, set where at least one of its blocks is damaged. */
  readonly dots: number;
  readonly gone: boolean;
}

/** Judges blocks (0 whole, 1 damaged, 2 gone) in dots of `blocksPerDot`, eight dots a cell. */
export function mapCells(states: Uint8Array, blocksPerDot: number): MapCell[] {
  const cells: MapCell[] = [];
  const blocksPerCell = blocksPerDot * dotsPerCell;
  for (let first = 0; first < states.length; first += blocksPerCell) {
    const blocks = states.subarray(first, first + blocksPerCell);
    let dots = 0;
    for (let dot = 0; dot < dotsPerCell; dot += 1) {
      const part = blocks.subarray(dot * blocksPerDot, (dot + 1) * blocksPerDot);
      if (part.some((state) => state !== 0)) dots |= 1 << dot;
    }
    cells.push({ dots, gone: blocks.filter((state) => state === 2).length * 2 > blocks.length });
  }
  return cells;
}

/** Draws cells as lines of `widthCells` characters; what is gone in red, single damaged blocks in yellow. */
export function drawMap(cells: readonly MapCell[], options: { widthCells: number; colour: boolean }): string[] {
  const lines: string[] = [];
  for (let first = 0; first < cells.length; first += options.widthCells) {
    let line = '';
    let gone: boolean | undefined;
    for (const cell of cells.slice(first, first + options.widthCells)) {
      if (options.colour && cell.gone !== gone) line += cell.gone ? '\x1b[31m' : '\x1b[33m';
      gone = cell.gone;
      line += String.fromCodePoint(firstBraille + cell.dots);
    }
    lines.push(options.colour ? `${line}\x1b[0m` : line);
  }
  return lines;
}
