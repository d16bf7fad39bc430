/** The part of Dropbox's HTTP API, version 2, that is used, and what rclone needs besides; after its documentation. */
import { randomUUID } from 'node:crypto';
import type { FakeAnswer, FakeRequest } from '../network/http-fake.ts';
import { HttpFake } from '../network/http-fake.ts';
import {
  contentHash,
  type FakeFile,
  type FakeFolder,
  failure,
  isValidPath,
  lookupFailure,
  metadataOf,
  pathFailure,
} from './dropbox-fake-answers.ts';

interface Session {
  data: Buffer;
  isClosed: boolean;
}

type Arguments = Record<string, unknown>;

const maximumFileBytes = 350 * 1024 ** 3;

/** A fake of Dropbox with one account. */
export class DropboxFake extends HttpFake {
  readonly appKey = 'app-key';
  readonly appSecret = 'app-secret';
  readonly refreshToken = 'refresh-token';
  /** By path in lower case. */
  readonly entries = new Map<string, FakeFile | FakeFolder>();
  /** All revisions that there ever were. */
  readonly revisions = new Map<string, FakeFile>();
  readonly sessions = new Map<string, Session>();
  /** Access tokens that hold. */
  readonly tokens = new Set(['access-token']);
  readonly expiredTokens = new Set<string>();
  readonly scopes = new Set(['files.content.read', 'files.content.write', 'files.metadata.read']);
  spaceBytes = 2 ** 41;
  tokensMade = 0;
  #lastRev = 0;

  constructor() {
    super((request) => this.#serve(request));
  }

  /** Forgets all files. */
  clear(): void {
    this.entries.clear();
    this.sessions.clear();
    this.planned.length = 0;
    this.seen.length = 0;
    this.spaceBytes = 2 ** 41;
  }

  #serve(request: FakeRequest): FakeAnswer {
    const { pathname } = request.url;
    if (pathname === '/oauth2/token') return this.#makeToken(request);
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
    if (this.expiredTokens.has(token)) return failure(401, 'expired_access_token', { '.tag': 'expired_access_token' });
    if (!this.tokens.has(token)) return failure(401, 'invalid_access_token', { '.tag': 'invalid_access_token' });
    const name = pathname.replace(/^\/2\//, '');
    const found = this.#calls[name];
    if (found === undefined) return { status: 404, body: `Unknown API function: "${name}"` };
    const [scope, call] = found;
    if (scope !== '' && !this.scopes.has(scope)) {
      const text = `Error in call to API function "${name}": Your app (ID: 1) is not permitted to access this endpoint because it does not have the required scope '${scope}'. The owner of the app can enable the scope for the app using the Permissions tab on the App Console.`;
      return { status: 400, body: text };
    }
    return this.#withArguments(request, call);
  }

  #withArguments(request: FakeRequest, call: (given: Arguments, request: FakeRequest) => FakeAnswer): FakeAnswer {
    const header = request.headers['dropbox-api-arg'];
    const text = header === undefined ? request.body.toString() : String(header);
    if (header === undefined && text !== '' && !/json/.test(request.headers['content-type'] ?? '')) {
      return { status: 400, body: 'Bad HTTP "Content-Type" header' };
    }
    let given: Arguments;
    try {
      given = (JSON.parse(text === '' ? 'null' : text) ?? {}) as Arguments;
    } catch {
      return { status: 400, body: 'could not decode input as JSON' };
    }
    for (const key of ['path', 'from_path', 'to_path']) {
      const path = given[key];
      if (path !== undefined && !isValidPath(String(path))) {
        return { status: 400, body: `Error in call to API function: ${key}: '${path}' did not match pattern` };
      }
    }
    return call(given, request);
  }

