import htmx from 'htmx.org';
import { drawCells, stateNames } from './draw-cells.ts';

const canvases = new Set<HTMLCanvasElement>();
const sizes = new ResizeObserver((entries) => {
  for (const { target } of entries) if (target instanceof HTMLCanvasElement) drawCells(target);
});
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  for (const canvas of canvases) drawCells(canvas);
});

/** Draws the block maps of a part of the page, and follows what reads the blocks now. */
export function drawBlockMaps(root: ParentNode): void {
  for (const canvas of canvases) if (!canvas.isConnected) canvases.delete(canvas);
  for (const canvas of root.querySelectorAll('canvas[data-cells]')) {
    if (!(canvas instanceof HTMLCanvasElement) || canvases.has(canvas)) continue;
    canvases.add(canvas);
    sizes.observe(canvas);
    canvas.addEventListener('pointermove', explainCell);
  }
  for (const note of root.querySelectorAll('[data-map-blocks]')) if (note instanceof HTMLElement) followReading(note);
}

/** Which blocks a cell stands for, in the words of the legend. */
function explainCell({ currentTarget, offsetX, offsetY }: PointerEvent): void {
  if (!(currentTarget instanceof HTMLCanvasElement)) return;
  const { cells = '', columns = '1' } = currentTarget.dataset;
  const size = currentTarget.clientWidth / Number(columns);
  const index = Math.floor(offsetY / size) * Number(columns) + Math.floor(offsetX / size);
  const state = cells[index];
  currentTarget.title = state === undefined ? '' : cellWords(currentTarget, index, stateNames[state] ?? '');
}

function cellWords({ dataset }: HTMLCanvasElement, index: number, state: string): string {
  const { cells = '', blocks = '0' } = dataset;
  const perCell = Number(blocks) / cells.length;
  const first = Math.ceil(index * perCell);
  const last = Math.ceil((index + 1) * perCell) - 1;
  const word = document.querySelector(`.legend .swatch.${state}`)?.parentElement?.textContent ?? '';
  return `${first === last ? first : `${first} – ${last}`}: ${word.trim()}`;
}

interface BlockEvent {
  readonly storage: string;
  readonly changes: readonly { readonly copy: number; readonly from: number; readonly cells: string }[];
  /** Each copy, and all of them, in words. */
  readonly copies: readonly string[];
  readonly counts: string;
}

function say(element: Element | null | undefined, text: string): void {
  if (element) element.textContent = text;
}

/** Takes in what is new; false where the page has no drawing of it yet. */
function take({ storage, changes, copies, counts }: BlockEvent): boolean {
  const place = document.querySelector(`[data-storage="${CSS.escape(storage)}"]`);
  for (const { copy, from, cells } of changes) {
    const canvas = place?.querySelector(`canvas[data-copy="${copy}"]`);
    if (!(canvas instanceof HTMLCanvasElement)) return false;
    const before = canvas.dataset['cells'] ?? '';
    // Another outline than the one that is drawn.
    if (from + cells.length > before.length || (from === 0 && cells.length < before.length && cells.includes('.')))
      return false;
    canvas.dataset['cells'] = before.slice(0, from) + cells + before.slice(from + cells.length);
    drawCells(canvas);
    say(canvas.parentElement?.querySelector('[data-words]'), copies[copy] ?? '');
  }
  say(place?.querySelector('[data-counts]'), counts);
  return place !== null;
}

function followReading(note: HTMLElement): void {
  const { mapBlocks } = note.dataset;
  if (mapBlocks === undefined) return;
  note.removeAttribute('data-map-blocks');
  const events = new EventSource(mapBlocks);
  const renew = (part: string) => htmx.ajax('GET', location.href, { target: part, select: part, swap: 'outerHTML' });
  const reload = () => {
    events.close();
    void renew('#maps');
  };
  events.addEventListener('blocks', ({ data }: MessageEvent<string>) => {
    if (!take(JSON.parse(data))) reload();
  });
  events.addEventListener('ended', () => {
    reload();
    void renew('#archive-jobs');
  });
}
