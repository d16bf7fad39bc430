import { z } from 'zod';
import { withoutUndefined } from '../../cli/without-undefined.ts';
import { HoldfastError } from '../../errors.ts';
import { addUser, changeRole, removeUser } from '../access/user-routes.ts';
import { readPieces } from '../security/read-body.ts';
import { secretSchema } from './key-schemas.ts';
import { type ApiCall, operation, wholeNumber } from './operation.ts';
import { readRange, sendDownload } from './send-download.ts';

const name = z.string().min(1).max(1024);
/** One piece of an upload: clients send as much as they like at once. */
const pieceLimits = { maximumBytes: Number.MAX_SAFE_INTEGER, idleTimeoutMs: 60_000 } as const;

function found<Value>(value: Value | undefined): Value {
  if (value !== undefined) return value;
  throw new HoldfastError('request.not_found');
}

/** Marking and checking. */
const archiveOperations = [
  operation({
    method: 'post',
    scope: 'run',
    role: 'operator',
    path: '/archives/:name/pin',
    id: 'pinArchive',
    summary: 'Keeps retention from removing an archive, or lets it again',
    body: z.strictObject({ pinned: z.boolean(), storages: z.array(name).max(100).optional() }),
    run: async ({ services, user, body, param }) => {
      await services.archives.setPinned(user, param('name'), body.pinned, body.storages);
      return await services.archives.get(param('name'));
    },
  }),
  operation({
    method: 'post',
    scope: 'run',
    role: 'operator',
    path: '/archives/refresh',
    id: 'refreshArchives',
    summary: 'Reads the lists of the storages anew',
    run: async ({ services }) => {
      await services.archives.refresh();
      return await services.archives.listing();
    },
  }),
  operation({
    method: 'post',
    scope: 'run',
    role: 'operator',
    path: '/storages/:storage/check',
    id: 'checkStorage',
    summary: 'Tries all that Holdfast needs of a storage',
    run: ({ services, user, param }) => services.storages.check(user, param('storage')),
  }),
  operation({
    method: 'post',
    scope: 'run',
    role: 'operator',
    path: '/doctor',
    id: 'runDoctor',
    summary: 'What stands in the way of backups',
    run: async ({ services, user }) => ({ checks: await services.settings.doctor(user) }),
  }),
  operation({
    method: 'post',
    scope: 'manage',
    role: 'admin',
    path: '/notifiers/test',
    id: 'testNotifiers',
    summary: 'Sends a test by those of a type, or by all',
    body: z.strictObject({ type: z.string().max(50).optional() }),
    run: async ({ services, user, body }) => ({ deliveries: await services.settings.testNotifiers(user, body.type) }),
  }),
] as const;

const downloadOperations = [
  operation({
    method: 'get',
    scope: 'download',
    role: 'operator',
    path: '/storages/:storage/archives/:name/download',
    id: 'downloadArchive',
    summary: 'The bytes of an archive as they are stored; ranges are taken',
    answers: 'application/octet-stream',
    run: async ({ context, services, user, param }) => {
      const range = readRange(context.req.header('range'));
      const stored = { storage: param('storage'), name: param('name') };
      return sendDownload(await services.downloads.stored(user, stored, range));
    },
  }),
  operation({
    method: 'post',
    scope: 'download',
    role: 'operator',
    path: '/downloads',
    id: 'downloadFresh',
    summary: 'An archive made on the fly for a passphrase, which is neither stored nor logged',
    answers: 'application/octet-stream',
    body: z.strictObject({ passphrase: secretSchema, job: name.optional() }),
    run: async ({ context, services, user, body: { passphrase, job } }) => {
      const given = { passphrase, ...withoutUndefined({ job }) };
      return sendDownload(await services.downloads.fresh(user, given, context.req.raw.signal));
    },
  }),
] as const;

const uploading = { scope: 'upload', role: 'operator' } as const;

