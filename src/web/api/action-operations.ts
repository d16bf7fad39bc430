import { z } from 'zod';
import { withoutUndefined } from '../../cli/without-undefined.ts';
import { HoldfastError } from '../../errors.ts';
import type { JobRequest, RestoreSource } from '../services/web-services.ts';
import { eventStream } from './event-stream.ts';
import { keyFields, keysOf } from './key-schemas.ts';
import { type ApiCall, operation } from './operation.ts';

const name = z.string().min(1).max(1024);
const place = { storage: name, name } as const;
const starting = { method: 'post', scope: 'run', role: 'operator', status: 202 } as const;

type Call = Pick<ApiCall<unknown, unknown>, 'services' | 'user'>;

/** Starts a job; its id is what `/jobs/:id` takes. */
async function start({ services, user }: Call, request: JobRequest) {
  return await services.jobs.start(user, request);
}

function sourceOf(given: {
  storage?: string | undefined;
  name?: string | undefined;
  upload?: string | undefined;
}): RestoreSource {
  const { storage, name: archive, upload } = given;
  if (upload !== undefined && storage === undefined && archive === undefined) return { upload };
  if (upload === undefined && storage !== undefined && archive !== undefined) return { storage, name: archive };
  throw new HoldfastError('request.invalid', {
    message: 'give storage and name, or upload',
    hint: 'see /api/v1/openapi.json',
  });
}

const restoreBody = z.strictObject({
  storage: name.optional(),
  name: name.optional(),
  upload: z.string().max(100).optional(),
  ...keyFields,
  to: z.array(z.string().min(1).max(4096)).max(100).optional(),
  filesTo: z.string().min(1).max(4096).optional(),
  mode: z.enum(['transaction', 'swap', 'fresh']).optional(),
  only: z.array(z.string().min(1).max(4096)).max(1000).optional(),
  overwrite: z.boolean().optional(),
  partial: z.boolean().optional(),
  dryRun: z.boolean().optional(),
  confirm: z
    .string()
    .max(4096)
    .optional()
    .describe(
      'The name of the first database that is written to, else of the folder: the last part of its URL or path',
    ),
});

