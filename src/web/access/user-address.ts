import type { WebUser } from '../web-environment.ts';

/** Each request makes an object of its own for its user: by it the audit log finds where he asks from. */
const addresses = new WeakMap<WebUser, string>();

/** Remembers where a user asks from, as long as the request lasts. */
export function rememberAddress(user: WebUser, address: string): void {
  addresses.set(user, address);
}

/** Where a user asks from; empty where that is not known. */
export function addressOf(user: WebUser): string {
  return addresses.get(user) ?? '';
}
