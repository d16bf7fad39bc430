import { html } from 'hono/html';
import { formatCount, formatSize } from '../../cli/format-value.ts';
import type { RestoreAction } from '../../operation/options.ts';
import { restoreTexts as texts } from '../texts/restore-texts.ts';
import { type Markup, shown, when } from './markup.ts';

/** What a restore does to each target, or would do. */
export function actionTable(actions: readonly RestoreAction[]): Markup {
  const { columns } = texts.plan;
  const rows = actions.map(
    ({ target, kind, action, entryCount, sizeBytes, undo }) =>
      html`<tr><th scope="row" class="name">${shown(target)}<span class="sub">${shown(kind)}</span></th><td>${texts.plan.actions[action] ?? action}${when(undo, (place) => html`<span class="sub name">${texts.plan.kept} ${shown(place)}</span>`)}</td><td class="number">${formatCount(entryCount)}</td><td class="number">${formatSize(sizeBytes)}</td></tr>`,
  );
  return html`<div class="table-wrap"><table><thead><tr><th scope="col">${columns.target}</th><th scope="col">${columns.action}</th><th scope="col" class="number">${columns.entries}</th><th scope="col" class="number">${columns.size}</th></tr></thead><tbody>${rows}</tbody></table></div>`;
}
