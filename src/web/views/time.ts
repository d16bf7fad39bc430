import { html } from 'hono/html';
import { formatMoment } from '../../cli/format-value.ts';
import { sharedTexts as texts } from '../texts/shared-texts.ts';
import type { Markup } from './markup.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

function span(lengthMs: number): string {
  if (lengthMs < hourMs) return texts.spans.minutes(Math.max(1, Math.round(lengthMs / minuteMs)));
  if (lengthMs < 2 * dayMs) return texts.spans.hours(Math.round(lengthMs / hourMs));
  return texts.spans.days(Math.round(lengthMs / dayMs));
}

/** How far a moment is from another: `3 h ago`, `in 5 days`. */
export function relative(timeMs: number, nowMs: number): string {
  const distanceMs = Math.abs(nowMs - timeMs);
  if (distanceMs < minuteMs) return texts.now;
  return timeMs <= nowMs ? texts.ago(span(distanceMs)) : texts.ahead(span(distanceMs));
}

function iso(timeMs: number): string {
  return new Date(timeMs).toISOString();
}

/** A moment as its distance from now, with the exact one on hover; the browser puts it into the viewer's zone. */
export function ago(timeMs: number | undefined, nowMs: number, absent: string = texts.never): Markup {
  if (timeMs === undefined) return html`<span class="quiet">${absent}</span>`;
  return html`<time datetime="${iso(timeMs)}" title="${formatMoment(timeMs)}">${relative(timeMs, nowMs)}</time>`;
}

/** A moment as day and time; the browser puts it into the viewer's zone. */
export function moment(timeMs: number | undefined, absent: string = texts.none): Markup {
  if (timeMs === undefined) return html`<span class="quiet">${absent}</span>`;
  const exact = formatMoment(timeMs);
  return html`<time datetime="${iso(timeMs)}" title="${exact}" data-show="moment">${exact.slice(0, 16)} UTC</time>`;
}

/** The time of day of a line in a log; the browser puts it into the viewer's zone. */
export function clockTime(timeMs: number): Markup {
  const exact = formatMoment(timeMs);
  return html`<time datetime="${iso(timeMs)}" title="${exact}" data-show="clock">${exact.slice(11, 19)}</time>`;
}
