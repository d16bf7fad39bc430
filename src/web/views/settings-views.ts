import { html } from 'hono/html';
import { formatSize } from '../../cli/format-value.ts';
import type { Diagnosis } from '../../operation/doctor.ts';
import type { ArchiveSummary } from '../../operation/options.ts';
import type { NotifierFacts, SettingsServices, ShownError, StorageFacts } from '../services/web-services.ts';
import { archiveTexts } from '../texts/archive-texts.ts';
import { overviewTexts } from '../texts/overview-texts.ts';
import { settingTexts as texts } from '../texts/setting-texts.ts';
import { mayAdminister, mayOperate, postForm, type Viewer } from './forms.ts';
import { shownJson } from './job-view.ts';
import { type Markup, nothing, shown, when } from './markup.ts';
import { empty, errorNotice, notice, panel, queryString } from './parts.ts';
import { settingsFrame } from './settings-frame.ts';
import { diagnosisSign } from './signs.ts';
import { ago, moment } from './time.ts';

function checkResult({ lastCheck }: StorageFacts, nowMs: number): Markup {
  if (lastCheck === undefined) return html`<p class="quiet">${texts.storages.neverChecked}</p>`;
  const { passed, steps, leftovers, checkedMs } = lastCheck;
  const wrong = steps.filter(({ state }) => state === 'failed');
  const sign = diagnosisSign(passed ? 'ok' : 'failed');
  return html`<p>${sign} <span class="quiet">${texts.storages.checked} ${ago(checkedMs, nowMs)}</span></p>
${wrong.map(({ name, error }) => errorNotice({ code: error?.code ?? '', message: `${name}: ${error?.message ?? ''}`, hint: error?.hint ?? '' }))}
${when(leftovers.length > 0, () => html`<p class="sub">${texts.storages.leftovers} ${leftovers.map(shown).join(', ')}</p>`)}
<details class="inner"><summary class="quiet">${texts.storages.step}</summary><ul class="lines">${steps.map(({ name, state }) => html`<li class="pair"><span>${shown(name)}</span><span class="quiet">${texts.storages.steps[state] ?? state}</span></li>`)}</ul></details>`;
}

function storagePanel(storage: StorageFacts, nowMs: number, viewer: Viewer): Markup {
  const { name, backend, place, warnings, archiveCount, totalSizeBytes, freeBytes, error, enabled } = storage;
  const check = postForm(viewer, {
    action: '/settings/storages/check',
    hidden: { name },
    body: html`<button title="${texts.storages.checkText}" aria-label="${shown(texts.storages.checkOf(name))}">${texts.storages.check}</button>`,
  });
  const free = freeBytes === undefined ? '' : ` · ${overviewTexts.free(formatSize(freeBytes))}`;
  return html`<section class="panel"><div class="panel-body storage"><div class="map-head"><div><h2 class="name">${shown(name)} <span class="tag">${shown(backend)}</span>${enabled ? nothing : html` <span class="tag">${overviewTexts.disabled}</span>`}</h2>
<p class="sub mono name">${shown(place)}</p><p class="quiet">${overviewTexts.storageCounts(archiveCount, formatSize(totalSizeBytes))}${free}</p></div>${mayOperate(viewer.user) ? check : nothing}</div>
${when(error, errorNotice)}${warnings.map((warning) => notice('late', shown(warning)))}${checkResult(storage, nowMs)}</div></section>`;
}

/** Storages, with what their checks found. */
export function storagesView(storages: readonly StorageFacts[], nowMs: number, viewer: Viewer): Markup {
  const none = html`<section class="panel">${empty(texts.storages.none, texts.storages.noneText)}</section>`;
  const panels = storages.map((storage) => storagePanel(storage, nowMs, viewer));
  return settingsFrame('storages', viewer, html`${storages.length === 0 ? none : panels}`);
}

/** The configuration in effect. */
export function configurationView(
  given: {
    readonly configuration: Awaited<ReturnType<SettingsServices['configuration']>>;
    readonly jobs: Awaited<ReturnType<SettingsServices['jobs']>>;
    readonly nowMs: number;
  },
  viewer: Viewer,
): Markup {
  const { configuration, jobs } = given;
  const { configuration: words } = texts;
  const rows = jobs.map(
    ({ job, enabled, schedule, timezone, nextMs }) =>
      html`<tr><th scope="row" class="name">${shown(job)}${enabled ? nothing : html` <span class="tag">${words.disabled}</span>`}</th><td class="whole-line"><span class="mono">${shown(schedule)}</span> <span class="sub">${shown(timezone)}</span></td><td class="whole-line">${nextMs.map((timeMs) => html`<span class="line">${moment(timeMs)}</span>`)}</td></tr>`,
  );
  const schedule = panel({
    title: words.jobs,
    flush: true,
    body: html`<div class="table-wrap"><table class="stack"><thead><tr><th scope="col">${words.job}</th><th scope="col">${words.schedule}</th><th scope="col">${words.next}</th></tr></thead><tbody>${rows}</tbody></table></div>`,
  });
  const shownFile = panel({
    title: texts.tabs.configuration,
    note: html`<code>${shown(configuration.file)}</code>`,
    flush: true,
    body: html`<p class="panel-body quiet">${words.text}</p><pre class="log tall" tabindex="0" aria-label="${texts.tabs.configuration}">${shownJson(configuration.shown)}</pre>`,
  });
  return settingsFrame('configuration', viewer, html`${jobs.length > 0 ? schedule : nothing}${shownFile}`);
}

