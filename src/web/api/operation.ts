import { z } from 'zod';
import { HoldfastError } from '../../errors.ts';
import type { AccessContext } from '../access/access-environment.ts';
import type { AccessStore } from '../access/access-store.ts';
import type { Scope } from '../access/scopes.ts';
import type { OpenedServices } from '../services/open-services.ts';
import type { Role, WebUser } from '../web-environment.ts';

/** What a call of the API works with. */
export interface ApiCall<Query, Body> {
  readonly context: AccessContext;
  readonly services: OpenedServices;
  readonly store: AccessStore;
  readonly user: WebUser;
  /** Where the admin is seen from outside, without a slash at its end. */
  readonly url: string;
  readonly query: Query;
  readonly body: Body;
  /** A part of the path. */
  param(name: string): string;
}

/** One operation of the API: how it is called, who may call it, and what it does. The document that describes the API is made from it too. */
export interface Operation {
  readonly method: 'get' | 'post' | 'patch' | 'delete';
  /** Below `/api/v1`, with `:name` for its parts. */
  readonly path: string;
  /** `startBackup`. */
  readonly id: string;
  readonly summary: string;
  readonly scope: Scope;
  readonly role: Role;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  /** What it answers with where that is no JSON. */
  readonly answers?: 'application/octet-stream' | 'text/event-stream';
  /** 200 unless set. */
  readonly status?: number;
  /** A value for JSON, or a whole answer. */
  run(call: ApiCall<never, never>): Promise<unknown>;
}

type Given<Query extends z.ZodObject, Body extends z.ZodType> = Omit<Operation, 'query' | 'body' | 'run'> & {
  readonly query?: Query;
  readonly body?: Body;
  readonly run: (call: ApiCall<z.output<Query>, z.output<Body>>) => Promise<unknown>;
};

/** Lets the compiler see what the query and the body are. */
export function operation<Query extends z.ZodObject, Body extends z.ZodType>(given: Given<Query, Body>): Operation {
  return given as unknown as Operation;
}

/** Values of a query or a body, checked. Throws `request.invalid`, which names what is wrong. */
export function parsed<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const where = issue?.path.map(String).join('.') ?? '';
  throw new HoldfastError('request.invalid', {
    message: `${where === '' ? 'the request' : where}: ${issue?.message ?? 'it is not valid'}`,
    hint: 'see /api/v1/openapi.json',
  });
}

/** A number of a query. */
export const wholeNumber = (minimum: number, maximum: number) => z.coerce.number().int().min(minimum).max(maximum);

/** `true` or `false` of a query. */
export const flag = z.enum(['true', 'false']).transform((text) => text === 'true');

/** The page that is wanted. */
export const pageQuery = {
  page: wholeNumber(1, 1_000_000).optional(),
  pageSize: wholeNumber(1, 500).optional(),
} as const;