  /** OAuth 2.0: the app signs in by its key and secret, or by its key alone (PKCE). */
  #makeToken({ headers, body }: FakeRequest): FakeAnswer {
    const form = new URLSearchParams(body.toString());
    const basic = `Basic ${Buffer.from(`${this.appKey}:${this.appSecret}`).toString('base64')}`;
    if (headers.authorization !== basic && form.get('client_id') !== this.appKey) {
      return { status: 400, body: { error: 'invalid_client: Invalid client_id or client_secret' } };
    }
    if (form.get('grant_type') !== 'refresh_token' || form.get('refresh_token') !== this.refreshToken) {
      return { status: 400, body: { error: 'invalid_grant', error_description: 'refresh token is malformed' } };
    }
    this.tokensMade += 1;
    const token = `short-lived-${this.tokensMade}`;
    this.tokens.add(token);
    return { status: 200, body: { access_token: token, token_type: 'bearer', expires_in: 14_400 } };
  }

  readonly #calls: Readonly<Record<string, readonly [string, (given: Arguments, request: FakeRequest) => FakeAnswer]>> =
    {
      'users/get_current_account': [
        '',
        () =>
          ok({
            account_id: 'dbid:x',
            email: 'a@b.test',
            root_info: { '.tag': 'user', root_namespace_id: '1', home_namespace_id: '1' },
          }),
      ],
      'users/get_space_usage': ['', () => ok({ used: 1, allocation: { '.tag': 'individual', allocated: 2 ** 41 } })],
      'files/get_metadata': ['files.metadata.read', ({ path }) => this.#metadata(String(path))],
      'files/list_folder': ['files.metadata.read', (given) => this.#list(given)],
      'files/list_folder/continue': ['files.metadata.read', ({ cursor }) => this.#page(String(cursor))],
      'files/download': ['files.content.read', ({ path }, request) => this.#download(String(path), request)],
      'files/upload': ['files.content.write', (given, { body }) => this.#put(given, body, false)],
      'files/upload_session/start': ['files.content.write', (given, { body }) => this.#start(given, body)],
      'files/upload_session/append_v2': ['files.content.write', (given, { body }) => this.#append(given, body)],
      'files/upload_session/finish': ['files.content.write', (given, { body }) => this.#finish(given, body)],
      'files/upload_session/finish_batch_v2': ['files.content.write', ({ entries }) => this.#finishBatch(entries)],
      'files/upload_session/finish_batch': ['files.content.write', ({ entries }) => this.#finishBatch(entries)],
      'files/delete_v2': ['files.content.write', (given) => this.#delete(given)],
      'files/restore': ['files.content.write', (given) => this.#restore(given)],
      'files/create_folder_v2': ['files.content.write', ({ path }) => this.#makeFolder(String(path))],
      'files/move_v2': ['files.content.write', (given) => this.#move(given)],
    };

  #metadata(path: string): FakeAnswer {
    const found = this.#find(path);
    return found === undefined ? lookupFailure('path', 'not_found') : ok(metadataOf(found));
  }

  #find(path: string): FakeFile | FakeFolder | undefined {
    if (path.startsWith('rev:')) return this.revisions.get(path.slice(4));
    if (path.startsWith('id:')) return [...this.entries.values()].find(({ id }) => id === path);
    return this.entries.get(path.toLowerCase());
  }

  #list(given: Arguments): FakeAnswer {
    const path = String(given['path']).toLowerCase();
    const folder = this.entries.get(path);
    if (path !== '' && folder === undefined) return lookupFailure('path', 'not_found');
    if (folder !== undefined && 'data' in folder) return lookupFailure('path', 'not_folder');
    const state = { path, recursive: given['recursive'] === true, limit: Number(given['limit'] ?? 500), offset: 0 };
    return this.#page(Buffer.from(JSON.stringify(state)).toString('base64'));
  }

  #page(cursor: string): FakeAnswer {
    const state = JSON.parse(Buffer.from(cursor, 'base64').toString()) as {
      path: string;
      recursive: boolean;
      limit: number;
      offset: number;
    };
    const below = [...this.entries].filter(([path]) => {
      const isItself = state.recursive && path === state.path;
      const rest = path.startsWith(`${state.path}/`) ? path.slice(state.path.length + 1) : undefined;
      return isItself || (rest !== undefined && (state.recursive || !rest.includes('/')));
    });
    const end = state.offset + state.limit;
    const entries = below.slice(state.offset, end).map(([, entry]) => metadataOf(entry));
    const next = Buffer.from(JSON.stringify({ ...state, offset: end })).toString('base64');
    return ok({ entries, cursor: next, has_more: end < below.length });
  }

  #download(path: string, { headers }: FakeRequest): FakeAnswer {
    const found = this.#find(path);
    if (found === undefined) return lookupFailure('path', 'not_found');
    if (!('data' in found)) return lookupFailure('path', 'not_file');
    const result = { 'dropbox-api-result': JSON.stringify(metadataOf(found)).replaceAll(/[\x7f-\uffff]/g, '?') };
    const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '') ?? [];
    if (first === undefined) return { status: 200, headers: result, body: found.data };
    const end = last === '' ? found.data.length : Number(last) + 1;
    const data = found.data.subarray(Number(first), end);
    if (data.length === 0) return { status: 416, body: '' };
    const range = `bytes ${first}-${Number(first) + data.length - 1}/${found.data.length}`;
    return { status: 206, headers: { ...result, 'content-range': range }, body: data };
  }

  #start(given: Arguments, body: Buffer): FakeAnswer {
    const id = `pid_upload_session:${randomUUID()}`;
    this.sessions.set(id, { data: body, isClosed: given['close'] === true });
    return ok({ session_id: id });
  }

  #session(given: Arguments): { id: string; session: Session; wrong: FakeAnswer | undefined } | FakeAnswer {
    const { session_id: id, offset } = given['cursor'] as { session_id: string; offset: number };
    const session = this.sessions.get(id);
    if (session === undefined) return failure(409, 'not_found', { '.tag': 'not_found' });
    const expected = session.data.length;
    const detail = { '.tag': 'incorrect_offset', correct_offset: expected };
    return { id, session, wrong: offset === expected ? undefined : failure(409, 'incorrect_offset', detail) };
  }

  #append(given: Arguments, body: Buffer): FakeAnswer {
    const found = this.#session(given);
    if (!('session' in found)) return found;
    const { session, wrong } = found;
    if (session.isClosed) return failure(409, 'closed', { '.tag': 'closed' });
    if (wrong) return wrong;
    const { content_hash: hash } = given;
    if (hash !== undefined && hash !== contentHash(body))
      return failure(409, 'content_hash_mismatch', { '.tag': 'content_hash_mismatch' });
    if (session.data.length + body.length > maximumFileBytes) return failure(409, 'too_large', { '.tag': 'too_large' });
    session.data = Buffer.concat([session.data, body]);
    session.isClosed = given['close'] === true;
    return ok(null);
  }

  #finish(given: Arguments, body: Buffer): FakeAnswer {
    const found = this.#session(given);
    const failed = 'session' in found ? found.wrong : found;
    if (failed) {
      const { error, error_summary: summary } = failed.body as { error: object; error_summary: string };
      return {
        status: 409,
        body: { error_summary: `lookup_failed/${summary}`, error: { '.tag': 'lookup_failed', lookup_failed: error } },
      };
    }
    if (!('session' in found)) return found;
    // Also where the file is refused: these bytes belong to the session then.
    found.session.data = Buffer.concat([found.session.data, body]);
    const answer = this.#put(given['commit'] as Arguments, found.session.data, true);
    if (answer.status === 200) this.sessions.delete(found.id);
    return answer;
  }

  #finishBatch(entries: unknown): FakeAnswer {
    const results = (entries as Arguments[]).map((entry) => {
      const { body } = this.#finish(entry, Buffer.alloc(0));
      return { '.tag': 'success', ...(body as object) };
    });
    return ok({ '.tag': 'complete', entries: results });
  }

  #put(commit: Arguments, data: Buffer, isSession: boolean): FakeAnswer {
    const path = String(commit['path']);
    const old = this.entries.get(path.toLowerCase());
    const given = commit['mode'] as string | { '.tag': string; update?: string } | undefined;
    const mode = typeof given === 'object' ? given : { '.tag': given ?? 'add', update: undefined };
    if (old !== undefined && !('data' in old)) return pathFailure('conflict', 'folder', isSession);
    const hash = contentHash(data);
    // Of the same content nothing is written.
    if (old?.hash === hash) return ok(withoutTag(metadataOf(old)));
    const isRefused = mode['.tag'] === 'add' || (mode['.tag'] === 'update' && mode.update !== old?.rev);
    if (old !== undefined && isRefused) return pathFailure('conflict', 'file', isSession);
    if (data.length > this.spaceBytes) return pathFailure('insufficient_space', undefined, isSession);
    return ok(withoutTag(metadataOf(this.#store(path, data, old?.id))));
  }

  /** Puts files without bytes. */
  addEmpty(paths: readonly string[]): void {
    for (const path of paths) this.#store(path, Buffer.alloc(0));
  }

  #store(path: string, data: Buffer, id = `id:${randomUUID()}`): FakeFile {
    this.#makeParents(path);
    this.#lastRev += 1;
    const rev = `01${this.#lastRev.toString(16).padStart(12, '0')}`;
    const modified = new Date().toISOString().replace(/\.\d+/, '');
    const file = { path, id, data, hash: contentHash(data), rev, modified };
    this.entries.set(path.toLowerCase(), file);
    this.revisions.set(rev, file);
    return file;
  }

  #makeParents(path: string): void {
    const parts = path.split('/').slice(1, -1);
    for (let count = 1; count <= parts.length; count += 1) {
      const folder = `/${parts.slice(0, count).join('/')}`;
      if (!this.entries.has(folder.toLowerCase())) {
        this.entries.set(folder.toLowerCase(), { path: folder, id: `id:${randomUUID()}` });
      }
    }
  }

  #delete(given: Arguments): FakeAnswer {
    const path = String(given['path']).toLowerCase();
    const found = this.entries.get(path);
    if (found === undefined) return lookupFailure('path_lookup', 'not_found');
    const { parent_rev: rev } = given;
    if (rev !== undefined && (!('data' in found) || found.rev !== rev)) {
      const detail = { '.tag': 'conflict', conflict: { '.tag': 'file' } };
      return failure(409, 'path_write/conflict/file', { '.tag': 'path_write', path_write: detail });
    }
    for (const each of [...this.entries.keys()])
      if (each === path || each.startsWith(`${path}/`)) this.entries.delete(each);
    return ok({ metadata: metadataOf(found) });
  }

  #restore(given: Arguments): FakeAnswer {
    const old = this.revisions.get(String(given['rev']));
    if (old === undefined) return failure(409, 'invalid_revision', { '.tag': 'invalid_revision' });
    return ok(withoutTag(metadataOf(this.#store(String(given['path']), old.data, old.id))));
  }

  #makeFolder(path: string): FakeAnswer {
    if (this.entries.has(path.toLowerCase())) return pathFailure('conflict', 'folder', true);
    this.#makeParents(`${path}/x`);
    return ok({ metadata: metadataOf(this.entries.get(path.toLowerCase()) as FakeFolder) });
  }

  #move(given: Arguments): FakeAnswer {
    const [from, to] = [String(given['from_path']), String(given['to_path'])];
    const found = this.entries.get(from.toLowerCase());
    if (found === undefined) return lookupFailure('from_lookup', 'not_found');
    this.entries.delete(from.toLowerCase());
    this.#makeParents(to);
    this.entries.set(to.toLowerCase(), { ...found, path: to });
    return ok({ metadata: metadataOf({ ...found, path: to }) });
  }
}

function ok(body: object | null): FakeAnswer {
  return { status: 200, body: body ?? 'null' };
}

function withoutTag({ '.tag': _, ...fields }: Record<string, unknown>): object {
  return fields;
}
