/** Times stand in UTC in the page; here they are put into the viewer's zone, the exact one on hover. */

const short = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' });
const formats: Readonly<Record<string, Intl.DateTimeFormat>> = { moment: short, clock };
// Made when it is first needed: the names of zones take a while to load.
let exact: Intl.DateTimeFormat | undefined;

function dateOf(element: HTMLTimeElement): Date | undefined {
  const date = new Date(element.dateTime);
  return Number.isNaN(date.getTime()) ? undefined : date;
}

/** Puts the times of a part of the page that are written out into the viewer's zone. */
export function localizeTimes(root: ParentNode): void {
  for (const element of root.querySelectorAll('time[data-show]')) {
    if (!(element instanceof HTMLTimeElement)) continue;
    const date = dateOf(element);
    const format = formats[element.dataset['show'] ?? ''];
    element.removeAttribute('data-show');
    if (date !== undefined && format !== undefined) element.textContent = format.format(date);
  }
}

/** Has the exact time in the viewer's zone, and in UTC, stand beside each time that is pointed at. */
export function explainTimes(): void {
  document.addEventListener('pointerover', ({ target }) => {
    const element = target instanceof Element ? target.closest('time:not([data-exact])') : null;
    if (!(element instanceof HTMLTimeElement)) return;
    const date = dateOf(element);
    element.dataset['exact'] = '';
    exact ??= new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'long' });
    if (date !== undefined) element.title = `${exact.format(date)} (${element.title})`;
  });
}
