import { BlockList, isIP } from 'node:net';
import { HoldfastError } from '../../errors.ts';
import type { WebUser } from '../web-environment.ts';
import type { AccessContext, AccessOptions, AccessVariables, Way } from './access-environment.ts';
import type { AccessStore } from './access-store.ts';
import { readCookie, visitCookie } from './cookies.ts';
import { findSession, userNameOf } from './log-in.ts';
import { asRole, lesserRole } from './roles.ts';
import { readScopes } from './scopes.ts';
import { csrfTokenOf, tokenHash } from './secret-token.ts';

/** A token that is used is written down at most this often. */
const usedEveryMs = 60_000;

/** Whoever was recognized. */
export type Recognized = Pick<AccessVariables, 'user' | 'csrfToken' | 'way' | 'scopes' | 'sessionHash'>;

/** Whether an address is one of some, which may be ranges (`10.0.0.0/8`). */
export function isAmong(address: string, ranges: readonly string[]): boolean {
  const list = new BlockList();
  const family = (text: string) => (isIP(text) === 6 ? 'ipv6' : 'ipv4');
  for (const range of ranges) {
    const [net = '', bits] = range.split('/');
    if (isIP(net) === 0) continue;
    if (bits === undefined) list.addAddress(net, family(net));
    else list.addSubnet(net, Number(bits), family(net));
  }
  return isIP(address) !== 0 && list.check(address, family(address));
}

/** Where a request comes from, and whether by https: of what a header says only that of a proxy that is known is believed. */
export function describeClient(context: AccessContext, options: AccessOptions): { address: string; isSecure: boolean } {
  const direct = (context.env?.address ?? '').replace(/^::ffff:(?=\d+\.)/i, '');
  const { proxyAddresses = [], origin } = options;
  const isProxied = isAmong(direct, proxyAddresses);
  const header = (name: string) => (isProxied ? context.req.header(name) : undefined);
  // Each proxy appends who it heard from: the last one that is none of ours is the client.
  const hops = (header('x-forwarded-for') ?? '').split(',').map((hop) => hop.trim());
  const forwarded = hops.reverse().find((hop) => isIP(hop) !== 0 && !isAmong(hop, proxyAddresses));
  const scheme =
    origin ?? `${header('x-forwarded-proto')?.split(',').at(-1)?.trim() ?? new URL(context.req.url).protocol}`;
  return { address: forwarded ?? direct, isSecure: scheme.startsWith('https') };
}

/** Finds out who asks; undefined where nobody does. Throws `access.unauthenticated` for a token that is not good. */
export async function recognize(
  context: AccessContext,
  store: AccessStore,
  options: AccessOptions,
): Promise<Recognized | undefined> {
  const authorization = context.req.header('authorization');
  // A token stands for itself: what cookies say beside it does not count.
  if (authorization?.toLowerCase().startsWith('bearer ')) return await byToken(authorization.slice(7).trim(), store);
  if (options.authorize !== undefined) {
    const { url, method, headers } = context.req.raw;
    // Without the body: a copy of a stream would be held in memory.
    const user = await options.authorize(new Request(url, { method, headers }));
    return user && unlogged(context, store, user, 'host');
  }
  if (options.trustedProxy !== undefined) {
    const user = byProxy(context, options);
    return user && unlogged(context, store, user, 'proxy');
  }
  const token = readCookie(context, 'session');
  const found = token === undefined ? undefined : await findSession(store, token, 'open');
  if (token === undefined || found === undefined) return undefined;
  const { name, role } = found.user;
  const user: WebUser = { name, role: asRole(role) ?? 'viewer' };
  return { user, csrfToken: csrfTokenOf(token, name), way: 'session', sessionHash: found.session.token_hash };
}

function unlogged(context: AccessContext, store: AccessStore, user: WebUser, way: Way): Recognized {
  const { name, role } = user;
  const csrfToken = csrfTokenOf(visitCookie(context, store.random), name);
  return { user: { name, role: asRole(role) ?? 'viewer' }, csrfToken, way };
}

function byProxy(context: AccessContext, options: AccessOptions): WebUser | undefined {
  const { trustedProxy, proxyAddresses = [] } = options;
  const direct = (context.env?.address ?? '').replace(/^::ffff:(?=\d+\.)/i, '');
  // Whoever reaches us past the proxy could call himself anything.
  if (trustedProxy === undefined || !isAmong(direct, proxyAddresses)) return undefined;
  const name = userNameOf(context.req.header(trustedProxy.userHeader) ?? '');
  if (name === undefined) return undefined;
  const said = trustedProxy.roleHeader === undefined ? undefined : context.req.header(trustedProxy.roleHeader);
  return { name, role: asRole(said) ?? trustedProxy.role ?? 'viewer' };
}

async function byToken(text: string, store: AccessStore): Promise<Recognized> {
  const token = await store.tokens.find(tokenHash(text));
  const nowMs = store.clock.nowMs();
  if (token === undefined || Number(token.expires_ms) <= nowMs) {
    throw new HoldfastError('access.unauthenticated', {
      message: 'this token of the API is not known, or has expired',
      hint: 'make a new one in the admin',
    });
  }
  const maker = await store.users.find(token.user_name);
  const given = asRole(token.role) ?? 'viewer';
  // Who lost his role since takes it from his tokens too.
  const role = maker === undefined ? given : lesserRole(given, asRole(maker.role) ?? 'viewer');
  if (nowMs - Number(token.used_ms ?? 0) >= usedEveryMs) await store.tokens.use(token.id, nowMs);
  const scopes = readScopes(token.scopes);
  return { user: { name: token.user_name, role }, csrfToken: '', way: 'token', scopes };
}
