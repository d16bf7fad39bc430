import { html } from 'hono/html';
import { formatDuration, formatRate, formatSize } from '../../cli/format-value.ts';
import type { JobFacts, JobProgress, LogLine } from '../services/web-services.ts';
import { runTexts } from '../texts/run-texts.ts';
import { sharedTexts } from '../texts/shared-texts.ts';
import { mayAdminister, mayOperate, postForm, type Viewer } from './forms.ts';
import { type Markup, nothing, shown, when } from './markup.ts';
import { errorNotice, notice, panel } from './parts.ts';
import { actionTable } from './plan-view.ts';
import { runSign } from './signs.ts';
import { clockTime, moment } from './time.ts';

const texts = runTexts.job;

/** A job's page. */
export function jobPath({ id }: Pick<JobFacts, 'id'>): string {
  return `/jobs/${encodeURIComponent(id)}`;
}

/** What a job is, for people. */
export function jobTitle({ kind, subject }: JobFacts): string {
  const name = sharedTexts.kinds[kind] ?? kind;
  return subject === '' ? name : `${name} · ${subject}`;
}

function percentOf({ doneBytes, totalBytes }: Pick<JobProgress, 'doneBytes' | 'totalBytes'>): number | undefined {
  if (totalBytes <= 0) return undefined;
  return Math.min(100, Math.floor((doneBytes / totalBytes) * 100));
}

function bar(progress: Pick<JobProgress, 'doneBytes' | 'totalBytes'> | undefined, label: string): Markup {
  const percent = progress && percentOf(progress);
  const value = percent === undefined ? nothing : html`value="${percent}"`;
  return html`<progress max="100" ${value} aria-label="${shown(label)}">${percent === undefined ? '' : sharedTexts.percent(percent)}</progress>`;
}

function progressWords(progress: JobProgress): string {
  const { phase, doneBytes, totalBytes, bytesPerSecond, leftMs, doneRows } = progress;
  const percent = percentOf(progress);
  return [
    percent === undefined ? undefined : sharedTexts.percent(percent),
    runTexts.run.phases_[phase] ?? phase,
    totalBytes > 0
      ? texts.done(formatSize(Math.min(doneBytes, totalBytes)), formatSize(totalBytes))
      : formatSize(doneBytes),
    bytesPerSecond === undefined ? undefined : formatRate(bytesPerSecond, 1000),
    leftMs === undefined ? undefined : texts.left(formatDuration(leftMs)),
    doneRows === undefined ? undefined : texts.rows(doneRows),
  ]
    .filter((word) => word !== undefined)
    .join(' · ');
}

/** A job in a list of those that run: what, how far, and the way to it. */
export function jobLine(job: JobFacts, { basePath }: Viewer): Markup {
  const { progress } = job;
  return html`<li class="job-line"><p class="pair"><a href="${basePath}${jobPath(job)}">${shown(jobTitle(job))}</a><span class="quiet">${progress === undefined ? texts.waiting : progressWords(progress)}</span></p>${bar(progress, jobTitle(job))}</li>`;
}

function partsTable({ parts }: JobProgress): Markup {
  if (parts.length === 0) return nothing;
  const rows = parts.map((part) => {
    const { name, doneBytes, totalBytes, isDone } = part;
    const words =
      isDone || totalBytes === 0 ? formatSize(doneBytes) : texts.done(formatSize(doneBytes), formatSize(totalBytes));
    return html`<tr><th scope="row" class="name">${shown(name)}</th><td class="bar">${isDone ? texts.partDone : bar(part, name)}</td><td class="number">${words}</td></tr>`;
  });
  return panel({
    title: texts.parts,
    flush: true,
    body: html`<div class="table-wrap"><table class="stack"><thead class="unseen"><tr><th scope="col">${texts.part}</th><th scope="col">${texts.partState}</th><th scope="col">${runTexts.columns.size}</th></tr></thead><tbody>${rows}</tbody></table></div>`,
  });
}

