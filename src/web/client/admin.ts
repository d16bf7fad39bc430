/** What makes the pages live. All of them work without it. */
import htmx from 'htmx.org';
import { drawBlockMaps } from './block-map.ts';
import { followJobs } from './live-job.ts';
import { explainTimes, localizeTimes } from './times.ts';
import { resumeUploads } from './upload.ts';

function enhance(root: ParentNode): void {
  localizeTimes(root);
  followJobs(root);
  drawBlockMaps(root);
  resumeUploads(root);
}

enhance(document);
explainTimes();
document.addEventListener('htmx:after:swap', () => enhance(document));
htmx.config.defaultSwap = 'outerHTML';

const charts = document.querySelectorAll('[data-chart]');
// The library for charts is loaded where one stands, once the page is there.
if (charts.length > 0) void import('./charts.ts').then(({ drawCharts }) => drawCharts(charts));
