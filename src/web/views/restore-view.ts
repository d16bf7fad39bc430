import { html } from 'hono/html';
import { formatSize } from '../../cli/format-value.ts';
import type { RestoreAction } from '../../operation/options.ts';
import type {
  ArchiveContents,
  ArchiveFacts,
  JobFacts,
  Page,
  ShownError,
  UploadFacts,
} from '../services/web-services.ts';
import { restoreTexts as texts } from '../texts/restore-texts.ts';
import { keyFields } from './contents-view.ts';
import { mayAdminister, mayOperate, postForm, textField, type Viewer } from './forms.ts';
import { liveJob } from './job-view.ts';
import { type Markup, nothing, shown, when } from './markup.ts';
import { empty, errorNotice, notice, pageHead, panel, queryString } from './parts.ts';
import { type GivenRestore, restoreForm } from './restore-form-view.ts';
import { healthSign } from './signs.ts';
import { ago } from './time.ts';

/** Where a restore reads from, as the forms name it. */
export interface RestoreSourceModel {
  /** The name of the archive or upload: what is typed to confirm. */
  readonly name: string;
  /** Fields that lead back to it. */
  readonly fields: Readonly<Record<string, string>>;
}

/** The choice of a backup to restore. */
export interface RestoreChoiceModel {
  readonly archives: Page<ArchiveFacts>;
  readonly text: string | undefined;
  readonly uploads: readonly UploadFacts[];
  readonly nowMs: number;
}

/** A restore on its way: opened, chosen, foreseen. */
export interface RestoreModel {
  readonly source: RestoreSourceModel;
  readonly contents?: ArchiveContents | undefined;
  readonly verifyJob?: JobFacts | undefined;
  readonly error?: ShownError | undefined;
  readonly given: GivenRestore;
  readonly plan?:
    | { readonly actions?: readonly RestoreAction[]; readonly error?: ShownError; readonly jobId?: string }
    | undefined;
}

function steps(current: number): Markup {
  return html`<ol class="steps" aria-label="${texts.stepsLabel}">${texts.steps.map((text, index) => html`<li class="${index < current ? 'done' : ''}" ${when(index === current, () => html`aria-current="step"`)}>${text}</li>`)}</ol>`;
}

function archiveRows({ archives, nowMs }: RestoreChoiceModel, basePath: string): Markup {
  const { choose } = texts;
  const rows = archives.items.map(({ name, replicas, createdMs, sizeBytes, health }) => {
    const href = `${basePath}/restore${queryString({ storage: replicas[0]?.storage, name })}`;
    return html`<tr><th scope="row"><span class="name">${shown(name)}</span><span class="sub">${replicas.map(({ storage }) => shown(storage)).join(', ')} · ${ago(createdMs, nowMs)}</span></th><td>${healthSign(health)}</td><td class="number wide">${formatSize(sizeBytes)}</td><td class="number"><a class="button" href="${href}" aria-label="${shown(choose.useOf(name))}">${choose.use}</a></td></tr>`;
  });
  return html`<div class="table-wrap"><table class="stack"><thead><tr><th scope="col">${choose.archive}</th><th scope="col">${choose.state}</th><th scope="col" class="number wide">${choose.size}</th><th scope="col"><span class="unseen">${choose.use}</span></th></tr></thead><tbody>${rows}</tbody></table></div>`;
}

function storedPanel(model: RestoreChoiceModel, basePath: string): Markup {
  const { choose } = texts;
  const search = html`<form class="filters" method="get" action="${basePath}/restore" role="search" hx-get="${basePath}/restore" hx-target="#stored" hx-select="#stored" hx-swap="outerHTML" hx-trigger="input delay:250ms, submit">${textField({ id: 'find', name: 'text', type: 'search', label: choose.search, value: model.text, kind: 'grow' })}<button>${choose.find}</button></form>`;
  const found = model.archives.items.length === 0 ? empty(choose.none, choose.noneText) : archiveRows(model, basePath);
  return panel({
    title: choose.stored,
    note: html`<a href="${basePath}/archives">${choose.all}</a>`,
    flush: true,
    body: html`${search}<div id="stored">${found}</div>`,
  });
}

