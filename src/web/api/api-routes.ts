import { Hono } from 'hono';
import { HoldfastError } from '../../errors.ts';
import type { AccessContext, AccessEnvironment } from '../access/access-environment.ts';
import type { AccessStore } from '../access/access-store.ts';
import { requireRole } from '../access/roles.ts';
import { requireScope } from '../access/scopes.ts';
import { publicUrl } from '../access/user-routes.ts';
import type { OpenedServices } from '../services/open-services.ts';
import { jobOperations } from './action-operations.ts';
import { openApiDocument } from './openapi.ts';
import { type ApiCall, type Operation, parsed } from './operation.ts';
import { otherOperations } from './other-operations.ts';
import { readOperations } from './read-operations.ts';

/** Every operation of the API. */
export const operations: readonly Operation[] = [...readOperations, ...jobOperations, ...otherOperations];

/** What the API is made of. */
export interface ApiOptions {
  readonly services: OpenedServices;
  readonly store: AccessStore;
  readonly origin: string | undefined;
}

/** The API: what the command line does, as JSON. */
export function apiRoutes(options: ApiOptions): Hono<AccessEnvironment> {
  const app = new Hono<AccessEnvironment>();
  for (const one of operations) {
    app.on(one.method.toUpperCase(), one.path, async (context) => await answer(one, context, options));
  }
  app.get('/openapi.json', (context) => {
    requireScope(context.var, 'read');
    return context.json(openApiDocument(operations, `${publicUrl(context, options.origin)}/api/v1`));
  });
  return app;
}

async function answer(one: Operation, context: AccessContext, options: ApiOptions): Promise<Response> {
  const { user } = context.var;
  requireScope(context.var, one.scope);
  requireRole(user, one.role);
  const query = one.query === undefined ? {} : parsed(one.query, context.req.query());
  const body = one.body === undefined ? undefined : parsed(one.body, await jsonOf(context));
  const call: ApiCall<unknown, unknown> = {
    context,
    services: options.services,
    store: options.store,
    user,
    url: publicUrl(context, options.origin),
    query,
    body,
    param: (name) => context.req.param(name) ?? '',
  };
  const result = await one.run(call as ApiCall<never, never>);
  if (result instanceof Response) return result;
  return context.json(result ?? null, (one.status ?? 200) as 200);
}

/** The body as JSON; a form of a browser cannot send that to another site. Throws `request.invalid`. */
async function jsonOf(context: AccessContext): Promise<unknown> {
  const text = await context.req.text();
  if (text === '') return {};
  if (!/^application\/json\b/i.test(context.req.header('content-type') ?? '')) {
    throw new HoldfastError('request.invalid', { message: 'the body has to be application/json' });
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new HoldfastError('request.invalid', { message: 'the body is no valid JSON', cause });
  }
}
