import { HoldfastError } from '../../errors.ts';
import type { Role } from '../web-environment.ts';
import type { AccessVariables } from './access-environment.ts';

/** What a token of the API may do; its user's role bounds it too. */
export const scopes = ['read', 'run', 'download', 'upload', 'restore', 'delete', 'manage'] as const;

/** One of {@link scopes}. */
export type Scope = (typeof scopes)[number];

/** The role that a scope is of use to. */
export const roleOfScope: Readonly<Record<Scope, Role>> = {
  read: 'viewer',
  run: 'operator',
  download: 'operator',
  upload: 'operator',
  restore: 'admin',
  delete: 'admin',
  manage: 'admin',
};

/** The scopes of a text with spaces between; what is none is left out. */
export function readScopes(text: string): Scope[] {
  const words = new Set(text.split(' '));
  return scopes.filter((scope) => words.has(scope));
}

/** Throws `access.forbidden` where a token has not the scope; a person needs none. */
export function requireScope({ scopes: held }: Pick<AccessVariables, 'scopes'>, needed: Scope): void {
  if (held === undefined || held.includes(needed)) return;
  throw new HoldfastError('access.forbidden', {
    message: `this needs a token with the scope ${needed}`,
    hint: 'make another token; scopes of one that is made do not change',
    context: { needed },
  });
}
