import { html } from 'hono/html';
import { blockSizeBytes, Layout } from '../../archive/heal/geometry.ts';
import { formatMoment, formatSize } from '../../cli/format-value.ts';
import type { BlockMapFacts, JobFacts } from '../services/web-services.ts';
import { archiveTexts, type CellState } from '../texts/archive-texts.ts';
import { postForm, type Viewer } from './forms.ts';
import { jobPath } from './job-view.ts';
import { type Markup, nothing, shown, when } from './markup.ts';
import { panel, queryString } from './parts.ts';
import { ago } from './time.ts';

const texts = archiveTexts.map;

/** What is known of the blocks of an archive on one storage. */
export interface StorageMap {
  readonly storage: string;
  readonly map: BlockMapFacts | undefined;
}

/** What the part of a page with the block maps shows. */
export interface BlockMapModel {
  readonly name: string;
  readonly maps: readonly StorageMap[];
  /** What reads its blocks now. */
  readonly job: JobFacts | undefined;
  readonly nowMs: number;
  readonly mayLook: boolean;
}

/** How much of each cell is parity: a digit from 0 to 9 for each. Where the outline is not known, nothing is said. */
export function parityOfCells(map: BlockMapFacts, cellCount: number): string {
  const layout = Layout.fromTotalBlocks(map.perCopy, map);
  if (layout === undefined || cellCount === 0) return '0'.repeat(cellCount);
  const parityBlocks = new Array<number>(cellCount).fill(0);
  const cellSize = map.perCopy / cellCount;
  for (let band = 0; band < layout.bands; band++) {
    const { stripes, parityRows } = layout.bandGeometry(band);
    const start = layout.parityPosition(band, 0);
    const end = start + stripes * parityRows;
    for (let index = Math.floor(start / cellSize); index < cellCount && index * cellSize < end; index++) {
      const overlap = Math.min(end, (index + 1) * cellSize) - Math.max(start, index * cellSize);
      parityBlocks[index] = (parityBlocks[index] ?? 0) + Math.max(0, overlap);
    }
  }
  return parityBlocks.map((count) => Math.min(9, Math.round((count / cellSize) * 9))).join('');
}

const cellStates: Readonly<Record<string, CellState>> = {
  '.': 'unread',
  '=': 'good',
  '~': 'healed',
  '+': 'damaged',
  '#': 'lost',
};

/** A copy in words. */
export function copyWords(cells: string): string {
  const counts = { good: 0, healed: 0, damaged: 0, lost: 0, unread: 0 };
  for (const cell of cells) counts[cellStates[cell] ?? 'unread']++;
  return texts.text(counts);
}

/** All copies in words. */
export function mapWords({ perCopy, damaged, solved, lost }: BlockMapFacts): string {
  return texts.counts(perCopy, damaged, solved, lost);
}

function copyFigure(cells: string, index: number, map: BlockMapFacts): Markup {
  const words = copyWords(cells);
  return html`<figure class="block-map"><figcaption><span class="strong">${texts.copy(index + 1)}</span><span class="quiet" data-words>${words}</span></figcaption>
<canvas data-copy="${index}" data-cells="${cells}" data-parity="${parityOfCells(map, cells.length)}" data-blocks="${map.perCopy}" role="img" aria-label="${texts.title}, ${texts.copy(index + 1)}: ${words}"></canvas></figure>`;
}

const shownPlaces = 50;

/** What is not good, place by place: for those who do not see the drawing, or want the numbers. */
function placesTable({ copies, perCopy }: BlockMapFacts): Markup {
  const places = copies.flatMap((cells, copy) =>
    [...cells.matchAll(/([~+#])\1*/g)].map((match) => {
      const firstBlock = Math.ceil((match.index * perCopy) / cells.length);
      const endBlock = Math.ceil(((match.index + match[0].length) * perCopy) / cells.length);
      return { copy, state: cellStates[match[1] ?? ''] ?? 'unread', firstBlock, endBlock };
    }),
  );
  if (places.length === 0) return nothing;
  const { columns } = texts;
  const rows = places.slice(0, shownPlaces).map(({ copy, state, firstBlock, endBlock }) => {
    const offset = formatSize((copy * perCopy + firstBlock) * blockSizeBytes);
    return html`<tr><td>${copy + 1}</td><td>${texts.blocks(firstBlock, endBlock - 1)}</td><td class="number">${offset}</td><td><span class="swatch ${state}"></span> ${texts.legend[state]}</td></tr>`;
  });
  const more = places.length - rows.length;
  return html`<details class="map-places"><summary>${texts.places(places.length)}</summary><div class="table-wrap" tabindex="0" role="region" aria-label="${texts.places(places.length)}"><table><thead><tr><th scope="col">${columns.copy}</th><th scope="col">${columns.blocks}</th><th scope="col" class="number">${columns.offset}</th><th scope="col">${columns.state}</th></tr></thead><tbody>${rows}</tbody></table></div>${more > 0 ? html`<p class="sub">${texts.more(more)}</p>` : nothing}</details>`;
}

function storageMap({ storage, map }: StorageMap, model: BlockMapModel, viewer: Viewer): Markup {
  const look = postForm(viewer, {
    action: '/archive/inspect',
    hidden: { name: model.name, storage },
    body: html`<button aria-label="${shown(texts.lookOn(storage))}">${texts.look}</button>`,
  });
  const button = model.mayLook && model.job === undefined ? look : nothing;
  if (map === undefined) {
    return html`<div class="map-place"><div class="map-head"><h3 class="name">${shown(storage)}</h3>${button}</div><p class="quiet">${texts.none}</p></div>`;
  }
  const { perCopy, copies, lookedMs } = map;
  const scale = Math.ceil(perCopy / Math.max(1, copies[0]?.length ?? 1));
  return html`<div class="map-place" data-storage="${storage}"><div class="map-head"><h3 class="name">${shown(storage)} <span class="quiet" title="${formatMoment(lookedMs)}">${texts.looked} ${ago(lookedMs, model.nowMs)}</span></h3>${button}</div>
<div class="copies">${copies.map((cells, index) => copyFigure(cells, index, map))}</div>
<p class="sub"><span data-counts>${mapWords(map)}</span> ${texts.scale(scale)}</p>${placesTable(map)}</div>`;
}

/** Where an archive is whole, healed or lost, for both copies on each storage. */
export function blockMapView(model: BlockMapModel, viewer: Viewer): Markup {
  const { maps, job, name } = model;
  const isPartly = job !== undefined || maps.some(({ map }) => map?.copies.some((cells) => cells.includes('.')));
  const kinds = ['good', 'parity', 'healed', 'damaged', 'lost', ...(isPartly ? (['unread'] as const) : [])] as const;
  const legend = html`<p class="legend">${kinds.map((kind) => html`<span><span class="swatch ${kind}"></span>${texts.legend[kind]}</span>`)}</p>`;
  const running = when(
    job,
    (facts) =>
      html`<p class="map-running" data-map-blocks="${viewer.basePath}/archive/blocks${queryString({ name, job: facts.id })}"><a href="${viewer.basePath}${jobPath(facts)}">${texts.running}</a></p>`,
  );
  return panel({
    id: 'maps',
    title: texts.title,
    note: maps.some(({ map }) => map !== undefined) ? legend : undefined,
    body: html`${running}<div class="maps">${maps.map((place) => storageMap(place, model, viewer))}</div>`,
  });
}
