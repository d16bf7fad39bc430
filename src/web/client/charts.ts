import uPlot from 'uplot';
import { formatSize, formatSpan } from './number-format.ts';

type Kind = 'storage' | 'size' | 'duration';

interface Line {
  readonly name: string;
  /** Seconds since 1970, and the value; the oldest first. */
  readonly points: readonly (readonly [number, number])[];
}

type Lines = Readonly<Record<Kind, readonly Line[]>>;

const fetched = new Map<string, Promise<Lines>>();

async function fetchLines(source: string): Promise<Lines> {
  const response = await fetch(source, { headers: { accept: 'application/json' } });
  if (!response.ok) throw new Error(`${response.status}`);
  return response.json();
}

/** One column of times for all lines; where a line has none, nothing is drawn. */
function columnsOf(lines: readonly Line[]): uPlot.AlignedData {
  return uPlot.join(
    lines.map(({ points }): uPlot.AlignedData => [points.map(([time]) => time), points.map(([, value]) => value)]),
  );
}

function colour(element: Element, name: string): string {
  // A custom property is not resolved by itself; a colour that uses it is.
  const probe = document.createElement('span');
  probe.className = `probe ${name}`;
  element.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

const lineColours = ['line-1', 'line-2', 'line-3', 'line-4', 'line-5', 'line-6'] as const;

/** Where lines of the grid may stand: at round numbers of the unit that they are written in. */
const sizeSteps = Array.from({ length: 51 }, (_, power) => 2 ** power);
const durationSteps = [
  100, 200, 500, 1000, 2000, 5000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 900_000, 1_800_000,
  3_600_000, 7_200_000, 21_600_000, 43_200_000, 86_400_000,
];
const steps: Readonly<Record<Kind, number[]>> = { storage: sizeSteps, size: sizeSteps, duration: durationSteps };

function strokeOf(plot: uPlot, index: number): string {
  const { stroke } = plot.series[index] ?? {};
  const value = typeof stroke === 'function' ? stroke(plot, index) : stroke;
  return typeof value === 'string' ? value : '';
}

function options(figure: HTMLElement, kind: Kind, lines: readonly Line[], width: number): uPlot.Options {
  const format = kind === 'duration' ? formatSpan : formatSize;
  const text = colour(figure, 'axis-text');
  const grid = colour(figure, 'axis-grid');
  const axis = { stroke: text, font: '11px system-ui', ticks: { show: false }, grid: { stroke: grid, width: 1 } };
  return {
    width,
    height: 150,
    padding: [8, 4, 0, 0],
    cursor: { y: false, points: { size: 6 } },
    legend: { live: true, markers: { width: 0, fill: (plot, index) => strokeOf(plot, index) } },
    scales: { y: { range: (_, __, high) => [0, Math.max(1, (high ?? 1) * 1.08)] } },
    axes: [
      { ...axis, grid: { show: false }, space: 60 },
      { ...axis, size: 58, incrs: steps[kind], values: (_, splits) => splits.map((value) => format(value)) },
    ],
    series: [
      { label: '', value: (_, time) => (time === null ? '' : new Date(time * 1000).toLocaleDateString()) },
      ...lines.map(({ name, points }, index): uPlot.Series => {
        const stroke = colour(figure, lineColours[index % lineColours.length] ?? 'line-1');
        return {
          label: name,
          stroke,
          width: 1.5,
          spanGaps: true,
          points: { show: false },
          value: (_, value, __, at) => {
            // Where nothing is pointed at the newest value stands.
            const told = at === null ? points.at(-1)?.[1] : value;
            return told === null || told === undefined ? '–' : format(told);
          },
          ...(lines.length === 1 && { fill: stroke.replace('rgb(', 'rgba(').replace(')', ', 0.12)') }),
        };
      }),
    ],
  };
}

let frame: Promise<unknown> = Promise.resolve();

/** A frame of one's own, so that several charts never hold the page up at once. */
async function nextFrame(): Promise<void> {
  frame = frame.then(() => new Promise(requestAnimationFrame));
  await frame;
}

async function drawChart(figure: HTMLElement): Promise<void> {
  const { chart, source = '', empty = '' } = figure.dataset;
  const place = figure.querySelector('.plot');
  if (place === null) return;
  let lines = fetched.get(source);
  if (lines === undefined) {
    lines = fetchLines(source);
    fetched.set(source, lines);
  }
  const kind = chart as Kind;
  const drawn = (await lines)[kind].filter(({ points }) => points.length > 1);
  if (drawn.length === 0) {
    place.textContent = empty;
    return;
  }
  const data = columnsOf(drawn);
  let plot: uPlot | undefined;
  const render = () => {
    plot?.destroy();
    plot = new uPlot(options(figure, kind, drawn, place.clientWidth), data, place as HTMLElement);
  };
  await nextFrame();
  render();
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', render);
  new ResizeObserver(() => {
    if (plot !== undefined && plot.width !== place.clientWidth)
      plot.setSize({ width: place.clientWidth, height: plot.height });
  }).observe(place);
}

/** Charts that are nearly looked at are drawn. */
const margin = '800px';

/** Draws charts once they are looked at. */
export function drawCharts(figures: Iterable<Element>): void {
  const seen = new IntersectionObserver(
    (entries) => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting || !(target instanceof HTMLElement)) continue;
        seen.unobserve(target);
        drawChart(target).catch(() => {
          target.querySelector('.plot')?.append(target.dataset['empty'] ?? '');
        });
      }
    },
    { rootMargin: margin },
  );
  for (const figure of figures) seen.observe(figure);
}
