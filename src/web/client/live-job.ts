import htmx from 'htmx.org';

/** A quarter of the way is worth a word to a screen reader; each percent is not. */
const announcedSteps = 4;

/** Follows the jobs of a part of the page. What comes is the same markup that a reload gives. */
export function followJobs(root: ParentNode): void {
  for (const element of root.querySelectorAll('[data-live]')) {
    if (element instanceof HTMLElement) followJob(element);
  }
}

function followJob(element: HTMLElement): void {
  const url = element.dataset['live'];
  if (url === undefined) return;
  element.removeAttribute('data-live');
  const status = document.getElementById('job-status');
  const events = new EventSource(url);
  let announced = 0;
  events.addEventListener('progress', ({ data }: MessageEvent<string>) => {
    const { doneBytes, totalBytes }: { doneBytes: number; totalBytes: number } = JSON.parse(data);
    const step = totalBytes > 0 ? Math.floor((doneBytes / totalBytes) * announcedSteps) : 0;
    if (step <= announced || status === null) return;
    announced = step;
    status.textContent = element.querySelector('[data-announce]')?.textContent ?? '';
  });
  events.addEventListener('job', ({ data }: MessageEvent<string>) => {
    const { html }: { html: string } = JSON.parse(data);
    const log = element.querySelector('.log');
    const followsLog = log !== null && log.scrollTop + log.clientHeight >= log.scrollHeight - 8;
    void htmx.swap({ sourceElement: element, target: element, text: html, swap: 'innerMorph' }).then(() => {
      const shown = element.querySelector('.log');
      if (followsLog && shown !== null) shown.scrollTop = shown.scrollHeight;
    });
  });
  events.addEventListener('ended', ({ data }: MessageEvent<string>) => {
    events.close();
    const { text }: { text: string } = JSON.parse(data);
    if (status !== null) status.textContent = text;
  });
}
