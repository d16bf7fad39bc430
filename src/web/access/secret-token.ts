import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { Random } from '../../random.ts';

const tokenSizeBytes = 32;

/** A text that nobody guesses, fit for cookies and URLs. */
export function newToken(random: Random): string {
  return Buffer.from(random.bytes(tokenSizeBytes)).toString('base64url');
}

/** What is kept of a token. It has 256 random bits, so that a plain hash is enough. */
export function tokenHash(token: string): string {
  return createHash('sha256').update(token, 'utf8').digest('hex');
}

/**
 * What forms of somebody send back, derived from his cookie: whoever cannot read the cookie cannot make it. The name keeps a token of one user
 * from being good for another who has the same browser.
 */
export function csrfTokenOf(cookie: string, userName: string): string {
  return createHmac('sha256', cookie).update(`csrf\0${userName}`).digest('base64url');
}

/** Compares without telling by time where two texts differ. */
export function isSameText(left: string, right: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text, 'utf8').digest();
  return timingSafeEqual(digest(left), digest(right));
}
