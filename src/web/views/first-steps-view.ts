import { html } from 'hono/html';
import type { JobFacts, Overview } from '../services/web-services.ts';
import { overviewTexts } from '../texts/overview-texts.ts';
import { mayOperate, postForm, type Viewer } from './forms.ts';
import { icon } from './icons.ts';
import { jobLine } from './job-view.ts';
import { type Markup, nothing, when } from './markup.ts';
import { pageHead, panel } from './parts.ts';

const texts = overviewTexts.first;

interface Step {
  readonly title: string;
  readonly text: string;
  readonly isDone: boolean;
  readonly more: Markup;
}

function stepItem({ title, text, isDone, more }: Step, isNext: boolean): Markup {
  const state = isDone ? 'done' : isNext ? 'next' : '';
  return html`<li class="${state}" ${when(isNext, () => html`aria-current="step"`)}><div><h2>${title}${when(isDone, () => html` <span class="state tone-well">${icon('check')}${texts.done}</span>`)}</h2><p class="quiet">${text}</p>${isDone ? nothing : more}</div></li>`;
}

/** What stands where nothing was backed up yet: the way to the first backup in three steps. */
export function firstStepsView(steps: Overview['firstSteps'], jobs: readonly JobFacts[], viewer: Viewer): Markup {
  const { hasSources, hasKey, hasBackup } = steps;
  const settings = html`<p><a href="${viewer.basePath}/settings/configuration">${texts.settings}</a></p>`;
  const button = (isReady: boolean) =>
    html`<button class="primary" ${when(!isReady, () => html`disabled`)}>${texts.run}</button>`;
  const isReady = hasSources && hasKey;
  const all: Step[] = [
    {
      title: texts.sourceTitle,
      text: texts.sourceText,
      isDone: hasSources,
      more: html`<pre class="example">${texts.sourceExample}</pre>${settings}`,
    },
    { title: texts.keyTitle, text: texts.keyText, isDone: hasKey, more: settings },
    {
      title: texts.runTitle,
      text: texts.runText,
      isDone: hasBackup,
      more: mayOperate(viewer.user) ? postForm(viewer, { action: '/backup', body: button(isReady) }) : nothing,
    },
  ];
  const next = all.findIndex(({ isDone }) => !isDone);
  const running = html`<ul class="lines">${jobs.map((job) => jobLine(job, viewer))}</ul>`;
  return html`${pageHead({ title: texts.title, lead: texts.lead })}
${when(jobs.length > 0, () => panel({ title: overviewTexts.active, body: running }))}
<section class="panel"><ol class="first-steps">${all.map((step, index) => stepItem(step, index === next))}</ol></section>`;
}
