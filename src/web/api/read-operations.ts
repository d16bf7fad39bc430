import { z } from 'zod';
import { withoutUndefined } from '../../cli/without-undefined.ts';
import { HoldfastError } from '../../errors.ts';
import type { RunKind, RunState } from '../../history/run-record.ts';
import { keyFields, keysOf } from './key-schemas.ts';
import { flag, operation, pageQuery, wholeNumber } from './operation.ts';

const reading = { method: 'get', scope: 'read', role: 'viewer' } as const;
const daysQuery = z.object({ days: wholeNumber(1, 371).optional() });

const archivesQuery = z.object({
  text: z.string().max(200).optional(),
  series: z.string().max(200).optional(),
  storage: z.string().max(200).optional(),
  health: z.enum(['proven', 'whole', 'unproven', 'suspect', 'damaged']).optional(),
  pinned: flag.optional(),
  leaving: flag.optional(),
  fromMs: wholeNumber(0, 1e14).optional(),
  untilMs: wholeNumber(0, 1e14).optional(),
  sort: z.enum(['created', 'name', 'size', 'series']).optional(),
  direction: z.enum(['up', 'down']).optional(),
  ...pageQuery,
});

const runsQuery = z.object({
  kind: z.string().max(20).optional(),
  state: z.enum(['running', 'succeeded', 'incomplete', 'suspect', 'failed', 'interrupted', 'died']).optional(),
  job: z.string().max(200).optional(),
  fromMs: wholeNumber(0, 1e14).optional(),
  untilMs: wholeNumber(0, 1e14).optional(),
  ...pageQuery,
});

function found<Value>(value: Value | undefined): Value {
  if (value !== undefined) return value;
  throw new HoldfastError('request.not_found');
}

/** What only looks. */
export const readOperations = [
  operation({
    ...reading,
    path: '/me',
    id: 'me',
    summary: 'Who this is, and what a token may do',
    run: async ({ user, context }) => ({ ...user, scopes: context.var.scopes }),
  }),
  operation({
    ...reading,
    path: '/overview',
    id: 'overview',
    summary: 'How every source stands, with the reason and the remedy',
    run: ({ services }) => services.overview(),
  }),
  operation({
    ...reading,
    path: '/calendar',
    id: 'calendar',
    summary: 'The last days: what was backed up, missed or failed',
    query: daysQuery,
    run: ({ services, query }) => services.calendar(withoutUndefined(query)),
  }),
  operation({
    ...reading,
    path: '/trends',
    id: 'trends',
    summary: 'Sizes and durations over time',
    query: daysQuery,
    run: ({ services, query }) => services.trends(withoutUndefined(query)),
  }),
  operation({
    ...reading,
    path: '/archives',
    id: 'listArchives',
    summary: 'Archives, filtered and sorted, a page at a time',
    query: archivesQuery,
    run: ({ services, query }) => services.archives.list(withoutUndefined(query)),
  }),
  operation({
    ...reading,
    path: '/archives/:name',
    id: 'getArchive',
    summary: 'One archive, with all storages that hold it and why retention keeps it',
    run: ({ services, param }) => services.archives.get(param('name')),
  }),
  operation({
    ...reading,
    path: '/storages/:storage/archives/:name/header',
    id: 'getArchiveHeader',
    summary: 'The header and the key slots of an archive; needs no key',
    run: ({ services, param }) => services.archives.header({ storage: param('storage'), name: param('name') }),
  }),
  operation({
    ...reading,
    path: '/storages/:storage/archives/:name/blocks',
    id: 'getBlockMap',
    summary: 'The health of its blocks, as the last job that read them found it or finds it now',
    run: async ({ services, param }) => found((await services.archives.blockMaps(param('name'))).get(param('storage'))),
  }),
  operation({
    method: 'post',
    scope: 'read',
    role: 'operator',
    path: '/storages/:storage/archives/:name/open',
    id: 'openArchive',
    summary: 'Opens an archive with a key, and gives its entries; the key is not kept',
    body: z.object({ ...keyFields, pageSize: z.int().min(1).max(500).optional() }),
    run: ({ services, user, body, param }) =>
      services.archives.open(
        user,
        { storage: param('storage'), name: param('name') },
        keysOf(body),
        withoutUndefined({ pageSize: body.pageSize }),
      ),
  }),
  operation({
    ...reading,
    role: 'operator',
    path: '/contents/:id',
    id: 'getContents',
    summary: 'A further page of what was opened, for a quarter of an hour',
    query: z.object({ text: z.string().max(200).optional(), ...pageQuery }),
    run: async ({ services, user, query, param }) =>
      found(services.archives.contents(user, param('id'), withoutUndefined(query))),
  }),
  operation({
    ...reading,
    path: '/runs',
    id: 'listRuns',
    summary: 'Runs of the history, the newest first',
    query: runsQuery,
    run: ({ services, query: { kind, state, ...query } }) =>
      services.runs.list(
        withoutUndefined({ ...query, kind: kind as RunKind | undefined, state: state as RunState | undefined }),
      ),
  }),
  operation({
    ...reading,
    path: '/runs/:id',
    id: 'getRun',
    summary: 'A run with its phases, archives, error and log',
    run: async ({ services, param }) => found(await services.runs.get(param('id'))),
  }),
  operation({
    ...reading,
    path: '/catalogue/heads',
    id: 'catalogueHeads',
    summary: 'How far the catalogues of the storages are, as the history knows: to be kept elsewhere',
    run: async ({ services }) => ({ heads: await services.catalogueHeads() }),
  }),
  operation({
    ...reading,
    path: '/storages',
    id: 'listStorages',
    summary: 'The storages, what they hold and how much room is left',
    run: async ({ services }) => ({ storages: await services.storages.list() }),
  }),
  operation({
    ...reading,
    path: '/configuration',
    id: 'getConfiguration',
    summary: 'The effective configuration, without secrets',
    run: ({ services }) => services.settings.configuration(),
  }),
  operation({
    ...reading,
    path: '/schedule',
    id: 'getSchedule',
    summary: 'The jobs of the schedule and their next runs',
    run: async ({ services }) => ({ jobs: await services.settings.jobs() }),
  }),
  operation({
    ...reading,
    path: '/notifiers',
    id: 'listNotifiers',
    summary: 'Who is told, and of what',
    run: async ({ services }) => ({ notifiers: await services.settings.notifiers() }),
  }),
] as const;
