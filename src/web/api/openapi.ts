import { z } from 'zod';
import type { Operation } from './operation.ts';

/** What an error looks like. */
const errorSchema = {
  type: 'object',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['code', 'message', 'hint', 'requestId'],
      properties: {
        code: { type: 'string', description: 'says why, as docs/reference/errors.md lists it' },
        message: { type: 'string' },
        hint: { type: 'string' },
        requestId: { type: 'string' },
        context: { type: 'object' },
      },
    },
  },
} as const;

/** Secrets and flags become what is sent for them. */
function schemaOf(schema: z.ZodType): Record<string, unknown> {
  const { $schema: _, ...made } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return made;
}

function parametersOf({ path, query }: Operation): object[] {
  const inPath = [...path.matchAll(/:([a-z]+)/gi)].map(([, name]) => {
    return { name, in: 'path', required: true, schema: { type: 'string' } };
  });
  const { properties = {} } = query === undefined ? {} : schemaOf(query);
  const inQuery = Object.entries(properties as Record<string, object>).map(([name, schema]) => {
    return { name, in: 'query', required: false, schema };
  });
  return [...inPath, ...inQuery];
}

function describe(one: Operation): object {
  const { id, summary, scope, role, body, answers, status = 200, method } = one;
  const content = answers ?? 'application/json';
  const isUpload = method === 'patch' && body === undefined;
  const sent = body === undefined ? undefined : { 'application/json': { schema: schemaOf(body) } };
  const bytes = { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } };
  return {
    operationId: id,
    summary,
    description: `Scope \`${scope}\`, role ${role}.`,
    security: [{ token: [scope] }, { session: [] }],
    parameters: [
      ...parametersOf(one),
      ...(isUpload
        ? [{ name: 'Upload-Offset', in: 'header', required: true, schema: { type: 'integer', minimum: 0 } }]
        : []),
    ],
    ...(sent === undefined && !isUpload ? {} : { requestBody: { required: true, content: sent ?? bytes } }),
    responses: {
      [status]: {
        description: 'done',
        content: { [content]: { schema: answers === undefined ? {} : { type: 'string' } } },
      },
      default: {
        description: 'an error',
        content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
      },
    },
  };
}

/** The document that describes the API: OpenAPI 3.1, made from the operations themselves. */
export function openApiDocument(operations: readonly Operation[], url: string): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const one of operations) {
    const path = one.path.replace(/:([a-z]+)/gi, '{$1}');
    paths[path] = { ...paths[path], [one.method]: describe(one) };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Holdfast', version: '1', description: 'Backups: what `holdfast` does on the command line.' },
    servers: [{ url }],
    paths,
    components: {
      schemas: { Error: errorSchema },
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'a token of the page "API tokens"' },
        session: {
          type: 'apiKey',
          in: 'cookie',
          name: 'holdfast_session',
          description: 'with the header X-CSRF-Token',
        },
      },
    },
  };
}
