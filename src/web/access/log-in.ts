import { createHash } from 'node:crypto';
import { HoldfastError } from '../../errors.ts';
import type { SessionTable, UserTable } from '../../history/access/access-schema.ts';
import type { Secret } from '../../secret.ts';
import type { AccessStore } from './access-store.ts';
import { fromBase32, matchingStep } from './one-time-code.ts';
import { newToken, tokenHash } from './secret-token.ts';

/** Tries that may fail in a window: from one address under one name, under one name from anywhere, from one address. */
const limits = { pair: 10, name: 100, address: 50 } as const;
const windowMs = 15 * 60_000;
/** Codes may be tried this often with one password. */
const codeTries = 5;
const codeWaitMs = 10 * 60_000;
/** A session that is used is written down at most this often. */
const seenEveryMs = 60_000;

/** A name as users have it: in small letters. Undefined where it is none. */
export function userNameOf(text: string): string | undefined {
  const name = text.normalize('NFC').trim().toLowerCase();
  return /^[\p{L}\p{N}][\p{L}\p{N}._@+-]{0,99}$/u.test(name) ? name : undefined;
}

/** Who was let in. */
export interface OpenedSession {
  /** For the cookie. */
  readonly token: string;
  readonly user: UserTable;
  /** Whether a code is to be asked for. */
  readonly needsCode: boolean;
}

const digest = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 32);

function attemptKeys(name: string, address: string): Record<keyof typeof limits, string> {
  const [who, where] = [digest(name), digest(address)];
  return { pair: `pair:${who}:${where}`, name: `name:${who}`, address: `address:${where}` };
}

/** Counts a try before it is known how it ends. Throws `access.limited`. */
async function countTry(store: AccessStore, keys: Record<keyof typeof limits, string>): Promise<void> {
  for (const kind of ['pair', 'name', 'address'] as const) {
    const { count } = await store.attempts.count(keys[kind], store.clock.nowMs(), windowMs);
    if (count > limits[kind]) throw new HoldfastError('access.limited');
  }
}

/**
 * Lets somebody in by name and password. Whether there is such a user, whether he has a password, and what it costs: all goes one way, and
 * every refusal is the same. Throws `access.wrong_login`, `access.limited`.
 */
export async function logIn(
  store: AccessStore,
  given: { readonly name: string; readonly password: Secret; readonly address: string },
): Promise<OpenedSession> {
  const name = userNameOf(given.name) ?? '';
  const keys = attemptKeys(name, given.address);
  await countTry(store, keys);
  const user = await store.users.find(name);
  const isRight = await store.passwords.verify(user?.password ?? store.passwords.decoy, given.password);
  if (user === undefined || user.password === null || !isRight) {
    await store.record({ name: name || '-' }, given.address, { action: 'log in', outcome: 'refused' });
    throw new HoldfastError('access.wrong_login');
  }
  const needsCode = user.totp_secret !== null;
  if (!needsCode) await store.attempts.clear([keys.pair, keys.name]);
  const token = await openSession(store, name, needsCode ? 'code' : 'open');
  if (!needsCode) await store.record({ name }, given.address, { action: 'log in' });
  return { token, user, needsCode };
}

/** Begins a session, with a token that nobody had before. */
export async function openSession(store: AccessStore, userName: string, state: 'open' | 'code'): Promise<string> {
  const token = newToken(store.random);
  const nowMs = store.clock.nowMs();
  await store.sessions.removeEnded(nowMs - store.limits.idleMs, nowMs - store.limits.absoluteMs);
  await store.sessions.add({
    token_hash: tokenHash(token),
    user_name: userName,
    state,
    created_ms: nowMs,
    seen_ms: nowMs,
  });
  return token;
}

/** The session of a cookie, and its user; undefined where it has ended. */
export async function findSession(
  store: AccessStore,
  token: string,
  state: 'open' | 'code',
): Promise<{ readonly session: SessionTable; readonly user: UserTable } | undefined> {
  const session = await store.sessions.find(tokenHash(token));
  if (session === undefined || session.state !== state) return undefined;
  const nowMs = store.clock.nowMs();
  const idleMs = state === 'code' ? codeWaitMs : store.limits.idleMs;
  const ageMs = nowMs - Number(session.created_ms);
  const isOver = nowMs - Number(session.seen_ms) >= idleMs || ageMs >= store.limits.absoluteMs || ageMs < -windowMs;
  if (isOver) {
    await store.sessions.remove(session.token_hash);
    return undefined;
  }
  const user = await store.users.find(session.user_name);
  if (user === undefined) return undefined;
  if (state === 'open' && nowMs - Number(session.seen_ms) >= seenEveryMs) {
    await store.sessions.see(session.token_hash, nowMs);
  }
  return { session, user };
}

/**
 * The second step: a code of the app, or one of the codes for emergencies. Gives a new session in place of the one that waited. Throws
 * `access.wrong_login`, `access.limited`, `access.unauthenticated` where no first step was made.
 */
export async function enterCode(
  store: AccessStore,
  given: { readonly token: string; readonly code: string; readonly address: string },
): Promise<OpenedSession> {
  const found = await findSession(store, given.token, 'code');
  if (found === undefined) throw new HoldfastError('access.unauthenticated');
  const { session, user } = found;
  const { count } = await store.attempts.count(`code:${session.token_hash}`, store.clock.nowMs(), windowMs);
  if (count > codeTries) {
    await store.sessions.remove(session.token_hash);
    throw new HoldfastError('access.limited');
  }
  if (!(await isRightCode(store, user, given.code))) {
    await store.record(user, given.address, { action: 'log in, code', outcome: 'refused' });
    throw new HoldfastError('access.wrong_login');
  }
  const keys = attemptKeys(user.name, given.address);
  await store.attempts.clear([keys.pair, keys.name, `code:${session.token_hash}`]);
  await store.sessions.remove(session.token_hash);
  const token = await openSession(store, user.name, 'open');
  await store.record(user, given.address, { action: 'log in' });
  return { token, user, needsCode: false };
}

async function isRightCode(store: AccessStore, user: UserTable, code: string): Promise<boolean> {
  if (await takeRecoveryCode(store, user, code)) return true;
  if (user.totp_secret === null) return false;
  const factor = fromBase32(store.factors.open(user.name, user.totp_secret));
  const step = matchingStep(factor, code, store.clock.nowMs());
  return step !== undefined && (await store.users.takeStep(user.name, step));
}

async function takeRecoveryCode(store: AccessStore, user: UserTable, code: string): Promise<boolean> {
  const before = user.recovery_codes;
  if (before === null) return false;
  const known = JSON.parse(before) as string[];
  const hash = recoveryCodeHash(code);
  const left = known.filter((one) => one !== hash);
  if (left.length === known.length) return false;
  return await store.users.replaceRecoveryCodes(user.name, before, JSON.stringify(left));
}

/** What is kept of a code for emergencies: it has 80 random bits. */
export function recoveryCodeHash(code: string): string {
  return tokenHash(code.toUpperCase().replace(/[^A-Z2-7]/g, ''));
}