function uploadPanel({ uploads, nowMs }: RestoreChoiceModel, viewer: Viewer): Markup {
  const { choose } = texts;
  const form = postForm(viewer, {
    action: '/uploads',
    kind: 'form',
    isUpload: true,
    attributes: html`data-upload="${viewer.basePath}/api/v1/uploads" data-next="${viewer.basePath}/restore" data-uploading="${choose.uploading('{done}', '{total}')}" data-uploaded="${choose.uploaded}" data-waiting="${choose.uploadWaiting}" data-failed="${choose.uploadFailed('{reason}')}"`,
    body: html`<p class="quiet">${choose.uploadText}</p><div class="field"><label for="file">${choose.file}</label><input id="file" name="file" type="file" accept=".holdfast" required></div>
<div class="upload-progress" hidden><progress max="100" value="0" aria-label="${choose.uploadButton}"></progress><p class="sub" role="status"></p></div>
<div><button class="primary">${choose.uploadButton}</button></div>`,
  });
  const list = html`<ul class="lines">${uploads.map(({ id, name, sizeBytes, receivedBytes, isComplete, expiresMs }) => {
    const size = isComplete
      ? `${formatSize(sizeBytes)}, ${choose.complete}`
      : choose.incomplete(formatSize(receivedBytes), formatSize(sizeBytes));
    const link = html`<a class="name" href="${viewer.basePath}/restore${queryString({ upload: id })}">${shown(name)}</a>`;
    return html`<li><p class="pair">${isComplete ? link : html`<span class="name">${shown(name)}</span>`}<span class="quiet">${size}</span></p><p class="sub">${choose.expires} ${ago(expiresMs, nowMs)}</p></li>`;
  })}</ul>`;
  return html`${panel({ title: choose.upload, body: form })}${when(uploads.length > 0, () => panel({ title: choose.uploads, body: list }))}`;
}

/** The first step: one of the storages' archives, or an upload. */
export function restoreChoiceView(model: RestoreChoiceModel, viewer: Viewer): Markup {
  const { user, basePath } = viewer;
  return html`${pageHead({ title: texts.title, lead: texts.lead })}
${mayAdminister(user) ? nothing : notice('plain', texts.needsAdmin)}${steps(0)}
<div class="split even"><div>${storedPanel(model, basePath)}</div><div>${mayOperate(user) ? uploadPanel(model, viewer) : nothing}</div></div>`;
}

function verifyPanel(job: JobFacts | undefined, viewer: Viewer): Markup {
  if (job === undefined) return notice('plain', texts.open.notVerified);
  if (job.state === 'succeeded') return notice('well', texts.open.verified);
  return html`<section class="verify" aria-label="${texts.open.verifying}">${liveJob(job, viewer)}</section>`;
}

/** The steps behind the choice: open it; say what and where to; see what changes; restore. */
export function restoreView(model: RestoreModel, viewer: Viewer): Markup {
  const { source, contents, error, verifyJob, plan } = model;
  const head = pageHead({
    title: source.name,
    crumb: { href: `${viewer.basePath}/restore`, text: texts.title },
  });
  if (contents === undefined) {
    const form = postForm(viewer, {
      action: '/restore/open',
      kind: 'form',
      hidden: source.fields,
      body: html`<p class="quiet">${texts.open.text}</p>${keyFields('open')}<div><button class="primary">${texts.open.button}</button></div>`,
    });
    return html`${head}${steps(1)}${when(error, errorNotice)}${mayOperate(viewer.user) ? panel({ title: texts.open.title, body: form }) : notice('plain', texts.needsAdmin)}`;
  }
  return html`${head}${steps(plan?.actions === undefined ? 2 : 3)}${when(error, errorNotice)}
${verifyPanel(verifyJob, viewer)}${restoreForm({ ...model, contents }, viewer)}`;
}
