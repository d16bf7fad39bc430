import htmx from 'htmx.org';

/** Colours come from the legend, so that they stand in the style sheet alone. */
function legendColour(name: string): string {
  const swatch = document.querySelector(`.swatch.${name}`);
  return swatch === null ? '#888888' : getComputedStyle(swatch).backgroundColor;
}

const gapSize = 2;

interface Grid {
  readonly columns: number;
  readonly rows: number;
  readonly size: number;
}

/** Whole rows of 64 where they fit, of 32 on a phone. */
function gridFor(width: number, count: number): Grid {
  const columns = width >= 560 ? 64 : 32;
  return { columns, rows: Math.ceil(count / columns), size: width / columns };
}

/** How much of the archive a reading has passed, by the figure that it is drawn in. */
const passed = new WeakMap<HTMLCanvasElement, number>();

function draw(canvas: HTMLCanvasElement): void {
  const { cells = '', parity = '' } = canvas.dataset;
  const width = canvas.clientWidth;
  const context = canvas.getContext('2d');
  if (context === null || width === 0 || cells === '') return;
  const { columns, rows, size } = gridFor(width, cells.length);
  const scale = window.devicePixelRatio;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(rows * size * scale);
  context.scale(scale, scale);
  const colours = { '=': legendColour('good'), '+': legendColour('healed'), '#': legendColour('lost') };
  const parityColour = legendColour('parity');
  const read = (passed.get(canvas) ?? 1) * cells.length;
  for (const [index, state] of [...cells].entries()) {
    const left = (index % columns) * size;
    const top = Math.floor(index / columns) * size;
    const side = size - gapSize;
    context.globalAlpha = index < read ? 1 : 0.35;
    context.fillStyle = colours[state as keyof typeof colours] ?? parityColour;
    context.fillRect(left, top, side, side);
    const share = Number(parity[index] ?? 0) / 9;
    if (state !== '=' || share === 0) continue;
    context.fillStyle = parityColour;
    const height = share > 0.9 ? side : Math.max(1, side * share);
    context.fillRect(left, top + side - height, side, height);
  }
}

const canvases = new Set<HTMLCanvasElement>();
const sizes = new ResizeObserver((entries) => {
  for (const { target } of entries) if (target instanceof HTMLCanvasElement) draw(target);
});
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  for (const canvas of canvases) draw(canvas);
});

/** Draws the block maps of a part of the page, and follows what reads the blocks now. */
export function drawBlockMaps(root: ParentNode): void {
  for (const canvas of canvases) if (!canvas.isConnected) canvases.delete(canvas);
  for (const canvas of root.querySelectorAll('canvas[data-cells]')) {
    if (!(canvas instanceof HTMLCanvasElement) || canvases.has(canvas)) continue;
    canvases.add(canvas);
    sizes.observe(canvas);
  }
  for (const note of root.querySelectorAll('[data-map-job]')) if (note instanceof HTMLElement) followReading(note);
}

interface Reading {
  readonly doneBytes: number;
  readonly totalBytes: number;
  readonly parts: readonly {
    readonly name: string;
    readonly doneBytes: number;
    readonly totalBytes: number;
    readonly isDone: boolean;
  }[];
}

/** The share of this archive that was read: by its own part, where several archives are read. */
function shareRead({ doneBytes, totalBytes, parts }: Reading, name: string): number {
  const own = parts.findLast((part) => part.name.includes(name));
  const { doneBytes: done, totalBytes: total } = own ?? { doneBytes, totalBytes };
  return own?.isDone === true || total === 0 ? 1 : done / total;
}

function followReading(note: HTMLElement): void {
  const { mapJob, name = '' } = note.dataset;
  if (mapJob === undefined) return;
  note.removeAttribute('data-map-job');
  const events = new EventSource(mapJob);
  const reload = () => void htmx.ajax('GET', location.href, { target: '#maps', select: '#maps', swap: 'outerHTML' });
  events.addEventListener('progress', ({ data }: MessageEvent<string>) => {
    const share = shareRead(JSON.parse(data), name);
    for (const canvas of canvases) {
      passed.set(canvas, share);
      draw(canvas);
    }
  });
  events.addEventListener('ended', () => {
    events.close();
    reload();
  });
}
