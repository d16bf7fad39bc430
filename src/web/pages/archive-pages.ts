import type { Hono } from 'hono';
import { eventStream } from '../api/event-stream.ts';
import type { ArchiveFacts, ArchiveQuery, BlockMapEvent, JobFacts, WebServices } from '../services/web-services.ts';
import { archiveTexts } from '../texts/archive-texts.ts';
import { sharedTexts } from '../texts/shared-texts.ts';
import { archiveListView } from '../views/archive-list-view.ts';
import { type ArchiveModel, archiveView } from '../views/archive-view.ts';
import { copyWords, mapWords } from '../views/block-map-view.ts';
import type { WebEnvironment } from '../web-environment.ts';
import { attempt, type PageContext, pageNumber, sendPage, viewerOf } from './page-context.ts';

function oneOf<Name extends string>(text: string | undefined, names: readonly Name[]): Name | undefined {
  return names.find((name) => name === text);
}

const healths = Object.keys(sharedTexts.health) as ArchiveFacts['health'][];

/** What an address asks for; what is not known in it is left out. */
export function readArchiveQuery(parameters: Readonly<Record<string, string>>): ArchiveQuery {
  const { text, series, storage, health, kept, sort, direction, page } = parameters;
  const query = {
    text: text || undefined,
    series: series || undefined,
    storage: storage || undefined,
    health: oneOf(health, healths),
    pinned: kept === 'pinned' ? true : undefined,
    leaving: kept === 'leaving' ? true : undefined,
    sort: oneOf(sort, ['created', 'name', 'size', 'series']),
    direction: oneOf(direction, ['up', 'down']),
    page: pageNumber(page),
  };
  return Object.fromEntries(Object.entries(query).filter(([, value]) => value !== undefined));
}

/** Jobs that work on an archive now. A scrub works on all of its storages. */
function jobsOn({ name, replicas }: ArchiveFacts, jobs: readonly JobFacts[]): JobFacts[] {
  const places = new Set(replicas.map(({ storage }) => storage));
  return jobs.filter(
    ({ kind, place, state }) =>
      state === 'running' && (kind === 'scrub' || (place?.name === name && places.has(place.storage))),
  );
}

/** Gathers what the page of an archive shows. */
async function archiveModel(
  services: WebServices,
  context: PageContext,
  given: Pick<ArchiveModel, 'error'> & { readonly name: string },
): Promise<ArchiveModel> {
  const { name, error } = given;
  const { contents: contentsId, find, entries } = context.req.query();
  const archive = await services.archives.get(name);
  const [first] = archive.replicas;
  const header =
    archive.format === 'plain' || first === undefined
      ? { value: undefined, error: undefined }
      : await attempt(() => services.archives.header({ storage: first.storage, name }));
  const maps = await services.archives.blockMaps(name);
  const page = pageNumber(entries) ?? 1;
  const contents =
    contentsId === undefined
      ? undefined
      : services.archives.contents(context.var.user, contentsId, { ...(find && { text: find }), page, pageSize: 50 });
  return {
    archive,
    header: header.value,
    headerError: header.error,
    contents,
    text: find || undefined,
    isGone: contentsId !== undefined && contents === undefined,
    error,
    maps: archive.replicas.map(({ storage }) => ({ storage, map: maps.get(storage) })),
    storages: (await services.storages.list()).filter(({ enabled }) => enabled).map((storage) => storage.name),
    jobs: jobsOn(archive, services.jobs.list()),
    nowMs: services.nowMs(),
  };
}

/** Answers with the page of an archive; with an error of what was tried there, too. */
export async function sendArchive(
  services: WebServices,
  context: PageContext,
  given: Pick<ArchiveModel, 'error'> & { readonly name: string },
): Promise<Response> {
  const model = await archiveModel(services, context, given);
  const body = archiveView(model, viewerOf(context));
  const status = given.error === undefined ? 200 : 422;
  return await sendPage(context, { title: given.name, section: 'archives', body, status });
}

/** What is told of the blocks of an archive while a job reads them: cells to draw, and words. */
type LiveBlocks =
  | (Omit<BlockMapEvent, 'map'> & { readonly copies: readonly string[]; readonly counts: string })
  | { readonly type: 'ended' };

async function* blockEvents(
  services: WebServices,
  { name, job }: { readonly name: string; readonly job: string },
  signal: AbortSignal,
): AsyncIterable<LiveBlocks> {
  const reading = new AbortController();
  const stop = () => reading.abort();
  signal.addEventListener('abort', stop, { once: true });
  services.jobs.ended(job, signal).then(stop, stop);
  for await (const { map, ...event } of services.archives.blockEvents(name, reading.signal)) {
    yield { ...event, copies: map.copies.map(copyWords), counts: mapWords(map) };
  }
  yield { type: 'ended' };
}

/** The list of archives, and the page of each. */
export function addArchivePages(app: Hono<WebEnvironment>, services: WebServices): void {
  app.get('/archives', async (context) => {
    const query = readArchiveQuery(context.req.query());
    const [page, series, storages, listing] = await Promise.all([
      services.archives.list(query),
      services.archives.series(),
      services.storages.list(),
      services.archives.listing(),
    ]);
    const model = {
      page,
      query,
      series,
      storages: storages.map(({ name }) => name),
      ...listing,
      nowMs: services.nowMs(),
    };
    const body = archiveListView(model, viewerOf(context));
    return await sendPage(context, { title: archiveTexts.title, section: 'archives', body });
  });
  app.get('/archive/blocks', (context) => {
    const { name = '', job = '' } = context.req.query();
    // 204 tells an EventSource not to try again.
    return services.jobs.get(job) === undefined
      ? context.body(null, 204)
      : eventStream((signal) => blockEvents(services, { name, job }, signal));
  });
  app.get(
    '/archive',
    async (context) => await sendArchive(services, context, { name: context.req.query('name') ?? '' }),
  );
}
