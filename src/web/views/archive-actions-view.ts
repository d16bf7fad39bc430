import { html } from 'hono/html';
import type { ArchiveFacts } from '../services/web-services.ts';
import { archiveTexts } from '../texts/archive-texts.ts';
import { keyFields } from './contents-view.ts';
import { choice, mayAdminister, mayOperate, postForm, selectField, textField, type Viewer } from './forms.ts';
import { icon } from './icons.ts';
import { type Markup, nothing, shown } from './markup.ts';
import { panel, queryString } from './parts.ts';

const texts = archiveTexts.acts;

interface Act {
  readonly title: string;
  readonly text: string;
  readonly action: string;
  readonly hidden: Readonly<Record<string, string>>;
}

/** An action that reads contents: with the key of the configuration, or with one that is typed. */
function keyedAct({ title, text, action, hidden }: Act, viewer: Viewer): Markup {
  const id = action.replaceAll('/', '-').slice(1);
  const typed = postForm(viewer, {
    action,
    hidden,
    kind: 'form',
    body: html`${keyFields(id)}<div><button>${texts.start}</button></div>`,
  });
  return html`${plainAct({ title, text, action, hidden }, viewer)}<details class="act nested"><summary class="quiet">${texts.withKey}<span class="unseen"> (${title})</span></summary><div class="act-body">${typed}</div></details>`;
}

function plainAct({ title, text, action, hidden }: Act, viewer: Viewer): Markup {
  return postForm(viewer, {
    action,
    hidden,
    kind: 'act-row',
    body: html`<p>${title}<span class="sub">${text}</span></p><button>${texts.start}<span class="unseen"> (${title})</span></button>`,
  });
}

function pushAct({ name, replicas }: ArchiveFacts, storages: readonly string[], viewer: Viewer): Markup {
  const there = new Set(replicas.map(({ storage }) => storage));
  const options = storages.filter((storage) => !there.has(storage)).map((value) => ({ value, text: value }));
  const form = postForm(viewer, {
    action: '/archive/push',
    hidden: { name, storage: replicas[0]?.storage },
    kind: 'inline-form',
    body: html`${selectField({ id: 'push-to', name: 'to', label: texts.pushTo, options })}<button>${texts.pushButton}</button>`,
  });
  return html`<details class="act"><summary>${texts.push}</summary><div class="act-body">${options.length === 0 ? html`<p class="quiet">${texts.nowhere}</p>` : form}</div></details>`;
}

function deleteAct({ name, replicas }: ArchiveFacts, viewer: Viewer): Markup {
  const boxes = replicas.map(({ storage }) =>
    choice({ type: 'checkbox', name: 'storages', value: storage, text: shown(storage), isChosen: true }),
  );
  const form = postForm(viewer, {
    action: '/archive/delete',
    hidden: { name },
    kind: 'form',
    body: html`<fieldset><legend>${texts.deleteText}</legend><div class="choices">${boxes}</div></fieldset>
${textField({ id: 'delete-confirm', name: 'confirm', label: texts.deleteLabel, hint: shown(name), isRequired: true })}
<div><button class="danger">${texts.deleteButton}</button></div>`,
  });
  return html`<details class="act"><summary class="bad">${texts.delete}</summary><div class="act-body">${form}</div></details>`;
}

/** The way to a restore, for those who may. */
export function restoreLink({ name, replicas, format }: ArchiveFacts, { basePath, user }: Viewer): Markup | undefined {
  if (!mayAdminister(user) || format !== 'holdfast') return undefined;
  const href = `${basePath}/restore${queryString({ name, storage: replicas[0]?.storage })}`;
  return html`<a class="button primary" href="${href}">${icon('restore')}${texts.restore}</a>`;
}

/** What can be done with an archive, as far as the role allows it. */
export function archiveActions(archive: ArchiveFacts, storages: readonly string[], viewer: Viewer): Markup {
  const { name, replicas, isPinned, format } = archive;
  const storage = replicas[0]?.storage ?? '';
  if (!mayOperate(viewer.user)) return panel({ title: texts.title, body: html`<p class="quiet">${texts.only}</p>` });
  const place = { name, storage };
  const pin = plainAct(
    {
      title: isPinned ? texts.unpin : texts.pin,
      text: texts.pinText,
      action: isPinned ? '/archive/unpin' : '/archive/pin',
      hidden: { name },
    },
    viewer,
  );
  return panel({
    title: texts.title,
    flush: true,
    body: html`<div class="gap"></div>
${format === 'plain' ? nothing : keyedAct({ title: texts.verify, text: texts.verifyText, action: '/archive/verify', hidden: place }, viewer)}
${format === 'plain' ? nothing : keyedAct({ title: texts.drill, text: texts.drillText, action: '/archive/drill', hidden: place }, viewer)}
${plainAct({ title: texts.scrub, text: texts.scrubText, action: '/archive/scrub', hidden: { name } }, viewer)}
${pin}${pushAct(archive, storages, viewer)}${mayAdminister(viewer.user) ? deleteAct(archive, viewer) : nothing}`,
  });
}
