/**
 * Whether an `@` stands behind the host of a URL. Then the password has a `/`, `?` or `#` in clear, which ended it early: what follows is a piece of it, and
 * must not be taken for a name that may be shown.
 */
export function hasLateAt(url: string): boolean {
  const [, rest = ''] = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*(.*)$/is.exec(url) ?? [];
  return rest.includes('@');
}

/** What to do about it, as a message. */
export const lateAtMessage =
  'there is an @ behind the host of the URL: in a password, write / as %2F, ? as %3F, # as %23 and @ as %40; elsewhere @ as %40';

/** The name of a parameter that is not known, as far as it looks like one. */
export function shownParameter(name: string): string {
  return /^[a-z][a-z_-]{0,30}$/i.test(name)
    ? `the unknown parameter ${JSON.stringify(name)}`
    : 'a parameter that is unknown';
}
