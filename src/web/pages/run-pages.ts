import type { Hono } from 'hono';
import { HoldfastError } from '../../errors.ts';
import type { RunKind, RunState } from '../../history/run-record.ts';
import type { RunQuery, WebServices } from '../services/web-services.ts';
import { runTexts } from '../texts/run-texts.ts';
import { sharedTexts } from '../texts/shared-texts.ts';
import { runListView, runView } from '../views/run-views.ts';
import type { WebEnvironment } from '../web-environment.ts';
import { pageNumber, sendPage, viewerOf } from './page-context.ts';

const kinds: readonly RunKind[] = ['backup', 'restore', 'verify', 'repair', 'scrub', 'prune'];
const states = Object.keys(sharedTexts.runStates) as RunState[];

/** What an address asks for; what is not known in it is left out. */
export function readRunQuery({ kind, state, job, page }: Readonly<Record<string, string>>): RunQuery {
  const query = {
    kind: kinds.find((name) => name === kind),
    state: states.find((name) => name === state),
    job: job || undefined,
    page: pageNumber(page),
  };
  return Object.fromEntries(Object.entries(query).filter(([, value]) => value !== undefined));
}

/** The history, and each run in it. */
export function addRunPages(app: Hono<WebEnvironment>, services: WebServices): void {
  app.get('/runs', async (context) => {
    const query = readRunQuery(context.req.query());
    const [page, jobs] = await Promise.all([services.runs.list(query), services.settings.jobs()]);
    const model = { page, query, jobs: jobs.map(({ job }) => job), nowMs: services.nowMs() };
    return await sendPage(context, {
      title: runTexts.title,
      section: 'runs',
      body: runListView(model, viewerOf(context)),
    });
  });
  app.get('/runs/:id', async (context) => {
    const run = await services.runs.get(context.req.param('id'));
    if (run === undefined) throw new HoldfastError('request.not_found');
    const title = sharedTexts.kinds[run.kind] ?? run.kind;
    return await sendPage(context, { title, section: 'runs', body: runView(run, viewerOf(context)) });
  });
}