/** What does something to backups. */
export const jobOperations = [
  operation({
    ...starting,
    path: '/jobs/backup',
    id: 'startBackup',
    summary: 'Backs up what a job of the schedule does',
    body: z.strictObject({ job: name.optional() }),
    run: (call) => start(call, { kind: 'backup', ...withoutUndefined(call.body) }),
  }),
  operation({
    ...starting,
    path: '/jobs/verify',
    id: 'startVerify',
    summary: 'Reads an archive: its blocks, and with a key its contents',
    body: z.strictObject({ ...place, level: z.enum(['structure', 'contents']).optional(), ...keyFields }),
    run: (call) => {
      const { storage, name: archive, level } = call.body;
      const keys = keysOf(call.body);
      return start(call, { kind: 'verify', storage, name: archive, keys, ...withoutUndefined({ level }) });
    },
  }),
  operation({
    ...starting,
    path: '/jobs/inspect',
    id: 'startInspect',
    summary: 'Looks at the health of every block of an archive, for its block map',
    body: z.strictObject(place),
    run: (call) => start(call, { kind: 'inspect', ...call.body }),
  }),
  operation({
    ...starting,
    path: '/jobs/verify-upload',
    id: 'startVerifyUpload',
    summary: 'Reads an archive that was uploaded',
    body: z.strictObject({ upload: z.string().max(100), ...keyFields }),
    run: (call) => start(call, { kind: 'verifyUpload', upload: call.body.upload, keys: keysOf(call.body) }),
  }),
  operation({
    ...starting,
    path: '/jobs/scrub',
    id: 'startScrub',
    summary: 'Reads every archive of the storages, and mends what is damaged or missing',
    body: z.strictObject({ storages: z.array(name).max(100).optional(), dryRun: z.boolean().optional() }),
    run: (call) => start(call, { kind: 'scrub', ...withoutUndefined(call.body) }),
  }),
  operation({
    ...starting,
    path: '/jobs/drill',
    id: 'startDrill',
    summary: 'Restores an archive for a trial, and checks what came out',
    body: z.strictObject({ ...place, ...keyFields }),
    run: (call) => {
      const { storage, name: archive } = call.body;
      return start(call, { kind: 'drill', storage, name: archive, keys: keysOf(call.body) });
    },
  }),
  operation({
    ...starting,
    path: '/jobs/push',
    id: 'startPush',
    summary: 'Copies an archive to another storage, healed where it is damaged',
    body: z.strictObject({ ...place, to: name }),
    run: (call) => start(call, { kind: 'push', ...call.body }),
  }),
  operation({
    ...starting,
    scope: 'delete',
    role: 'admin',
    path: '/jobs/delete',
    id: 'startDelete',
    summary: 'Removes an archive from storages, for good; `confirm` is its name again',
    body: z.strictObject({ name, storages: z.array(name).min(1).max(100), confirm: z.string().max(1024) }),
    run: (call) => start(call, { kind: 'delete', ...call.body }),
  }),
  operation({
    ...starting,
    scope: 'delete',
    role: 'admin',
    path: '/jobs/prune',
    id: 'startPrune',
    summary: 'Removes the archives that retention does not keep',
    body: z.strictObject({ dryRun: z.boolean().optional() }),
    run: (call) => start(call, { kind: 'prune', ...withoutUndefined(call.body) }),
  }),
  operation({
    ...starting,
    scope: 'restore',
    role: 'admin',
    path: '/jobs/restore',
    id: 'startRestore',
    summary: 'Restores from a storage or an upload; with `dryRun` it says what would be done',
    body: restoreBody,
    run: (call) => {
      const { storage, name: archive, upload, passphrase, identities, ...rest } = call.body;
      const from = sourceOf({ storage, name: archive, upload });
      return start(call, {
        kind: 'restore',
        from,
        keys: keysOf({ passphrase, identities }),
        ...withoutUndefined(rest),
      });
    },
  }),
  operation({
    ...starting,
    scope: 'restore',
    role: 'admin',
    path: '/jobs/undo',
    id: 'startUndo',
    summary: 'Brings back what the last restore of a target replaced',
    body: z.strictObject({
      to: z.string().min(1).max(4096).optional(),
      files: z.string().min(1).max(4096).optional(),
      dryRun: z.boolean().optional(),
    }),
    run: (call) => start(call, { kind: 'undo', ...withoutUndefined(call.body) }),
  }),
  operation({
    method: 'get',
    scope: 'read',
    role: 'viewer',
    path: '/jobs',
    id: 'listJobs',
    summary: 'Jobs that were started here, the newest first',
    run: async ({ services }) => ({ jobs: services.jobs.list() }),
  }),
  operation({
    method: 'get',
    scope: 'read',
    role: 'viewer',
    path: '/jobs/:id',
    id: 'getJob',
    summary: 'How far a job is, or how it ended',
    run: async ({ services, param }) => {
      const job = services.jobs.get(param('id'));
      if (job !== undefined) return job;
      throw new HoldfastError('request.not_found', {
        message: 'this job is no longer remembered',
        hint: 'see the runs',
      });
    },
  }),
  operation({
    method: 'get',
    scope: 'read',
    role: 'viewer',
    path: '/jobs/:id/events',
    id: 'followJob',
    summary: 'Its progress as server-sent events: facts, progress, log, ended',
    answers: 'text/event-stream',
    run: async ({ services, param }) => {
      const id = param('id');
      if (services.jobs.get(id) === undefined) throw new HoldfastError('request.not_found');
      return eventStream((signal) => services.jobs.events(id, signal));
    },
  }),
  operation({
    ...starting,
    path: '/jobs/:id/cancel',
    id: 'cancelJob',
    summary: 'Asks a job to end; it cleans up behind itself',
    run: async ({ services, user, param }) => {
      await services.jobs.cancel(user, param('id'));
      return services.jobs.get(param('id'));
    },
  }),
] as const;
