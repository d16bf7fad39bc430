import { HoldfastError } from '../../errors.ts';
import type { Role, WebUser } from '../web-environment.ts';

/** From the least to the most. */
export const roles: readonly Role[] = ['viewer', 'operator', 'admin'];

/** Whether a role may do what another is needed for. */
export function isAllowed(role: Role, needed: Role): boolean {
  return roles.indexOf(role) >= roles.indexOf(needed);
}

/** The lesser of two. */
export function lesserRole(left: Role, right: Role): Role {
  return isAllowed(left, right) ? right : left;
}

/** A text as a role; undefined where it is none. */
export function asRole(text: string | undefined): Role | undefined {
  return roles.find((role) => role === text);
}

/** Throws `access.forbidden` where the user's role is less than what is needed. */
export function requireRole(user: WebUser, needed: Role): void {
  if (isAllowed(user.role, needed)) return;
  throw new HoldfastError('access.forbidden', {
    message: `this needs the role ${needed}, and ${user.name} is ${user.role}`,
    context: { needed },
  });
}
