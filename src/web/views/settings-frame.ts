import { html } from 'hono/html';
import { settingTexts as texts } from '../texts/setting-texts.ts';
import { isOurUser, mayAdminister, type Viewer } from './forms.ts';
import { type Markup, nothing, when } from './markup.ts';
import { pageHead } from './parts.ts';

/** A part of the settings: pages of the admin itself, and those of the access layer. */
export type SettingsTab = keyof typeof texts.tabs | keyof typeof texts.adminTabs;

/** A part of the settings below the way to the others. */
export function settingsFrame(tab: SettingsTab, viewer: Viewer, body: Markup): Markup {
  const link = (name: string, path: string, text: string) =>
    html`<a href="${viewer.basePath}${path}" ${when(name === tab, () => html`aria-current="page"`)}>${text}</a>`;
  const tabs = Object.entries(texts.tabs).map(([name, text]) =>
    link(name, name === 'storages' ? '/settings' : `/settings/${name}`, text),
  );
  // Who may come in is kept by pages of the access layer.
  const others = Object.entries(texts.adminTabs)
    .filter(([name]) => name !== 'users' || isOurUser(viewer))
    .map(([name, text]) => link(name, `/${name}`, text));
  return html`${pageHead({ title: texts.title })}<nav class="tabs" aria-label="${texts.tabsLabel}">${tabs}${mayAdminister(viewer.user) ? others : nothing}</nav>${body}`;
}
