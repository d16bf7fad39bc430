import type { Context, Hono } from 'hono';
import { html } from 'hono/html';
import { streamSSE } from 'hono/streaming';
import type { JobFacts, WebServices } from '../services/web-services.ts';
import { runTexts } from '../texts/run-texts.ts';
import { sharedTexts } from '../texts/shared-texts.ts';
import { backupView } from '../views/backup-view.ts';
import { goneJob, jobBody, jobPath, jobTitle, liveJob } from '../views/job-view.ts';
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

/** What the browser draws from, where it does not take the whole markup: how far, and with which part. */
function progressData({ state, progress }: JobFacts): string {
  const { doneBytes = 0, totalBytes = 0, parts = [] } = progress ?? {};
  return JSON.stringify({ state, doneBytes, totalBytes, parts });
}

/** The job as it changes, as markup and as numbers, until it has ended; then what to say of it. */
function streamJob(services: WebServices, id: string, context: PageContext): Response {
  const viewer = viewerOf(context);
  const ending = new AbortController();
  context.header('X-Accel-Buffering', 'no');
  return streamSSE(context as Context, async (stream) => {
    stream.onAbort(() => ending.abort());
    for await (const { job } of services.jobs.events(id, ending.signal)) {
      await stream.writeSSE({ event: 'progress', data: progressData(job) });
      await stream.writeSSE({ event: 'job', data: String(await jobBody(services.jobs.get(id) ?? job, viewer)) });
      if (job.state !== 'running') {
        await stream.writeSSE({ event: 'ended', data: sharedTexts.runStates[job.state] });
        return;
      }
    }
  });
}

/** Backing up by hand, and following what runs. */
export function addBackupPages(app: Hono<WebEnvironment>, services: WebServices): void {
  app.get('/backup', (context) => sendBackup(services, context));
  app.post('/backup', async (context) => {
    const job = (await readForm(context)).text('job');
    const started = await services.jobs.start(context.var.user, { kind: 'backup', ...(job !== undefined && { job }) });
    return leadTo(context, jobPath(started));
  });
  app.get('/jobs/:id', (context) => sendJob(services.jobs.get(context.req.param('id')), context));
  app.get('/jobs/:id/events', (context) => {
    const id = context.req.param('id');
    // 204 tells an EventSource not to try again.
    return services.jobs.get(id) === undefined ? context.body(null, 204) : streamJob(services, id, context);
  });
  app.post('/jobs/:id/cancel', async (context) => {
    const id = context.req.param('id');
    await services.jobs.cancel(context.var.user, id);
    return leadTo(context, jobPath({ id }));
  });
}