/** Lines as they were told. */
export function logView(log: readonly LogLine[], absent: string): Markup {
  const lines = log.map(({ timeMs, text }) => html`${clockTime(timeMs)}  ${shown(text)}\n`);
  return panel({
    title: texts.log,
    flush: true,
    body:
      log.length === 0
        ? html`<div class="panel-body quiet">${absent}</div>`
        : html`<pre class="log" tabindex="0" aria-label="${texts.log}">${lines}</pre>`,
  });
}

function undoPanel(job: JobFacts, viewer: Viewer): Markup {
  const kept = (job.actions ?? []).filter(({ undo }) => undo !== undefined);
  if (job.kind !== 'restore' || job.state === 'running' || kept.length === 0 || !mayAdminister(viewer.user))
    return nothing;
  const forms = kept.map(({ target, kind, undo }) =>
    postForm(viewer, {
      action: '/restore/undo',
      kind: 'act-row',
      hidden: kind === 'files' ? { files: target } : { to: target },
      body: html`<p class="name">${shown(target)}<span class="sub name">${shown(undo ?? '')}</span></p><button>${texts.undoButton}<span class="unseen"> ${shown(target)}</span></button>`,
    }),
  );
  return panel({
    title: texts.undo,
    flush: true,
    body: html`<p class="panel-body quiet">${texts.undoText}</p>${forms}`,
  });
}

function progressPanel(job: JobFacts, viewer: Viewer): Markup {
  const { progress } = job;
  const cancel = postForm(viewer, {
    action: `${jobPath(job)}/cancel`,
    body: html`<button class="danger" title="${texts.cancelText}">${texts.cancel}</button>`,
  });
  return html`<section class="panel" aria-label="${texts.progress}"><div class="panel-body progress-body"><div><p class="strong" data-announce>${progress === undefined ? texts.waiting : progressWords(progress)}</p>${bar(progress, texts.progress)}${when(progress?.entry, (entry) => html`<p class="sub name">${shown(entry)}</p>`)}</div>${mayOperate(viewer.user) ? cancel : nothing}</div></section>`;
}

/** All of a job that changes while it runs. */
export function jobBody(job: JobFacts, viewer: Viewer): Markup {
  const { basePath } = viewer;
  const isRunning = job.state === 'running';
  const links = [
    when(
      job.runId,
      (id) => html`<a class="button" href="${basePath}/runs/${encodeURIComponent(id)}">${texts.toRun}</a>`,
    ),
    when(
      job.place,
      (place) =>
        html`<a class="button" href="${basePath}/archive?name=${encodeURIComponent(place.name)}">${texts.toArchive}</a>`,
    ),
  ];
  return html`<p class="job-state">${runSign(job.state)} <span class="quiet">${texts.startedBy(shown(job.startedBy))}, ${moment(job.startedMs)}${when(job.endedMs, (endedMs) => html` · ${formatDuration(endedMs - job.startedMs)}`)}</span></p>
${isRunning ? progressPanel(job, viewer) : nothing}
${when(job.error, (error) => errorNotice(error))}
${when(isRunning && job.progress, (progress) => partsTable(progress))}
${when(job.actions, (actions) => panel({ title: job.result?.['dryRun'] === true ? texts.changesDry : texts.changes, flush: true, body: actionTable(actions) }))}
${undoPanel(job, viewer)}
${logView(job.log, texts.noLog)}
${when(job.result, (result) => html`<details class="panel more"><summary>${texts.report}</summary><pre class="log" tabindex="0" aria-label="${texts.report}">${shownJson(result)}</pre></details>`)}
${isRunning ? nothing : html`<p class="actions">${links}</p>`}`;
}

/** JSON for people. Names in it are made harmless line by line. */
export function shownJson(value: object): string {
  return JSON.stringify(value, undefined, 2).split('\n').map(shown).join('\n');
}

/** The part of a page that follows a job; without scripts a reload shows how far it is. */
export function liveJob(job: JobFacts, viewer: Viewer): Markup {
  const live = job.state === 'running' ? html`data-live="${viewer.basePath}${jobPath(job)}/events"` : nothing;
  return html`<div id="job" ${live}>${jobBody(job, viewer)}</div><p class="unseen" role="status" id="job-status"></p>`;
}

/** What stands where a job is no longer remembered. */
export function goneJob(): Markup {
  return notice('plain', texts.gone);
}
