import { html } from 'hono/html';
import type { HtmlEscapedString } from 'hono/utils/html';
import { printable } from '../../cli/format-value.ts';

/** Escaped markup, as `html` of Hono makes it. */
export type Markup = HtmlEscapedString | Promise<HtmlEscapedString>;

/** No markup. */
export const nothing: Markup = html``;

/** Markup where there is something to show, as `when(error, (error) => …)`. */
export function when<Value>(
  value: Value | undefined | null | false | '',
  show: (value: Value) => Markup | readonly Markup[],
): Markup | readonly Markup[] {
  return value === undefined || value === null || value === false || value === '' ? nothing : show(value as Value);
}

/** A name from a disk, a database or an archive: what could steer a terminal or turn the direction of text is shown as U+FFFD. */
export function shown(text: string): string {
  return printable(text);
}
