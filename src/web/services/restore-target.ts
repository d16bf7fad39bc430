import type { RestoreRequest } from './job-facts.ts';

/**
 * What is typed to confirm a restore: the name of what it writes to, and not of what it reads. It is that of the first database, else of the folder:
 * the last part of its URL or path. Undefined where neither is given, or the URL names no database: of the part with the password nothing is told.
 */
export function restoreTargetName({ to = [], filesTo }: Pick<RestoreRequest, 'to' | 'filesTo'>): string | undefined {
  const [database] = to;
  const path = database?.replace(/[?#].*$/s, '').replace(/^[^/]*:\/\/[^/]*/, '') ?? filesTo ?? '';
  const name = path
    .replace(/\/+$/, '')
    .split(/[/:\\]/)
    .at(-1);
  return name || path || undefined;
}