const uploadOperations = [
  operation({
    ...uploading,
    method: 'get',
    path: '/uploads',
    id: 'listUploads',
    summary: 'Uploads that wait',
    run: async ({ services, user }) => ({ uploads: services.uploads.list(user) }),
  }),
  operation({
    ...uploading,
    method: 'post',
    path: '/uploads',
    id: 'createUpload',
    summary: 'Announces an upload; its bytes follow by PATCH',
    status: 201,
    body: z.strictObject({ name, sizeBytes: z.int().min(1) }),
    run: ({ services, user, body }) => services.uploads.create(user, body),
  }),
  operation({
    ...uploading,
    method: 'get',
    path: '/uploads/:id',
    id: 'getUpload',
    summary: 'How much of an upload is here: it goes on from there',
    run: async ({ services, user, param }) => found(services.uploads.get(user, param('id'))),
  }),
  operation({
    ...uploading,
    method: 'patch',
    path: '/uploads/:id',
    id: 'appendUpload',
    summary: 'Sends more of an upload, from the byte that the header Upload-Offset names',
    run: ({ context, services, user, param }) => {
      const offset = context.req.header('upload-offset') ?? '';
      if (!/^\d{1,15}$/.test(offset)) {
        throw new HoldfastError('request.invalid', { message: 'the header Upload-Offset says where the bytes go' });
      }
      const pieces = readPieces(context.req.raw.body, { ...pieceLimits, wait: context.var.wait });
      return services.uploads.append(user, param('id'), Number(offset), pieces);
    },
  }),
  operation({
    ...uploading,
    method: 'delete',
    path: '/uploads/:id',
    id: 'removeUpload',
    summary: 'Removes an upload',
    run: async ({ services, user, param }) => {
      await services.uploads.remove(user, param('id'));
      return {};
    },
  }),
] as const;

const managing = { scope: 'manage', role: 'admin' } as const;
const role = z.enum(['viewer', 'operator', 'admin']);

async function audited(
  { store, user, context }: Pick<ApiCall<unknown, unknown>, 'store' | 'user' | 'context'>,
  action: string,
  subject: string,
): Promise<void> {
  await store.record(user, context.var.address, { action, subject });
}

const accessOperations = [
  operation({
    ...managing,
    method: 'get',
    path: '/users',
    id: 'listUsers',
    summary: 'The users',
    run: async ({ store }) => {
      const users = await store.users.list();
      return {
        users: users.map((user) => ({
          name: user.name,
          role: user.role,
          createdMs: Number(user.created_ms),
          hasPassword: user.password !== null,
          hasSecondFactor: user.totp_secret !== null,
        })),
      };
    },
  }),
  operation({
    ...managing,
    method: 'post',
    path: '/users',
    id: 'addUser',
    summary: 'Adds a user, and gives the link by which he sets his password',
    status: 201,
    body: z.strictObject({ name: z.string().min(1).max(100), role }),
    run: async (call) => {
      const made = await addUser(call.store, call.body.name, call.body.role);
      await audited(call, 'add a user', made.name);
      return { name: made.name, role: call.body.role, setupUrl: `${call.url}/setup/${made.token}` };
    },
  }),
  operation({
    ...managing,
    method: 'patch',
    path: '/users/:name',
    id: 'changeRole',
    summary: 'Changes what a user may do',
    body: z.strictObject({ role }),
    run: async (call) => {
      await changeRole(call.store, call.param('name'), call.body.role);
      await audited(call, 'change a role', `${call.param('name')}: ${call.body.role}`);
      return { name: call.param('name'), role: call.body.role };
    },
  }),
  operation({
    ...managing,
    method: 'delete',
    path: '/users/:name',
    id: 'removeUser',
    summary: 'Removes a user with his sessions and tokens',
    run: async (call) => {
      await removeUser(call.store, call.param('name'));
      await audited(call, 'remove a user', call.param('name'));
      return {};
    },
  }),
  operation({
    ...managing,
    method: 'get',
    path: '/audit',
    id: 'listAudit',
    summary: 'Who did what, the newest first',
    query: z.object({ offset: wholeNumber(0, 1e9).optional(), limit: wholeNumber(1, 500).optional() }),
    run: async ({ store, query: { offset = 0, limit = 100 } }) => {
      const { items, totalCount } = await store.audit.list({ offset, limit });
      const entries = items.map(({ time_ms: timeMs, user_name: userName, address, action, subject, outcome }) => {
        return { timeMs: Number(timeMs), userName, address, action, subject, outcome };
      });
      return { entries, totalCount };
    },
  }),
] as const;

/** Marking, checking, transfer and users. */
export const otherOperations = [...archiveOperations, ...downloadOperations, ...uploadOperations, ...accessOperations];
