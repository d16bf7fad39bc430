import type { Hono } from 'hono';
import { Secret } from '../../secret.ts';
import type { GivenKeys, JobRequest, WebServices } from '../services/web-services.ts';
import { jobPath } from '../views/job-view.ts';
import { queryString } from '../views/parts.ts';
import type { WebEnvironment } from '../web-environment.ts';
import { sendArchive } from './archive-pages.ts';
import { attempt, type FormFields, leadTo, type PageContext, readForm, requiredText } from './page-context.ts';

/** The keys that were typed; empty fields are none. */
export function givenKeys(form: FormFields): GivenKeys {
  const passphrase = form.text('passphrase');
  const identity = form.text('identity')?.trim();
  return {
    ...(passphrase !== undefined && { passphrase: new Secret(passphrase) }),
    ...(identity !== undefined && { identities: [new Secret(identity)] }),
  };
}

function placeOf(form: FormFields) {
  return { storage: requiredText(form, 'storage'), name: requiredText(form, 'name') };
}

/** What each form of an archive's page starts. */
const requests: Readonly<Record<string, (form: FormFields) => JobRequest>> = {
  inspect: (form) => ({ kind: 'inspect', ...placeOf(form) }),
  verify: (form) => ({ kind: 'verify', level: 'contents', keys: givenKeys(form), ...placeOf(form) }),
  drill: (form) => ({ kind: 'drill', keys: givenKeys(form), ...placeOf(form) }),
  push: (form) => ({ kind: 'push', to: requiredText(form, 'to'), ...placeOf(form) }),
  delete: (form) => ({
    kind: 'delete',
    storages: form.all('storages'),
    name: requiredText(form, 'name'),
    confirm: form.text('confirm') ?? '',
  }),
};

async function scrubRequest(services: WebServices, name: string): Promise<JobRequest> {
  const { replicas } = await services.archives.get(name);
  return { kind: 'scrub', storages: replicas.map(({ storage }) => storage) };
}

async function setPinned(services: WebServices, context: PageContext, pinned: boolean): Promise<Response> {
  const name = requiredText(await readForm(context), 'name');
  await services.archives.setPinned(context.var.user, name, pinned);
  return leadTo(context, `/archive${queryString({ name })}`);
}

/** What can be done with an archive. */
export function addArchiveActions(app: Hono<WebEnvironment>, services: WebServices): void {
  for (const [name, request] of Object.entries(requests)) {
    app.post(`/archive/${name}`, async (context) => {
      const job = await services.jobs.start(context.var.user, request(await readForm(context)));
      // Who looks at the blocks wants to see them, not the job.
      return leadTo(
        context,
        name === 'inspect' && job.place ? `/archive${queryString({ name: job.place.name })}#maps` : jobPath(job),
      );
    });
  }
  app.post('/archive/scrub', async (context) => {
    const name = requiredText(await readForm(context), 'name');
    await services.jobs.start(context.var.user, await scrubRequest(services, name));
    return leadTo(context, `/archive${queryString({ name })}#maps`);
  });
  app.post('/archive/pin', (context) => setPinned(services, context, true));
  app.post('/archive/unpin', (context) => setPinned(services, context, false));
  app.post('/archive/open', async (context) => {
    const form = await readForm(context);
    const place = placeOf(form);
    const { user } = context.var;
    const opened = await attempt(() => services.archives.open(user, place, givenKeys(form), { pageSize: 50 }));
    if (opened.error !== undefined)
      return await sendArchive(services, context, { name: place.name, error: opened.error });
    const { contentsId } = opened.value;
    return leadTo(context, `/archive${queryString({ name: place.name, contents: contentsId })}#contents`);
  });
  app.post('/archives/refresh', async (context) => {
    await services.archives.refresh();
    return leadTo(context, '/archives');
  });
}
