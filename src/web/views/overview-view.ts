import { html } from 'hono/html';
import { formatDuration, formatSize } from '../../cli/format-value.ts';
import type {
  CalendarDay,
  JobFacts,
  Overview,
  RunSummary,
  SourceFacts,
  StorageFacts,
} from '../services/web-services.ts';
import { overviewTexts as texts } from '../texts/overview-texts.ts';
import { sharedTexts } from '../texts/shared-texts.ts';
import { calendar } from './calendar.ts';
import { capacity, chart, sparkline } from './charts.ts';
import { firstStepsView } from './first-steps-view.ts';
import { mayOperate, type Viewer } from './forms.ts';
import { jobLine } from './job-view.ts';
import { type Markup, nothing, shown, when } from './markup.ts';
import { notice, pageHead, panel } from './parts.ts';
import { runSign, sourceSign } from './signs.ts';
import { ago } from './time.ts';

/** What the first page shows. */
export interface OverviewModel {
  readonly overview: Overview;
  readonly days: readonly CalendarDay[];
  readonly nowMs: number;
}

/** What needs a look comes first. */
const urgency = { failing: 0, suspect: 1, late: 2, unproven: 3, well: 4 } as const;

/** Why a source is not well, what to do, and where to see more. */
function troubleLines({ name, reasonText, remedyText, runId, error }: SourceFacts, basePath: string): Markup {
  const link = when(
    runId,
    (id) =>
      html` · <a href="${basePath}/runs/${encodeURIComponent(id)}" aria-label="${texts.whatHappened}: ${shown(name)}">${texts.whatHappened}</a>`,
  );
  const reason = error === undefined ? reasonText : texts.because(reasonText, error.message);
  return html`<span class="sub reason">${shown(reason)}</span><span class="sub">${shown(error?.hint || remedyText)}${link}</span>`;
}

function sourceRow(source: SourceFacts, nowMs: number, basePath: string): Markup {
  const { state, recentSizesBytes, sizeBytes } = source;
  const next =
    source.nextRunMs === undefined
      ? html`<span class="quiet">${texts.notScheduled}</span>`
      : ago(source.nextRunMs, nowMs);
  return html`<tr>
<th scope="row"><span class="name">${shown(source.name)}</span> <span class="sub clip" title="${shown(source.place)}">${sharedTexts.sourceKinds[source.kind]} · ${shown(source.place)}</span>
<span class="sub narrow">${texts.narrow.lastGood} ${ago(source.lastGoodMs, nowMs)}${when(source.nextRunMs, (timeMs) => html` · ${texts.narrow.next} ${ago(timeMs, nowMs)}`)}</span></th>
<td class="why">${sourceSign(state)}${state === 'well' ? nothing : troubleLines(source, basePath)}</td>
<td class="wide">${ago(source.lastGoodMs, nowMs)}</td>
<td class="wide">${source.lastDrillMs === undefined ? html`<span class="quiet">${texts.noDrill}</span>` : ago(source.lastDrillMs, nowMs)}${when(source.lastProofMs, (timeMs) => html`<span class="sub">${texts.readBack} ${ago(timeMs, nowMs)}</span>`)}</td>
<td class="wide">${next}${when(source.schedule, (text) => html`<span class="sub mono">${shown(text)}</span>`)}</td>
<td class="number">${sizeBytes === undefined ? html`<span class="quiet">${sharedTexts.none}</span>` : formatSize(sizeBytes)}<span class="sub">${sparkline(recentSizesBytes, texts.sizesText)}</span></td>
</tr>`;
}

function sourcesPanel(sources: readonly SourceFacts[], nowMs: number, basePath: string): Markup {
  const { columns } = texts;
  const sorted = [...sources].sort((left, right) => urgency[left.state] - urgency[right.state]);
  return html`<section class="panel" aria-label="${texts.sources}"><div class="table-wrap"><table class="sources">
<thead><tr><th scope="col">${columns.source}</th><th scope="col">${columns.state}</th><th scope="col" class="wide">${columns.lastGood}</th><th scope="col" class="wide">${columns.proof}</th><th scope="col" class="wide">${columns.next}</th><th scope="col" class="number">${columns.size}</th></tr></thead>
<tbody>${sorted.map((source) => sourceRow(source, nowMs, basePath))}</tbody></table></div></section>`;
}

