import type { Hono } from 'hono';
import { HoldfastError } from '../../errors.ts';
import type { ArchiveContents, RestoreRequest, RestoreSource, WebServices } from '../services/web-services.ts';
import { restoreTexts } from '../texts/restore-texts.ts';
import { jobPath } from '../views/job-view.ts';
import { queryString } from '../views/parts.ts';
import { type GivenRestore, nothingGiven, partFolder, partKey } from '../views/restore-form-view.ts';
import { type RestoreModel, type RestoreSourceModel, restoreChoiceView, restoreView } from '../views/restore-view.ts';
import type { WebEnvironment } from '../web-environment.ts';
import { givenKeys } from './archive-actions.ts';
import { attempt, type FormFields, leadTo, type PageContext, readForm, sendPage, viewerOf } from './page-context.ts';

const { title } = restoreTexts;

/** As many entries as are offered to choose from. */
const listedEntries = 500;

interface Source extends RestoreSourceModel {
  readonly from: RestoreSource;
}

/** What an address or a form says is to be restored; undefined where it says nothing. */
function sourceOf(
  services: WebServices,
  context: PageContext,
  given: (name: string) => string | undefined,
): Source | undefined {
  const upload = given('upload');
  if (upload !== undefined) {
    const facts = services.uploads.get(context.var.user, upload);
    if (facts === undefined)
      throw new HoldfastError('storage.not_found', { message: 'this upload is gone', hint: 'upload it again' });
    return { name: facts.name, fields: { upload }, from: { upload } };
  }
  const storage = given('storage');
  const name = given('name');
  if (storage === undefined || name === undefined) return undefined;
  return { name, fields: { storage, name }, from: { storage, name } };
}

function requiredSource(services: WebServices, context: PageContext, form: FormFields): Source {
  const source = sourceOf(services, context, (name) => form.text(name));
  if (source === undefined) throw new HoldfastError('usage.invalid', { message: 'no backup was chosen' });
  return source;
}

async function sendChoice(services: WebServices, context: PageContext): Promise<Response> {
  const text = context.req.query('text') || undefined;
  const query = { sort: 'created', direction: 'down', pageSize: 12, ...(text !== undefined && { text }) } as const;
  const archives = await services.archives.list(query);
  const uploads = services.uploads.list(context.var.user);
  const body = restoreChoiceView({ archives, text, uploads, nowMs: services.nowMs() }, viewerOf(context));
  return await sendPage(context, { title, section: 'restore', body });
}

function held(
  services: WebServices,
  context: PageContext,
  contentsId: string | undefined,
): ArchiveContents | undefined {
  if (contentsId === undefined) return undefined;
  return services.archives.contents(context.var.user, contentsId, { pageSize: listedEntries });
}

async function sendRestore(context: PageContext, model: RestoreModel): Promise<Response> {
  const body = restoreView(model, viewerOf(context));
  const failed = model.error ?? model.plan?.error;
  return await sendPage(context, { title, section: 'restore', body, status: failed === undefined ? 200 : 422 });
}

/** Opens it, which finds a wrong key at once; then has it verified while the choice is made. */
async function open(services: WebServices, context: PageContext): Promise<Response> {
  const form = await readForm(context);
  const { from, ...source } = requiredSource(services, context, form);
  const { user } = context.var;
  const keys = givenKeys(form);
  const opened = await attempt(() => services.archives.open(user, from, keys));
  if (opened.error !== undefined)
    return await sendRestore(context, { source, given: nothingGiven, error: opened.error });
  const request =
    'upload' in from
      ? ({ kind: 'verifyUpload', keys, upload: from.upload } as const)
      : ({ kind: 'verify', level: 'contents', keys, ...from } as const);
  const started = await attempt(() => services.jobs.start(user, request));
  const query = { ...source.fields, contents: opened.value.contentsId, verify: started.value?.id };
  return leadTo(context, `/restore${queryString(query)}`);
}

/** What the form says. */
export function readGiven(form: FormFields): GivenRestore {
  const targets = form.all('to');
  return {
    parts: form.all('part'),
    entries: form.all('entry'),
    globs: form.text('globs') ?? '',
    to: Object.fromEntries(form.all('database').map((name, index) => [name, (targets[index] ?? '').trim()])),
    filesTo: (form.text('filesTo') ?? '').trim(),
    mode: form.text('mode') ?? '',
    overwrite: form.has('overwrite'),
    partial: form.has('partial'),
  };
}

