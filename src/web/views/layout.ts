import { html } from 'hono/html';
import { layoutTexts as texts } from '../texts/layout-texts.ts';
import type { WebUser, WebVariables } from '../web-environment.ts';
import { assetFolder } from './assets.ts';
import { isOurUser, postForm, type Viewer } from './forms.ts';
import { type IconName, icon, mark } from './icons.ts';
import { type Markup, shown, when } from './markup.ts';

/** The parts of the admin, as the navigation lists them. */
export type Section = 'overview' | 'archives' | 'backUp' | 'restore' | 'runs' | 'settings';

const sections: readonly { readonly section: Section; readonly path: string; readonly icon: IconName }[] = [
  { section: 'overview', path: '/', icon: 'overview' },
  { section: 'archives', path: '/archives', icon: 'archives' },
  { section: 'backUp', path: '/backup', icon: 'backup' },
  { section: 'restore', path: '/restore', icon: 'restore' },
  { section: 'runs', path: '/runs', icon: 'runs' },
  { section: 'settings', path: '/settings', icon: 'settings' },
];

/** What a whole page is made of. */
export interface LayoutOptions {
  /** Stands in the tab; the page says its own `<h1>`. */
  readonly title: string;
  /** Without a user the page stands alone, as that for logging in does. */
  readonly variables: Pick<WebVariables, 'basePath' | 'csrfToken' | 'way'> & { readonly user?: WebUser | undefined };
  readonly body: Markup;
  /** The part of the admin that the page belongs to. */
  readonly section?: Section;
}

/** A whole page. Its only scripts and styles are files of our own: nothing stands inline, for the content security policy. */
export function layout({ title, variables, body, section }: LayoutOptions): Markup {
  const { basePath, user } = variables;
  const assets = `${basePath}/assets/${assetFolder()}`;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="htmx-config" content='{"includeIndicatorCSS":false,"history":"reload"}'>
<title>${shown(title)} · ${texts.product}</title>
<link rel="icon" href="${assets}/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="${assets}/admin.css">
<script type="module" src="${assets}/admin.js"></script>
</head>
<body>
<a class="skip" href="#content">${texts.skip}</a>
${user === undefined ? bareBody(body) : framedBody({ viewer: { ...variables, user }, body, section })}
</body>
</html>`;
}

function bareBody(body: Markup): Markup {
  return html`<main id="content" class="bare"><p class="brand">${mark()}<span>${texts.product}</span></p>${body}</main>`;
}

interface Frame {
  readonly viewer: Viewer;
  readonly section: Section | undefined;
  readonly body: Markup;
}

function framedBody({ viewer, section, body }: Frame): Markup {
  const { basePath, user } = viewer;
  const logOut = postForm(viewer, { action: '/logout', body: html`<button class="link">${texts.logOut}</button>` });
  // Scripts that call the API find the token on every page.
  const token = html`<input type="hidden" name="csrf" value="${viewer.csrfToken}">`;
  return html`<div class="frame">
<header class="side">
<a class="brand" href="${basePath}/">${mark()}<span>${texts.product}</span></a>
<nav aria-label="${texts.navigation}"><ul>
${sections.map((item) => html`<li><a href="${basePath}${item.path}" ${when(item.section === section, () => html`aria-current="page"`)}>${icon(item.icon)}<span>${texts[item.section]}</span></a></li>`)}
</ul></nav>
<section class="account" aria-label="${texts.account}">
<a class="who" href="${basePath}/account" title="${texts.account}"><strong>${shown(user.name)}</strong> <span class="quiet">${texts.roles[user.role]}</span></a>
${isOurUser(viewer) ? logOut : token}
</section>
</header>
<main id="content" tabindex="-1">${body}</main>
</div>`;
}
