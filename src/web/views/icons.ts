import { html, raw } from 'hono/html';
import type { Markup } from './markup.ts';

/** Strokes on a grid of 16. */
const strokes = {
  overview: 'M2.5 9.5 8 3l5.5 6.5M4 8v5.5h8V8',
  archives: 'M2.5 3h11v3h-11zM3.5 6v7h9V6M6.5 8.5h3',
  backup: 'M8 10V2.5M5 5.5l3-3 3 3M2.5 10v3.5h11V10',
  restore: 'M3 3.5v3h3M3.2 6.5A5.2 5.2 0 1 1 3 9.6M8 5.5V8l2 1.5',
  runs: 'M2.5 4h11M2.5 8h7M2.5 12h9',
  settings: 'M2.5 5h6M11.5 5h2M10 3.5v3M2.5 11h2M7.5 11h6M6 9.5v3',
  download: 'M8 2.5V10M5 7l3 3 3-3M2.5 10v3.5h11V10',
  pin: 'M5.5 2.5h5l-.7 4 2.2 2.5H4L6.2 6.5zM8 9v4.5',
  check: 'm3.5 8.5 3 3 6-7',
  warning: 'M8 2.5 14 13H2zM8 6.5v3M8 11.2v.3',
  cross: 'm4.5 4.5 7 7m0-7-7 7',
  question: 'M6 6a2 2 0 1 1 2.6 1.9c-.4.2-.6.5-.6 1v.4M8 11.4v.3',
  clock: 'M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11M8 5v3l2 1.5',
  key: 'M5.5 7.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5m1.8.7L13 2.5M10.5 5l2 2',
} as const;

/** The name of an icon. */
export type IconName = keyof typeof strokes;

/** An icon beside words that say the same: it is hidden from screen readers. */
export function icon(name: IconName): Markup {
  return html`<svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false"><path d="${raw(strokes[name])}" /></svg>`;
}

/** The sign of Holdfast: a block map of which one block was healed. */
export function mark(): Markup {
  return html`<svg class="mark" viewBox="0 0 20 20" width="20" height="20" aria-hidden="true" focusable="false">
    <rect x="1" y="1" width="8" height="8" rx="2" /><rect x="11" y="1" width="8" height="8" rx="2" />
    <rect x="1" y="11" width="8" height="8" rx="2" /><rect class="healed" x="11" y="11" width="8" height="8" rx="2" />
  </svg>`;
}
