import type { Hono } from 'hono';
import type { Trends, WebServices } from '../services/web-services.ts';
import { overviewTexts } from '../texts/overview-texts.ts';
import { shown } from '../views/markup.ts';
import { overviewView } from '../views/overview-view.ts';
import type { WebEnvironment } from '../web-environment.ts';
import { sendPage, viewerOf } from './page-context.ts';

const yearDays = 371;
/** More than a chart has pixels for is not sent. */
const maximumPoints = 180;

function thinned<Point>(points: readonly Point[]): readonly Point[] {
  const step = Math.ceil(points.length / maximumPoints);
  // Counted from the end, so that the newest is always there.
  return points.filter((_, index) => (points.length - 1 - index) % step === 0);
}

/** What the charts draw: seconds since 1970, and a number for each. */
function chartLines({ jobs, storages }: Trends) {
  return {
    storage: storages.map(({ storage, points }) => ({
      name: shown(storage),
      points: thinned(points).map(({ day, totalSizeBytes }) => [Date.parse(day) / 1000, totalSizeBytes]),
    })),
    size: jobs.map(({ job, points }) => ({
      name: shown(job),
      points: thinned(points).map(({ timeMs, sizeBytes }) => [Math.round(timeMs / 1000), sizeBytes]),
    })),
    duration: jobs.map(({ job, points }) => ({
      name: shown(job),
      points: thinned(points).map(({ timeMs, durationMs }) => [Math.round(timeMs / 1000), durationMs]),
    })),
  };
}

/** The first page, and the numbers of its charts. */
export function addOverviewPages(app: Hono<WebEnvironment>, services: WebServices): void {
  app.get('/', async (context) => {
    const [overview, days] = await Promise.all([services.overview(), services.calendar({ days: yearDays })]);
    const body = overviewView({ overview, days, nowMs: services.nowMs() }, viewerOf(context));
    return await sendPage(context, { title: overviewTexts.title, section: 'overview', body });
  });
  app.get('/trends.json', async (context) =>
    context.json(chartLines(await services.trends({ days: yearDays })), 200, {
      'cache-control': 'private, max-age=60',
    }),
  );
}
