import { html } from 'hono/html';
import type { JobFacts, SettingsServices } from '../services/web-services.ts';
import { runTexts } from '../texts/run-texts.ts';
import { mayOperate, postForm, selectField, textField, type Viewer } from './forms.ts';
import { icon } from './icons.ts';
import { jobLine, jobPath, jobTitle } from './job-view.ts';
import { type Markup, nothing, shown, when } from './markup.ts';
import { empty, notice, pageHead, panel } from './parts.ts';
import { runSign } from './signs.ts';
import { ago } from './time.ts';

const texts = runTexts.backup;

type ScheduledJob = Awaited<ReturnType<SettingsServices['jobs']>>[number];

/** What the page for backing up shows. */
export interface BackupModel {
  readonly jobs: readonly ScheduledJob[];
  /** Names of what each job backs up. */
  readonly sources: ReadonlyMap<string, readonly string[]>;
  /** Jobs started here: those that run, and the last ones. */
  readonly started: readonly JobFacts[];
  readonly nowMs: number;
}

function jobRow(scheduled: ScheduledJob, model: BackupModel, viewer: Viewer): Markup {
  const { job, enabled, schedule, timezone, nextMs } = scheduled;
  const start = postForm(viewer, {
    action: '/backup',
    hidden: { job },
    body: html`<button>${texts.now}<span class="unseen"> (${shown(job)})</span></button>`,
  });
  const off = html` <span class="tag">${texts.disabled}</span>`;
  return html`<tr><th scope="row"><span class="name">${shown(job)}</span>${enabled ? nothing : off}<span class="sub name">${(model.sources.get(job) ?? []).map(shown).join(', ')}</span></th>
<td class="wide">${schedule === '' ? html`<span class="quiet">${texts.byHand}</span>` : html`<span class="mono">${shown(schedule)}</span><span class="sub">${shown(timezone)}</span>`}</td>
<td class="nowrap">${ago(nextMs[0], model.nowMs, texts.byHand)}</td><td class="number">${mayOperate(viewer.user) ? start : nothing}</td></tr>`;
}

function jobsPanel(model: BackupModel, viewer: Viewer): Markup {
  if (model.jobs.length === 0)
    return panel({ title: texts.jobs, flush: true, body: empty(texts.none, texts.noneText) });
  return panel({
    title: texts.jobs,
    flush: true,
    body: html`<div class="table-wrap"><table><thead><tr><th scope="col">${texts.job}</th><th scope="col" class="wide">${texts.schedule}</th><th scope="col">${texts.next}</th><th scope="col"><span class="unseen">${texts.now}</span></th></tr></thead><tbody>${model.jobs.map((job) => jobRow(job, model, viewer))}</tbody></table></div>`,
  });
}

function downloadPanel({ jobs }: BackupModel, viewer: Viewer): Markup {
  const options = [{ value: '', text: texts.everything }, ...jobs.map(({ job }) => ({ value: job, text: job }))];
  const form = postForm(viewer, {
    action: '/download',
    kind: 'form',
    body: html`<p class="quiet">${texts.downloadText}</p>
${jobs.length > 1 ? selectField({ id: 'download-job', name: 'job', label: texts.what, options }) : nothing}
${textField({ id: 'download-passphrase', name: 'passphrase', type: 'password', label: texts.passphrase, hint: texts.passphraseHint, autocomplete: 'new-password', isRequired: true })}
${textField({ id: 'download-repeat', name: 'repeat', type: 'password', label: texts.repeat, autocomplete: 'new-password', isRequired: true })}
<div><button>${icon('download')}${texts.downloadButton}</button></div>`,
  });
  return panel({ title: texts.download, body: form });
}

function startedPanel({ started, nowMs }: BackupModel, viewer: Viewer): Markup {
  const running = started.filter(({ state }) => state === 'running');
  const ended = started.filter(({ state }) => state !== 'running').slice(0, 5);
  const lines = html`<ul class="lines">${running.map((job) => jobLine(job, viewer))}</ul>`;
  const list = html`<ul class="lines">${ended.map((job) => html`<li class="pair"><a href="${viewer.basePath}${jobPath(job)}">${shown(jobTitle(job))}</a><span>${runSign(job.state)} <span class="quiet">${ago(job.startedMs, nowMs)}</span></span></li>`)}</ul>`;
  return html`${when(running.length > 0, () => panel({ title: texts.running, body: lines }))}${when(ended.length > 0, () => panel({ title: texts.recent, body: list }))}`;
}

/** Backing up by hand: by job, all at once, or into a download. */
export function backupView(model: BackupModel, viewer: Viewer): Markup {
  const all = postForm(viewer, { action: '/backup', body: html`<button class="primary">${texts.all}</button>` });
  const may = mayOperate(viewer.user);
  const hasJobs = model.jobs.length > 0;
  return html`${pageHead({ title: texts.title, lead: texts.lead, actions: may && hasJobs ? all : undefined })}
${may ? nothing : notice('plain', texts.viewer)}
<div class="split even"><div>${startedPanel(model, viewer)}${jobsPanel(model, viewer)}</div><div>${may && hasJobs ? downloadPanel(model, viewer) : nothing}</div></div>`;
}
