import type { Hono } from 'hono';
import { html } from 'hono/html';
import { eventStream } from '../api/event-stream.ts';
import type { JobFacts, JobProgress, WebServices } from '../services/web-services.ts';
import { runTexts } from '../texts/run-texts.ts';
import { sharedTexts } from '../texts/shared-texts.ts';
import { backupView } from '../views/backup-view.ts';
import type { Viewer } from '../views/forms.ts';
import { goneJob, jobBody, jobPath, jobTitle, liveJob } from '../views/job-view.ts';
import { activePanel } from '../views/overview-view.ts';
import { pageHead } from '../views/parts.ts';
import type { WebEnvironment } from '../web-environment.ts';
import { leadTo, type PageContext, readForm, sendPage, viewerOf } from './page-context.ts';

async function sendBackup(services: WebServices, context: PageContext): Promise<Response> {
  const [jobs, overview] = await Promise.all([services.settings.jobs(), services.overview()]);
  const bySource = Map.groupBy(overview.sources, ({ job }) => job);
  const sources = new Map([...bySource].map(([job, list]) => [job, list.map(({ name }) => name)]));
  const started = services.jobs.list().filter(({ kind }) => kind === 'backup');
  const body = backupView({ jobs, sources, started, nowMs: services.nowMs() }, viewerOf(context));
  return await sendPage(context, { title: runTexts.backup.title, section: 'backUp', body });
}

async function sendJob(job: JobFacts | undefined, context: PageContext): Promise<Response> {
  const section = job?.kind === 'backup' ? 'backUp' : job?.kind === 'restore' ? 'restore' : 'runs';
  if (job === undefined) {
    const body = html`${pageHead({ title: runTexts.title })}${goneJob()}`;
    return await sendPage(context, { title: runTexts.title, section, body, status: 404 });
  }
  const head = pageHead({
    title: jobTitle(job),
    crumb: { href: `${context.var.basePath}/runs`, text: runTexts.title },
  });
  return await sendPage(context, {
    title: jobTitle(job),
    section,
    body: html`${head}${liveJob(job, viewerOf(context))}`,
  });
}

/** What is told of a job while it runs: as numbers for what is drawn, as markup for what is read. */
type LiveEvent =
  | {
      readonly type: 'progress';
      readonly doneBytes: number;
      readonly totalBytes: number;
      readonly parts: JobProgress['parts'];
    }
  | { readonly type: 'job'; readonly html: string }
  | { readonly type: 'ended'; readonly text: string };

async function* liveEvents(
  services: WebServices,
  id: string,
  viewer: Viewer,
  signal: AbortSignal,
): AsyncIterable<LiveEvent> {
  for await (const { job: told } of services.jobs.events(id, signal)) {
    // Events of progress leave the log out.
    const job = services.jobs.get(id) ?? told;
    const { doneBytes = 0, totalBytes = 0, parts = [] } = job.progress ?? {};
    yield { type: 'progress', doneBytes, totalBytes, parts };
    yield { type: 'job', html: String(await jobBody(job, viewer)) };
    if (job.state === 'running') continue;
    yield { type: 'ended', text: sharedTexts.runStates[job.state] };
    return;
  }
}

/** Backing up by hand, and following what runs. */
export function addBackupPages(app: Hono<WebEnvironment>, services: WebServices): void {
  app.get('/backup', (context) => sendBackup(services, context));
  app.post('/backup', async (context) => {
    const job = (await readForm(context)).text('job');
    const started = await services.jobs.start(context.var.user, { kind: 'backup', ...(job !== undefined && { job }) });
    return leadTo(context, jobPath(started));
  });
  app.get('/jobs/running', async (context) => {
    const running = services.jobs.list().filter(({ state }) => state === 'running');
    return context.html(await activePanel(running, viewerOf(context)));
  });
  app.get('/jobs/:id', (context) => sendJob(services.jobs.get(context.req.param('id')), context));
  app.get('/jobs/:id/events', (context) => {
    const id = context.req.param('id');
    // 204 tells an EventSource not to try again.
    return services.jobs.get(id) === undefined
      ? context.body(null, 204)
      : eventStream((signal) => liveEvents(services, id, viewerOf(context), signal));
  });
  app.post('/jobs/:id/cancel', async (context) => {
    const id = context.req.param('id');
    await services.jobs.cancel(context.var.user, id);
    return leadTo(context, jobPath({ id }));
  });
}
