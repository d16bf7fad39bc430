/** What each cell of a block map is called in the legend. */
export const stateNames: Readonly<Record<string, string>> = {
  '.': 'unread',
  '=': 'good',
  '~': 'healed',
  '+': 'damaged',
  '#': 'lost',
};

/** Colours come from the legend, so that they stand in the style sheet alone. */
function legendColour(name: string): string {
  const swatch = document.querySelector(`.swatch.${name}`);
  return swatch === null ? '#888888' : getComputedStyle(swatch).backgroundColor;
}

/** Cells are seen, and hit, down to this width; few of them are not drawn larger than that. */
const leastSize = 4;
const mostSize = 14;
/** A drawing of many cells is about so high. */
const wantedHeight = 110;

/** As many columns as make the drawing wide and low. Drawings of one width and count have as many, so that their rows line up. */
function columnsFor(width: number, count: number): number {
  const size = Math.min(mostSize, Math.max(leastSize, Math.sqrt((width * wantedHeight) / count)));
  return Math.max(8, Math.floor(width / size / 8) * 8);
}

/** Draws the cells of a copy; damage is drawn over the whole cell, so that one bad block of many is seen. */
export function drawCells(canvas: HTMLCanvasElement): void {
  const { cells = '', parity = '' } = canvas.dataset;
  const width = canvas.clientWidth;
  const context = canvas.getContext('2d');
  if (context === null || width === 0 || cells === '') return;
  const columns = columnsFor(width, cells.length);
  const size = width / columns;
  const scale = window.devicePixelRatio;
  canvas.dataset['columns'] = String(columns);
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(Math.ceil(cells.length / columns) * size * scale);
  context.scale(scale, scale);
  const colours = new Map(Object.entries(stateNames).map(([state, name]) => [state, legendColour(name)]));
  const parityColour = legendColour('parity');
  const side = size - Math.max(0.75, Math.min(2, size / 5));
  let last = '';
  for (let index = 0; index < cells.length; index++) {
    const state = cells[index] ?? '.';
    const left = (index % columns) * size;
    const top = Math.floor(index / columns) * size;
    if (state !== last) context.fillStyle = colours.get(state) ?? parityColour;
    last = state;
    context.fillRect(left, top, side, side);
    const share = Number(parity[index] ?? 0) / 9;
    if (state !== '=' || share === 0) continue;
    context.fillStyle = parityColour;
    last = '';
    const height = share > 0.9 ? side : Math.max(1, side * share);
    context.fillRect(left, top + side - height, side, height);
  }
}
