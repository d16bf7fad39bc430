import { html } from 'hono/html';
import { formatSize } from '../../cli/format-value.ts';
import type { ArchiveSummary } from '../../operation/options.ts';
import type { ArchiveFacts, JobFacts, ReplicaFacts, ShownError } from '../services/web-services.ts';
import { archiveTexts as texts } from '../texts/archive-texts.ts';
import { archiveActions, restoreLink } from './archive-actions-view.ts';
import { blockMapView, type StorageMap } from './block-map-view.ts';
import { type ContentsModel, contentsView } from './contents-view.ts';
import { mayOperate, type Viewer } from './forms.ts';
import { icon } from './icons.ts';
import { jobLine } from './job-view.ts';
import { type Markup, nothing, shown, when } from './markup.ts';
import { errorNotice, facts, notice, pageHead, panel } from './parts.ts';
import { healthSign } from './signs.ts';
import { ago, moment } from './time.ts';

/** What the page of an archive shows. */
export interface ArchiveModel extends Omit<ContentsModel, 'archive'> {
  readonly archive: ArchiveFacts;
  readonly header: (ArchiveSummary & { readonly sizeBytes: number }) | undefined;
  readonly headerError?: ShownError | undefined;
  readonly maps: readonly StorageMap[];
  /** All storages of the configuration. */
  readonly storages: readonly string[];
  /** What is at work on it now. */
  readonly jobs: readonly JobFacts[];
  readonly nowMs: number;
}

function slotList({ slots }: ArchiveSummary, nowMs: number): Markup {
  if (slots.length === 0) return html`<span>${texts.unsealed}</span>`;
  return html`<ul>${slots.map(({ type, label, createdMs }) => html`<li><span class="name">${label === '' ? texts.slotTypes[type] : shown(label)}</span><span class="sub">${texts.slotTypes[type]}, ${ago(createdMs, nowMs)}</span></li>`)}</ul>`;
}

function factsPanel({ archive, header, headerError, nowMs }: ArchiveModel): Markup {
  const { createdMs, sizeBytes, series, lastProofMs, lastCheckMs, format } = archive;
  const known: (readonly [string, Markup | string] | undefined)[] = [
    [texts.made, moment(createdMs)],
    [texts.size, formatSize(sizeBytes)],
    series === undefined ? undefined : [texts.series, shown(series)],
    [texts.lastProof, ago(lastProofMs, nowMs)],
    [texts.lastCheck, ago(lastCheckMs, nowMs)],
  ];
  const technical: (readonly [string, Markup | string])[] =
    header === undefined
      ? []
      : [
          [texts.slots, slotList(header, nowMs)],
          [texts.encryption, header.encryption === 'none' ? texts.unsealed : header.encryption],
          [texts.compression, header.compression],
          [texts.copies, `${header.copies}`],
          [texts.parity, texts.parityText(header.dataBlocks, header.parityBlocks)],
          [texts.archiveId, html`<code>${header.archiveId}</code>`],
        ];
  return panel({
    title: texts.facts,
    body: html`${when(headerError, (error) => errorNotice({ ...error, message: `${texts.headerFailed} ${error.message}` }))}${format === 'plain' ? notice('plain', texts.plain) : nothing}${facts([...known, ...technical])}`,
  });
}

function replicaRow(name: string, replica: ReplicaFacts, differs: boolean, viewer: Viewer): Markup {
  const { storage, url, sizeBytes, health, keptBy, lockedUntilMs } = replica;
  const href = `${viewer.basePath}/download/${encodeURIComponent(storage)}/${encodeURIComponent(name)}`;
  const download = html`<a class="button" href="${href}" aria-label="${shown(texts.downloadFrom(storage))}" download>${icon('download')}<span class="wide-text">${texts.download}</span></a>`;
  return html`<tr><th scope="row" class="name">${shown(storage)}<span class="sub mono name wide">${shown(url)}</span>${when(lockedUntilMs, (timeMs) => html`<span class="sub">${texts.locked} ${moment(timeMs)}</span>`)}</th>
${differs ? html`<td class="wide">${keptBy.length === 0 ? html`<span class="tag warn">${texts.leaving}</span>` : shown(keptBy.join(', '))}</td>` : nothing}
<td>${healthSign(health)}</td><td class="number">${formatSize(sizeBytes)}</td><td class="number">${mayOperate(viewer.user) ? download : nothing}</td></tr>`;
}

function placesPanel({ name, replicas, keptBy }: ArchiveFacts, viewer: Viewer): Markup {
  const why = keptBy.length === 0 ? texts.keepsNothing : html`${texts.columns.kept} ${shown(keptBy.join(', '))}`;
  const { columns } = texts;
  const differs = new Set(replicas.map((replica) => replica.keptBy.join())).size > 1;
  return panel({
    title: texts.places,
    note: why,
    flush: true,
    body: html`<div class="table-wrap"><table><thead><tr><th scope="col">${texts.storage}</th>${differs ? html`<th scope="col" class="wide">${columns.kept}</th>` : nothing}<th scope="col">${columns.state}</th><th scope="col" class="number">${columns.size}</th><th scope="col"><span class="unseen">${texts.download}</span></th></tr></thead><tbody>${replicas.map((replica) => replicaRow(name, replica, differs, viewer))}</tbody></table></div>`,
  });
}

/** An archive: what it is, where it lies, how its blocks are, what it holds, and what can be done with it. */
export function archiveView(model: ArchiveModel, viewer: Viewer): Markup {
  const { archive, maps, jobs, nowMs } = model;
  const { basePath, user } = viewer;
  const readers = ['inspect', 'verify', 'scrub', 'drill'];
  const job = jobs.find(({ kind }) => readers.includes(kind));
  const head = pageHead({
    title: archive.name,
    crumb: { href: `${basePath}/archives`, text: texts.title },
    actions: restoreLink(archive, viewer),
    lead: html`${healthSign(archive.health)}${when(archive.isPinned, () => html` <span class="tag">${icon('pin')}${texts.pinned}</span>`)}`,
  });
  const map = blockMapView({ name: archive.name, maps, job, nowMs, mayLook: mayOperate(user) }, viewer);
  return html`${head}
<div id="archive-jobs">${when(jobs.length > 0, () => html`<section class="panel"><div class="panel-body"><ul class="lines">${jobs.map((active) => jobLine(active, viewer))}</ul></div></section>`)}</div>
<div class="split"><div>
${archive.format === 'plain' ? nothing : map}
${placesPanel(archive, viewer)}
${contentsView(model, viewer)}
</div><aside aria-label="${texts.acts.title}">${archiveActions(archive, model.storages, viewer)}${factsPanel(model)}</aside></div>`;
}
