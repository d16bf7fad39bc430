import type { Context } from 'hono';
import type { Clock, Wait } from '../../clock.ts';
import type { WebUser, WebVariables } from '../web-environment.ts';
import type { Scope } from './scopes.ts';

/** How somebody was recognized. */
export type Way = 'session' | 'token' | 'host' | 'proxy';

/** What the access layer knows of a request besides what the pages see. */
export interface AccessVariables extends WebVariables {
  /** Whom the request comes from, as far as that is known. */
  readonly address: string;
  /** Whether the browser came by https: cookies are then for https alone. */
  readonly isSecure: boolean;
  readonly way: Way;
  /** Of a token: nothing else is allowed. */
  readonly scopes?: readonly Scope[];
  /** Of a session: SHA-256 of its cookie. */
  readonly sessionHash?: string;
  /** How the time passes of a body that is read as it comes. */
  readonly wait: Wait;
  /** What was read of the form, before it was known what becomes of it. */
  readonly form?: URLSearchParams;
}

/** What the server that the handler is mounted in tells of a request, where it can. */
export interface ClientInfo {
  /** The address of the other end of the connection. */
  readonly address?: string | undefined;
}

/** The environment of the applications of the access layer. */
export interface AccessEnvironment {
  readonly Variables: AccessVariables;
  readonly Bindings: ClientInfo;
}

/** A request on its way through the access layer. */
export type AccessContext = Context<{ Variables: AccessVariables; Bindings: ClientInfo }>;

/** Who is trusted with the name of the user: a proxy in front that has logged him in. */
export interface TrustedProxy {
  /** The header with the user's name, such as `x-forwarded-user`; the proxy has to remove it from what it passes on. */
  readonly userHeader: string;
  /** A header with his role; `role` where it is absent or says something else. */
  readonly roleHeader?: string;
  /** `viewer` unless set. */
  readonly role?: WebUser['role'];
}

/** How users are recognized and requests are read. */
export interface AccessOptions {
  readonly basePath: string;
  /** `https://backups.example.org`, where the admin is seen from outside; from the request unless set. */
  readonly origin?: string;
  /** The host application's own check, in place of ours: undefined refuses. */
  readonly authorize?: (request: Request) => WebUser | undefined | Promise<WebUser | undefined>;
  /** A proxy's own check, in place of ours; believed only from `proxyAddresses`. */
  readonly trustedProxy?: TrustedProxy;
  /** Addresses of proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed; none unless set. */
  readonly proxyAddresses?: readonly string[];
  readonly clock: Clock;
  /** How the time of a body that comes slowly passes; that of the system unless set. */
  readonly wait?: Wait;
}
