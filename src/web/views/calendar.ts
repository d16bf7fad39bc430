import { html } from 'hono/html';
import type { CalendarDay } from '../services/web-services.ts';
import { overviewTexts as texts } from '../texts/overview-texts.ts';
import type { Markup } from './markup.ts';

/** How a day is drawn. */
export type DayKind = keyof typeof texts.days;

const shownDays = ['monthly', 'weekly', 'daily', 'removed', 'missed', 'failed'] as const;
const stepSize = 13;
const cellSize = 10.5;
const leftSize = 28;
const topSize = 16;

/** What a day is drawn as: what is kept of it, unless something went wrong and nothing came of it. */
export function dayKind({ result, goodCount, kept }: CalendarDay): DayKind {
  if (goodCount === 0 && result === 'missed') return 'missed';
  if (result === 'failed' || result === 'suspect' || result === 'incomplete') return 'failed';
  if (result === 'missed') return 'missed';
  if (kept.includes('monthly') || kept.includes('yearly')) return 'monthly';
  if (kept.includes('weekly')) return 'weekly';
  if (kept.length > 0) return 'daily';
  return goodCount > 0 ? 'removed' : 'none';
}

/** Monday is 0. */
function weekday(day: string): number {
  return (new Date(`${day}T00:00:00Z`).getUTCDay() + 6) % 7;
}

function cell(day: CalendarDay, index: number): Markup {
  const column = Math.floor(index / 7);
  const kind = dayKind(day);
  const troubled = day.jobs.filter(({ result }) => result !== 'good').map(({ job, result }) => `${job} ${result}`);
  const words = [texts.days[kind], ...(day.archiveCount > 0 ? [texts.dayArchives(day.archiveCount)] : []), ...troubled];
  return html`<rect class="${kind}" x="${leftSize + column * stepSize}" y="${topSize + (index % 7) * stepSize}" width="${cellSize}" height="${cellSize}" rx="2"><title>${day.day}: ${words.join(', ')}</title></rect>`;
}

function monthLabels(days: readonly CalendarDay[], offset: number): Markup[] {
  const labels: Markup[] = [];
  let last = -4;
  for (const [index, { day }] of days.entries()) {
    const column = Math.floor((index + offset) / 7);
    if (!day.endsWith('-01') || column - last < 3) continue;
    last = column;
    labels.push(
      html`<text x="${leftSize + column * stepSize}" y="9">${texts.months[Number(day.slice(5, 7)) - 1]}</text>`,
    );
  }
  return labels;
}

/** A year of days, a column for each week. Screen readers get the sums. */
export function calendar(days: readonly CalendarDay[]): Markup {
  const offset = days[0] === undefined ? 0 : weekday(days[0].day);
  const columns = Math.ceil((days.length + offset) / 7);
  const kinds = days.map(dayKind);
  const count = (kind: DayKind) => kinds.filter((other) => other === kind).length;
  const good = days.filter(({ goodCount }) => goodCount > 0).length;
  const width = leftSize + columns * stepSize;
  return html`<div class="calendar-wrap" tabindex="0" role="region" aria-label="${texts.calendar}">
<svg class="calendar" viewBox="0 0 ${width} ${topSize + 7 * stepSize}" role="img" aria-label="${texts.calendarText(good, count('failed'), count('missed'))}">
${texts.weekdays.map((name, index) => (name === '' ? '' : html`<text x="0" y="${topSize + index * stepSize + 9}">${name}</text>`))}
${monthLabels(days, offset)}
${days.map((day, index) => cell(day, index + offset))}
</svg></div>
<p class="legend">${shownDays.map((kind) => html`<span><span class="swatch ${kind}"></span>${texts.days[kind]}</span>`)}</p>`;
}
