import { html } from 'hono/html';
import { overviewTexts as texts } from '../texts/overview-texts.ts';
import { type Markup, shown } from './markup.ts';

/** Bytes of the last backups as a line, without axes: it says whether they grow, and `text` says so too. */
export function sparkline(values: readonly number[], text: string): Markup {
  if (values.length < 2) return html``;
  const low = Math.min(...values);
  const high = Math.max(...values);
  const step = 60 / (values.length - 1);
  // A change of less than a tenth is drawn as nearly flat, so that noise does not look like news.
  const range = Math.max(high - low, high * 0.1, 1);
  const points = values.map(
    (value, index) => `${(index * step).toFixed(1)},${(15 - ((value - low) / range) * 13).toFixed(1)}`,
  );
  return html`<svg class="sparkline" viewBox="-1 0 62 17" width="62" height="17" role="img" aria-label="${text}"><polyline points="${points.join(' ')}" /></svg>`;
}

/** How full a storage is. */
export function capacity(usedBytes: number, freeBytes: number, text: string): Markup {
  const share = Math.min(100, (usedBytes / Math.max(1, usedBytes + freeBytes)) * 100);
  const kind = share > 90 ? 'full' : 'used';
  return html`<svg class="capacity" viewBox="0 0 100 6" preserveAspectRatio="none" role="img" aria-label="${text}"><rect width="100" height="6" /><rect class="${kind}" width="${share.toFixed(2)}" height="6" /></svg>`;
}

/** A place that the browser draws a chart into, from numbers that it fetches once the page stands. */
export function chart(given: {
  readonly kind: 'storage' | 'size' | 'duration';
  readonly source: string;
  readonly names: readonly string[];
}): Markup {
  const { kind, source, names } = given;
  const title = texts.trends[kind];
  return html`<figure class="chart" data-chart="${kind}" data-source="${source}" data-empty="${texts.noTrend}"><figcaption>${title}</figcaption>
<div class="plot" role="img" aria-label="${shown(texts.trendText(title, names.join(', ')))}"></div></figure>`;
}