function storageItem(storage: StorageFacts): Markup {
  const { name, backend, archiveCount, totalSizeBytes, freeBytes, error, enabled } = storage;
  const free = freeBytes === undefined ? texts.freeUnknown : texts.free(formatSize(freeBytes));
  return html`<li><p class="pair"><strong class="name">${shown(name)} <span class="tag">${shown(backend)}</span>${when(!enabled, () => html` <span class="tag">${texts.disabled}</span>`)}</strong><span>${texts.storageCounts(archiveCount, formatSize(totalSizeBytes))}</span></p>
${when(freeBytes, (bytes) => capacity(totalSizeBytes, bytes, free))}
<p class="sub">${error === undefined ? free : html`<span class="bad">${shown(error.message)}</span> ${shown(error.hint)}`}</p></li>`;
}

function runItem(run: RunSummary, nowMs: number, basePath: string): Markup {
  const { id, kind, subject, state, startedMs, durationMs } = run;
  return html`<tr><th scope="row"><a href="${basePath}/runs/${encodeURIComponent(id)}">${sharedTexts.kinds[kind] ?? kind}</a>${when(subject, (text) => html`<span class="sub name">${shown(text)}</span>`)}</th>
<td>${runSign(state)}</td><td class="number">${ago(startedMs, nowMs)}<span class="sub">${durationMs === undefined ? '' : formatDuration(durationMs)}</span></td></tr>`;
}

/** What runs now, asked for again while anything does. */
export function activePanel(jobs: readonly JobFacts[], viewer: Viewer): Markup {
  if (jobs.length === 0) return nothing;
  const body = html`<ul class="lines">${jobs.map((job) => jobLine(job, viewer))}</ul>`;
  return html`<div hx-get="${viewer.basePath}/jobs/running" hx-trigger="every 2s" hx-swap="outerHTML">${panel({ title: texts.active, body })}</div>`;
}

function trendPanels({ sources }: Overview, source: string): Markup {
  const jobs = [...new Set(sources.map(({ job }) => job))];
  const charts = [chart({ kind: 'size', source, names: jobs }), chart({ kind: 'duration', source, names: jobs })];
  return html`<div class="columns charts">${charts.map((figure) => html`<section class="panel"><div class="panel-body">${figure}</div></section>`)}</div>`;
}

/** The first page: whether backups are well, and if not, what to do. */
export function overviewView({ overview, days, nowMs }: OverviewModel, viewer: Viewer): Markup {
  const { basePath, user } = viewer;
  const { sources, storages, recentRuns, activeJobs, firstSteps } = overview;
  if (!firstSteps.hasBackup && recentRuns.length === 0) return firstStepsView(firstSteps, activeJobs, viewer);
  const trends = `${basePath}/trends.json`;
  const troubled = sources.length - overview.counts.well;
  const lead = troubled === 0 ? texts.allWell(sources.length) : texts.someNot(troubled, sources.length);
  const backUp = html`<a class="button primary" href="${basePath}/backup">${texts.backUpNow}</a>`;
  return html`${pageHead({ title: texts.title, lead, actions: mayOperate(user) ? backUp : undefined })}
${when(!overview.isScheduling, () => notice('plain', texts.notScheduling))}
${activePanel(activeJobs, viewer)}
${sourcesPanel(sources, nowMs, basePath)}
${panel({ title: texts.calendar, body: calendar(days) })}
<div class="columns">
${panel({ title: texts.storages, note: texts.storagesNote(overview.archiveCount, formatSize(overview.totalSizeBytes)), body: html`<ul class="storages">${storages.map(storageItem)}</ul>${chart({ kind: 'storage', source: trends, names: storages.map(({ name }) => name) })}` })}
${panel({ title: texts.recentRuns, note: html`<a href="${basePath}/runs">${texts.allRuns}</a>`, flush: true, body: html`<div class="table-wrap"><table><tbody>${recentRuns.slice(0, 6).map((run) => runItem(run, nowMs, basePath))}</tbody></table></div>` })}
</div>
${trendPanels(overview, trends)}`;
}