/** A name may hold what globs mean something by. */
function escapeGlob(text: string): string {
  return text.replace(/[\\*?[\]{}()!+@|]/g, '\\$&');
}

/** Paths to restore; undefined for all. A part of which single entries were chosen is not taken whole. */
export function chosenPaths(given: GivenRestore, parts: ArchiveContents['parts']): readonly string[] | undefined {
  const globs = given.globs
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const chosen = parts.filter((part) => given.parts === undefined || given.parts.includes(partKey(part)));
  if (chosen.length === parts.length && given.entries.length === 0 && globs.length === 0) return undefined;
  const isInside = (folder: string) => (path: string) => path === folder || path.startsWith(`${folder}/`);
  const whole = chosen
    .map(partFolder)
    .filter((folder) => !given.entries.some(isInside(folder)) && !globs.some(isInside(folder)))
    .map((folder) => `${escapeGlob(folder)}/**`);
  return [...whole, ...given.entries, ...globs];
}

function targets({ to }: GivenRestore): string[] {
  const named = Object.entries(to).filter(([, url]) => url !== '');
  const isOnly = Object.keys(to).length === 1;
  return named.map(([name, url]) => (isOnly ? url : `${name}=${url}`));
}

function restoreRequest(
  source: Source,
  given: GivenRestore,
  contents: ArchiveContents,
  form: FormFields,
): RestoreRequest {
  const only = chosenPaths(given, contents.parts);
  const to = targets(given);
  const { filesTo, mode, overwrite, partial } = given;
  const known = (['transaction', 'swap', 'fresh'] as const).find((name) => name === mode);
  return {
    kind: 'restore',
    from: source.from,
    keys: givenKeys(form),
    ...(to.length > 0 && { to }),
    ...(filesTo !== '' && { filesTo }),
    ...(known !== undefined && { mode: known }),
    ...(only !== undefined && { only }),
    overwrite,
    partial,
  };
}

/** Works out what would change. It ends soon, since nothing is written; where it does not, it is followed on its own page. */
async function foresee(
  services: WebServices,
  context: PageContext,
  request: RestoreRequest,
): Promise<NonNullable<RestoreModel['plan']>> {
  const started = await attempt(() => services.jobs.start(context.var.user, { ...request, dryRun: true }));
  if (started.error !== undefined) return { error: started.error };
  const { id } = started.value;
  const { actions, error } = await services.jobs.ended(id, context.req.raw.signal);
  return { jobId: id, ...(actions !== undefined && { actions }), ...(error !== undefined && { error }) };
}

async function restore(services: WebServices, context: PageContext): Promise<Response> {
  const form = await readForm(context);
  const { from, ...source } = requiredSource(services, context, form);
  const contents = held(services, context, form.text('contents'));
  if (contents === undefined) return leadTo(context, `/restore${queryString(source.fields)}`);
  const given = readGiven(form);
  const verifyJob = services.jobs.get(form.text('verify') ?? '');
  const model = { source, contents, verifyJob, given };
  const request = restoreRequest({ ...source, from }, given, contents, form);
  if (form.text('step') !== 'restore') {
    return await sendRestore(context, { ...model, plan: await foresee(services, context, request) });
  }
  const confirm = form.text('confirm') ?? '';
  const started = await attempt(() => services.jobs.start(context.var.user, { ...request, confirm }));
  if (started.error !== undefined) return await sendRestore(context, { ...model, error: started.error });
  return leadTo(context, jobPath(started.value));
}

/** Restoring, step by step; and taking a restore back. */
export function addRestorePages(app: Hono<WebEnvironment>, services: WebServices): void {
  app.get('/restore', async (context) => {
    const { contents: contentsId, verify = '', ...query } = context.req.query();
    const source = sourceOf(services, context, (name) => query[name] || undefined);
    if (source === undefined) return await sendChoice(services, context);
    const contents = held(services, context, contentsId);
    return await sendRestore(context, { source, contents, verifyJob: services.jobs.get(verify), given: nothingGiven });
  });
  app.post('/restore/open', (context) => open(services, context));
  app.post('/restore', (context) => restore(services, context));
  app.post('/restore/undo', async (context) => {
    const form = await readForm(context);
    const to = form.text('to');
    const files = form.text('files');
    const request = { kind: 'undo', ...(to !== undefined && { to }), ...(files !== undefined && { files }) } as const;
    return leadTo(context, jobPath(await services.jobs.start(context.var.user, request)));
  });
}
