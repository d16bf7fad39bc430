/** Times stand in UTC in the page; here they are put into the viewer's zone, the exact one on hover. */

const exact = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'long' });
const short = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });

/** Puts the times of a part of the page into the viewer's zone. */
export function localizeTimes(root: ParentNode): void {
  for (const element of root.querySelectorAll('time[datetime]:not([data-local])')) {
    if (!(element instanceof HTMLTimeElement)) continue;
    const date = new Date(element.dateTime);
    if (Number.isNaN(date.getTime())) continue;
    element.dataset['local'] = '';
    element.title = `${exact.format(date)} (${element.title})`;
    if (element.dataset['show'] === 'moment') element.textContent = short.format(date);
  }
}
