import { type Kind, kinds } from './curves.ts';
import type { Curves } from './measure-curves.ts';

/** Size of one panel, and what is around it. */
const panel = { width: 400, height: 210, left: 52, top: 42, right: 18, bottom: 40 };
const columns = 2;
const outer = { width: panel.left + panel.width + panel.right, height: panel.top + panel.height + panel.bottom };
const legendHeight = 118;
const legendColumns = 3;

/** Told apart by anybody, on white and on black; peers are dashed. */
const strokes: Readonly<Record<string, { readonly colour: string; readonly dash?: string; readonly width?: number }>> =
  {
    'copy-1': { colour: '#7fb3d5' },
    'copy-1-parity-48': { colour: '#2f6f9f' },
    'copy-2': { colour: '#1f9d63', width: 3 },
    'copy-2-parity-32': { colour: '#0b6b40' },
    'storage-2-copy-1': { colour: '#b48ad6' },
    'storage-2-copy-2': { colour: '#7a3fb0' },
    'par2-1 copy': { colour: '#e0a030', dash: '6 3' },
    'par2-2 copies': { colour: '#b5651d', dash: '6 3' },
    restic: { colour: '#d64545', dash: '2 3' },
    borg: { colour: '#d67ab1', dash: '2 3' },
  };

/** The curves as a picture: a panel for each kind of damage, the share of trials in which all bytes came back over the amount. */
export function survivalPlot(curves: Curves): string {
  const rows = Math.ceil(kinds.length / columns);
  const width = outer.width * columns;
  const height = outer.height * rows + legendHeight;
  const panels = kinds.map((kind, index) => {
    const x = (index % columns) * outer.width + panel.left;
    const y = Math.floor(index / columns) * outer.height + panel.top;
    return `<g transform="translate(${x} ${y})">\n${panelOf(kind, curves)}\n</g>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="ui-sans-serif, sans-serif" font-size="12" fill="#7a7f87" role="img" aria-label="How often all bytes come back, by kind and amount of damage">
${panels.join('\n')}
<g transform="translate(${panel.left} ${outer.height * rows + 18})">
${legend(curves, width - panel.left)}
</g>
</svg>
`;
}

function panelOf(kind: Kind, curves: Curves): string {
  const x = scaleOf(kind);
  const y = (share: number) => panel.height * (1 - share);
  const lines = [
    `<text x="0" y="-16" font-weight="bold" font-size="13">${kind.title}</text>`,
    ...[0, 0.25, 0.5, 0.75, 1].map((share) => {
      const at = y(share).toFixed(1);
      const line = `<path d="M0 ${at}H${panel.width}" stroke="#9aa0a8" stroke-opacity="0.3"/>`;
      return `${line}<text x="-8" y="${(y(share) + 4).toFixed(1)}" text-anchor="end">${share * 100} %</text>`;
    }),
    ...x.ticks.map(({ amount, text }) => {
      const at = x.of(amount).toFixed(1);
      return `<text x="${at}" y="${panel.height + 18}" text-anchor="middle">${text}</text>`;
    }),
  ];
  // What is most usual is drawn last, so that nothing lies on it.
  const sorted = [...curves.contenders].sort((one, other) => Number(isUsual(one.name)) - Number(isUsual(other.name)));
  for (const { name } of sorted) lines.push(curveOf(kind, name, curves, x.of, y));
  return lines.join('\n');
}

function isUsual(name: string): boolean {
  return name === 'copy-2';
}

function curveOf(
  kind: Kind,
  contender: string,
  { points }: Curves,
  x: (amount: number) => number,
  y: (share: number) => number,
): string {
  const own = points
    .filter((point) => point.contender === contender && point.kind === kind.name)
    .sort((one, other) => one.amount - other.amount);
  const { colour, dash, width = 1.8 } = strokes[contender] ?? { colour: '#888888' };
  const start = kind.isLogarithmic ? [] : [`0 ${y(1).toFixed(1)}`];
  const places = own.map(({ amount, recovered, trials }) => {
    return `${x(amount).toFixed(1)} ${y(recovered / trials).toFixed(1)}`;
  });
  const dashes = dash === undefined ? '' : ` stroke-dasharray="${dash}"`;
  return `<path d="M${[...start, ...places].join('L')}" fill="none" stroke="${colour}" stroke-width="${width}"${dashes} stroke-linejoin="round"/>`;
}

interface Scale {
  readonly of: (amount: number) => number;
  readonly ticks: readonly { readonly amount: number; readonly text: string }[];
}

function scaleOf({ amounts, isLogarithmic }: Kind): Scale {
  const last = amounts.at(-1) ?? 1;
  if (!isLogarithmic) {
    const steps = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7].filter((amount) => amount <= last);
    return {
      of: (amount) => (amount / last) * panel.width,
      ticks: steps.map((amount) => ({ amount, text: `${Math.round(amount * 100)} %` })),
    };
  }
  const first = amounts[0] ?? 1e-6;
  const span = Math.log(last / first);
  const whole = [1e6, 1e5, 1e4, 1000, 100].map((count) => ({ amount: 1 / count, text: `1 in ${inWords(count)}` }));
  return { of: (amount) => (Math.log(amount / first) / span) * panel.width, ticks: whole };
}

function inWords(count: number): string {
  if (count >= 1e6) return `${count / 1e6} M`;
  return count >= 1e4 ? `${count / 1000}k` : String(count);
}

function legend({ contenders }: Curves, width: number): string {
  const step = width / legendColumns;
  return contenders
    .map(({ name, label, sizeBytes }, index) => {
      const { colour, dash, width: stroke = 1.8 } = strokes[name] ?? { colour: '#888888' };
      const x = Math.floor(index / 4) * step;
      const y = (index % 4) * 24;
      const dashes = dash === undefined ? '' : ` stroke-dasharray="${dash}"`;
      const line = `<path d="M${x} ${y - 4}h28" stroke="${colour}" stroke-width="${stroke}"${dashes}/>`;
      return `${line}<text x="${x + 36}" y="${y}">${label}: ${(sizeBytes / 1e6).toFixed(2)} MB</text>`;
    })
    .join('\n');
}