/** What a test of a notifier came to. */
export type TestedNotifier = Awaited<ReturnType<SettingsServices['testNotifiers']>>[number];

/** Who is told of what, and a test of it. */
export function notificationsView(
  notifiers: readonly NotifierFacts[],
  tested: readonly TestedNotifier[] | undefined,
  viewer: Viewer,
): Markup {
  const { notifications: words } = texts;
  const may = mayAdminister(viewer.user);
  const test = (type: string | undefined, text: string, label: string) =>
    postForm(viewer, {
      action: '/settings/notifications/test',
      hidden: { type },
      body: html`<button aria-label="${shown(label)}">${text}</button>`,
    });
  const rows = notifiers.map(
    ({ type, events }) =>
      html`<tr><th scope="row" class="name">${shown(type)}</th><td>${events.map((event) => html`<span class="tag">${shown(event)}</span> `)}</td><td class="number">${may ? test(type, words.test, words.testOf(type)) : nothing}</td></tr>`,
  );
  const results = (tested ?? []).map(({ type, delivered, error }) =>
    delivered
      ? notice('well', `${shown(type)}: ${words.delivered}`)
      : errorNotice({ code: '', hint: '', ...error, message: `${type}: ${error?.message ?? words.notDelivered}` }),
  );
  const table = html`<div class="table-wrap"><table><thead><tr><th scope="col">${words.type}</th><th scope="col">${words.events}</th><th scope="col"><span class="unseen">${words.test}</span></th></tr></thead><tbody>${rows}</tbody></table></div>`;
  const all = html`<div class="panel-foot">${may ? test(undefined, words.testAll, words.testAll) : words.needsAdmin}</div>`;
  const body = notifiers.length === 0 ? empty(words.none, words.noneText) : html`${table}${all}`;
  return settingsFrame(
    'notifications',
    viewer,
    html`${results}${panel({ title: texts.tabs.notifications, flush: true, body })}`,
  );
}

/** The key slots of the newest archive of a series. */
export interface SeriesKeys {
  readonly series: string;
  readonly name: string;
  readonly header?: ArchiveSummary;
  readonly error?: ShownError;
}

function seriesPanel({ series, name, header, error }: SeriesKeys, viewer: Viewer): Markup {
  const slots = (header?.slots ?? []).map(
    ({ id, type, label, createdMs }) =>
      html`<tr><th scope="row" class="name">${label === '' ? html`<span class="quiet mono">${id}</span>` : shown(label)}</th><td><span class="tag">${archiveTexts.slotTypes[type]}</span></td><td class="number">${moment(createdMs)}</td></tr>`,
  );
  const isOpen = header?.encryption === 'none';
  const notices = [
    ...(error === undefined ? [] : [errorNotice(error)]),
    ...(slots.length === 1 && !isOpen ? [notice('late', texts.keys.oneSlot)] : []),
    ...(isOpen ? [notice('late', archiveTexts.unsealed)] : []),
  ];
  return panel({
    title: shown(series),
    note: html`<a href="${viewer.basePath}/archive${queryString({ name })}" class="name">${shown(name)}</a>`,
    flush: true,
    body: html`${notices.length === 0 ? nothing : html`<div class="panel-body">${notices}</div>`}${slots.length > 0 ? html`<div class="table-wrap"><table class="stack"><tbody>${slots}</tbody></table></div>` : nothing}`,
  });
}

/** Which keys open the backups. */
export function keysView(series: readonly SeriesKeys[], viewer: Viewer): Markup {
  const none = html`<section class="panel">${empty(texts.keys.none, texts.keys.noneText)}</section>`;
  return settingsFrame(
    'keys',
    viewer,
    html`<p class="quiet gap">${texts.keys.text}</p>${series.length === 0 ? none : series.map((keys) => seriesPanel(keys, viewer))}`,
  );
}

/** What stands in the way of backups. */
export function doctorView(found: readonly Diagnosis[] | undefined, viewer: Viewer): Markup {
  const { doctor: words } = texts;
  const run = postForm(viewer, {
    action: '/settings/doctor',
    body: html`<button class="primary">${words.run}</button>`,
  });
  const button = mayOperate(viewer.user) ? run : nothing;
  if (found === undefined) {
    return settingsFrame(
      'doctor',
      viewer,
      html`<section class="panel">${empty(words.notRun, words.notRunText, button)}</section>`,
    );
  }
  const order = { failed: 0, warning: 1, ok: 2 } as const;
  const count = (state: Diagnosis['state']) => found.filter((diagnosis) => diagnosis.state === state).length;
  const rows = [...found]
    .sort((left, right) => order[left.state] - order[right.state])
    .map(
      ({ part, name, state, message, hint }) =>
        html`<tr><th scope="row" class="name">${shown(name)}<span class="sub">${words.parts[part] ?? part}</span></th><td class="name whole-line">${shown(message)}${when(hint, (text) => html`<span class="sub">${shown(text)}</span>`)}</td><td class="number">${diagnosisSign(state)}</td></tr>`,
    );
  const table = html`<div class="table-wrap"><table class="stack"><thead><tr><th scope="col">${words.part}</th><th scope="col">${words.found}</th><th scope="col"><span class="unseen">${texts.storages.result}</span></th></tr></thead><tbody>${rows}</tbody></table></div>`;
  const sum = words.sum(count('ok'), count('warning'), count('failed'));
  return settingsFrame(
    'doctor',
    viewer,
    html`<div class="map-head gap"><p class="quiet">${words.text}</p>${button}</div>${panel({ title: texts.tabs.doctor, note: sum, flush: true, body: table })}`,
  );
}
