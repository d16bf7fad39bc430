import { Hono } from 'hono';
import { HoldfastError } from '../../errors.ts';
import { Secret } from '../../secret.ts';
import type { AccessContext, AccessEnvironment } from '../access/access-environment.ts';
import { checkCsrf } from '../access/guard.ts';
import { boundaryOf, type FormPart, readField, readParts } from '../security/multipart.ts';
import { readPieces } from '../security/read-body.ts';
import type { OpenedServices } from '../services/open-services.ts';
import type { UploadFacts } from '../services/web-services.ts';
import { readRange, sendDownload } from './send-download.ts';

/** The form itself takes some bytes beside the file. */
const formLimits = { maximumBytes: Number.MAX_SAFE_INTEGER, idleTimeoutMs: 60_000 } as const;

/** Downloads and the upload of a form, as a browser without scripts does them. */
export function transferRoutes(services: OpenedServices): Hono<AccessEnvironment> {
  const app = new Hono<AccessEnvironment>();
  app.get('/download/:storage/:name', async (context) => {
    const { storage, name } = context.req.param();
    const range = readRange(context.req.header('range'));
    return sendDownload(await services.downloads.stored(context.var.user, { storage, name }, range));
  });
  app.post('/download', async (context) => {
    const { form, user } = context.var;
    const passphrase = new Secret(form?.get('passphrase') ?? '');
    if (passphrase.reveal() !== (form?.get('repeat') ?? '')) {
      throw new HoldfastError('request.invalid', { message: 'the two passphrases differ', hint: 'type it again' });
    }
    const job = form?.get('job');
    const given = { passphrase, ...(job ? { job } : {}) };
    return sendDownload(await services.downloads.fresh(user, given, context.req.raw.signal));
  });
  app.post('/uploads', async (context) => {
    const upload = await receiveForm(context, services);
    return context.redirect(`${context.var.basePath}/restore?upload=${upload.id}`, 303);
  });
  return app;
}

/** Takes the file of a form as it comes; the token has to stand before it. */
async function receiveForm(context: AccessContext, services: OpenedServices): Promise<UploadFacts> {
  const boundary = boundaryOf(context.req.header('content-type') ?? '');
  const pieces = readPieces(context.req.raw.body, { ...formLimits, wait: context.var.wait });
  let isOurs = false;
  let upload: UploadFacts | undefined;
  for await (const part of readParts(pieces, boundary)) {
    if (part.name === 'csrf' && part.fileName === undefined) {
      checkCsrf(context, await readField(part));
      isOurs = true;
    } else if (!isOurs) throw new HoldfastError('access.forged');
    else if (part.fileName !== undefined) upload ??= await receiveFile(context, services, part);
  }
  // To its end, so that the browser has sent all before it is answered.
  for await (const _ of pieces);
  if (upload !== undefined) return upload;
  throw isOurs
    ? new HoldfastError('request.invalid', { message: 'no file was chosen' })
    : new HoldfastError('access.forged');
}

/** How long the file is nobody says: room for as much as the request has is kept, and what it did not need is given back. */
async function receiveFile(context: AccessContext, services: OpenedServices, part: FormPart): Promise<UploadFacts> {
  const { user } = context.var;
  const sizeBytes = Number(context.req.header('content-length') ?? 0);
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 1) {
    throw new HoldfastError('request.invalid', { message: 'the request does not say how long it is' });
  }
  const upload = await services.uploads.create(user, { name: part.fileName ?? '', sizeBytes });
  try {
    await services.uploads.append(user, upload.id, 0, part.bytes);
    return await services.uploads.finish(user, upload.id);
  } catch (thrown) {
    await services.uploads.remove(user, upload.id);
    throw thrown;
  }
}
