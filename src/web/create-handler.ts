import { Hono } from 'hono';
import { openConfiguredHistory } from '../cli/record.ts';
import { loadConfig } from '../config/load-config.ts';
import { HoldfastError } from '../errors.ts';
import type { AccessEnvironment, ClientInfo } from './access/access-environment.ts';
import { AccessStore } from './access/access-store.ts';
import { accountRoutes } from './access/account-routes.ts';
import { FactorSeal } from './access/factor-seal.ts';
import { factorKeyPath, openFactorSeal, sealFactors } from './access/factor-secrets.ts';
import { guard } from './access/guard.ts';
import { loginRoutes, makeSetupLink } from './access/login-routes.ts';
import { tokenRoutes } from './access/token-routes.ts';
import { auditRoutes, userRoutes } from './access/user-routes.ts';
import { apiRoutes } from './api/api-routes.ts';
import { transferRoutes } from './api/transfer-routes.ts';
import { answerError } from './error-answer.ts';
import { pageRoutes } from './pages/page-routes.ts';
import { type OpenedServices, openServices } from './services/open-services.ts';
import { completeWebConfig, type WebConfig, type WholeConfig } from './web-config.ts';

/** The web admin as a function of requests. */
export interface HoldfastHandler {
  (request: Request, client?: ClientInfo): Promise<Response>;
  /**
   * Opens what is opened with the first request anyway: a mistake in the configuration is told at the start. Gives the path of the link for the
   * first admin where nobody can administer yet. Throws `config.invalid`, `config.not_found`, `history.unavailable`.
   */
  ready(): Promise<{ readonly setupPath: string | undefined }>;
  /** Ends the jobs that it started, and closes what it opened. */
  close(): Promise<void>;
}

/** A handler with all that it needs, open. */
export interface OpenedAdmin {
  readonly app: Hono<AccessEnvironment>;
  readonly store: AccessStore;
  readonly services: OpenedServices;
  readonly setupPath: string | undefined;
  close(): Promise<void>;
}

function writeLog(text: string): void {
  process.stderr.write(`holdfast: ${text}\n`);
}

/**
 * Makes the web admin a handler that any server can call, under any path: it takes a `Request` and gives a `Response`. What the server
 * knows of the other end of the connection it passes as the second argument, for limits, the audit log and proxies that are trusted.
 *
 * @example
 * export const handler = createHandler({ basePath: '/backups', authorize: (request) => userOfMyApplication(request) });
 */
export function createHandler(config: WebConfig = {}): HoldfastHandler {
  let opening: Promise<OpenedAdmin> | undefined;
  const open = async () => {
    opening ??= openAdmin(config);
    // What could not be opened is tried again with the next request.
    opening.catch(() => {
      opening = undefined;
    });
    return await opening;
  };
  const handle = async (request: Request, client: ClientInfo = {}): Promise<Response> => {
    let admin: OpenedAdmin;
    try {
      admin = await open();
    } catch (thrown) {
      (config.log ?? writeLog)(`the web admin cannot be opened: ${thrown instanceof Error ? thrown.message : thrown}`);
      const headers = { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' };
      return new Response('Holdfast cannot be opened. The log of the server tells why.\n', { status: 503, headers });
    }
    return await admin.app.fetch(request, client);
  };
  return Object.assign(handle, {
    ready: async () => ({ setupPath: (await open()).setupPath }),
    close: async () => {
      const admin = await opening?.catch(() => undefined);
      opening = undefined;
      await admin?.close();
    },
  });
}

/** Opens the admin: its configuration, history, users and services. */
export async function openAdmin(given: WebConfig): Promise<OpenedAdmin> {
  const { folder = '.', environment = process.env, log = writeLog } = given;
  const loaded = await loadConfig(folder, environment);
  const whole = completeWebConfig(given, loaded);
  const history = await openConfiguredHistory(loaded);
  try {
    const { clock, random, sessions, uploads } = whole;
    const { passwordCost, isScheduling } = given;
    const isOwn = whole.access.authorize === undefined && whole.access.trustedProxy === undefined;
    const factors = isOwn ? await openFactorSeal({ loaded, history, random, log }) : new FactorSeal([], random);
    const cost = passwordCost && { passwordCost };
    const store = new AccessStore(history, { clock, random, sessions, factors, ...cost });
    if (isOwn) await sealFactors(store, history, { isFile: factorKeyPath(loaded) !== undefined, log });
    const common = { loaded, history, access: store, environment, clock, random, log, uploads };
    const services = await openServices({ ...common, ...(isScheduling === undefined ? {} : { isScheduling }) });
    const setupPath = isOwn ? await firstSetup(store, whole, log) : undefined;
    const close = async () => {
      await services.close();
      await history.close();
    };
    const isCompressing = given.compression !== false;
    return { app: buildApp({ store, services, whole, isOwn, isCompressing, log }), store, services, setupPath, close };
  } catch (thrown) {
    await history.close();
    throw thrown;
  }
}

/** The link for the first admin, told where nobody can administer. */
async function firstSetup(
  store: AccessStore,
  { access: { basePath, origin } }: WholeConfig,
  log: (text: string) => void,
): Promise<string | undefined> {
  if (await store.users.hasAdmin()) return undefined;
  const path = `${basePath}/setup/${await makeSetupLink(store, null)}`;
  if (origin !== undefined) log(`make the first admin of the web admin: ${origin}${path}`);
  else log(`make the first admin of the web admin at its path ${path}`);
  return path;
}

function buildApp(parts: {
  readonly store: AccessStore;
  readonly services: OpenedServices;
  readonly whole: WholeConfig;
  readonly isOwn: boolean;
  readonly isCompressing: boolean;
  readonly log: (text: string) => void;
}): Hono<AccessEnvironment> {
  const { store, services, whole, isOwn, isCompressing, log } = parts;
  const { access: options } = whole;
  const { origin, basePath } = options;
  const app = new Hono<AccessEnvironment>({ strict: false });
  app.use('*', guard(store, options));
  app.onError((thrown, context) => answerError(thrown, context, { options, log }));
  app.notFound((context) => answerError(new HoldfastError('request.not_found'), context, { options, log }));
  const admin = new Hono<AccessEnvironment>();
  if (isOwn) {
    admin.route('/', loginRoutes(store));
    admin.route('/', userRoutes(store, origin));
  }
  admin.route('/', accountRoutes(store));
  admin.route('/', tokenRoutes(store));
  admin.route('/', auditRoutes(store));
  admin.route('/api/v1', apiRoutes({ services, store, origin }));
  admin.route('/', transferRoutes(services));
  admin.route('/', pageRoutes(services, isCompressing));
  app.route(basePath === '' ? '/' : basePath, admin);
  return app;
}
