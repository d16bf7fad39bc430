/** The part of Cloud Storage's JSON API that is used, after its documentation: `storage/docs/json_api/v1` and "Resumable uploads". */
import { createHash, createVerify, generateKeyPairSync } from 'node:crypto';
import { type FakeAnswer, type FakeRequest, HttpFake } from '../network/http-fake.ts';

interface Stored {
  readonly name: string;
  readonly generation: number;
  readonly bytes: Buffer;
  readonly isComposed: boolean;
  readonly metadata: Record<string, string>;
  readonly updatedMs: number;
}

interface Session {
  readonly name: string;
  bytes: Buffer;
  done: Stored | undefined;
}

/** The bucket, the object, and where it is copied to. */
const objectPath =
  /^\/storage\/v1\/b\/([^/]+)\/o(?:\/([^/]+))?(?:\/compose|\/(?:rewrite|copy)To\/b\/archives\/o\/([^/]+))?$/;
const granularityBytes = 256 * 1024;

/** A fake of Cloud Storage with one bucket and one service account. */
export class GcsFake extends HttpFake {
  readonly bucket = 'archives';
  readonly objects = new Map<string, Stored>();
  readonly sessions = new Map<string, Session>();
  /** The key file of the one service account. */
  readonly key: string;
  /** Rights that it has. */
  rights = new Set(['create', 'get', 'list', 'delete']);
  /** Objects younger than this cannot be deleted or replaced. */
  retentionMs = 0;
  /** Of each chunk only this is kept, as the service may do. */
  keepsBytes = Number.POSITIVE_INFINITY;
  nowMs = () => Date.now();
  readonly #publicKey: string;
  readonly #tokens = new Set<string>();
  #lastGeneration = 1_700_000_000_000_000;
  /** Of all who asked. */
  readonly userAgents = new Set<string>();

  constructor() {
    super((request) => this.#serve(request));
    const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
    this.#publicKey = pair.publicKey.export({ type: 'spki', format: 'pem' }).toString();
    this.key = JSON.stringify({
      type: 'service_account',
      project_id: 'project',
      private_key_id: 'key-1',
      private_key: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      client_email: 'backup@project.iam.gserviceaccount.com',
      client_id: '1',
      token_uri: 'https://oauth2.googleapis.com/token',
    });
  }

  #serve(request: FakeRequest): FakeAnswer {
    this.userAgents.add(request.headers['user-agent'] ?? '');
    if (request.url.pathname === '/token') return this.#makeToken(request);
    if (!this.#isSignedIn(request)) return failure(401, 'authError', 'Invalid Credentials');
    // Where the media links of objects lead.
    const pathname = request.url.pathname.replace(/^\/download/, '');
    const session = /^\/session\/(\w+)$/.exec(pathname)?.[1];
    if (session !== undefined) return this.#serveSession(request, session);
    const upload = /^\/upload\/storage\/v1\/b\/([^/]+)\/o$/.exec(pathname);
    const [, bucket = '', key, rewritten] = upload ?? objectPath.exec(pathname) ?? [];
    if (bucket !== this.bucket) return failure(404, 'notFound', 'The specified bucket does not exist.');
    if (upload && request.url.searchParams.get('uploadType') === 'multipart') return this.#putWhole(request);
    if (upload) return this.#start(request);
    if (key === undefined) return this.#list(request);
    const name = decodeURIComponent(key);
    if (rewritten !== undefined) return this.#rewrite(name, decodeURIComponent(rewritten));
    if (pathname.endsWith('/compose')) return this.#compose(request, name);
    if (request.method === 'DELETE') return this.#delete(request, name);
    return this.#get(request, name);
  }

  /** Gives an access token for an assertion, RFC 7523. */
  #makeToken({ body }: FakeRequest): FakeAnswer {
    const form = new URLSearchParams(body.toString());
    if (!this.#isSigned(form.get('assertion') ?? '')) return { status: 400, body: { error: 'invalid_grant' } };
    const token = `ya29.${this.#tokens.size}`;
    this.#tokens.add(token);
    return { status: 200, body: { access_token: token, token_type: 'Bearer', expires_in: 3600 } };
  }

  #isSignedIn({ headers }: FakeRequest): boolean {
    const token = /^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1] ?? '';
    return this.#tokens.has(token) || this.#isSigned(token);
  }

  /** A token that the account signed itself: for the right scope, and not ended. */
  #isSigned(token: string): boolean {
    const [head = '', claims = '', signature = ''] = token.split('.');
    const verify = createVerify('RSA-SHA256').update(`${head}.${claims}`);
    if (!verify.verify(this.#publicKey, signature, 'base64url')) return false;
    const { exp, scope } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as { exp: number; scope: string };
    return exp * 1000 > Date.now() && scope === 'https://www.googleapis.com/auth/devstorage.read_write';
  }

  #lacks(right: string): FakeAnswer | undefined {
    if (this.rights.has(right)) return undefined;
    const message = `backup@project.iam.gserviceaccount.com does not have storage.objects.${right} access to the Google Cloud Storage object. Permission 'storage.objects.${right}' denied on resource (or it may not exist).`;
    return failure(403, 'forbidden', message);
  }

  #start({ url }: FakeRequest): FakeAnswer {
    const denied = this.#lacks('create');
    if (denied) return denied;
    const name = url.searchParams.get('name') ?? '';
    if (url.searchParams.get('uploadType') !== 'resumable' || !isValidName(name))
      return failure(400, 'invalid', 'Invalid');
    const id = createHash('sha256').update(`${name}${this.sessions.size}`).digest('hex').slice(0, 24);
    this.sessions.set(id, { name, bytes: Buffer.alloc(0), done: undefined });
    return { status: 200, headers: { location: `${url.origin}/session/${id}` } };
  }

  #serveSession({ method, headers, body }: FakeRequest, id: string): FakeAnswer {
    const session = this.sessions.get(id);
    if (session === undefined) return failure(404, 'notFound', 'No such upload');
    if (method === 'DELETE') {
      this.sessions.delete(id);
      return { status: 499 };
    }
    if (session.done !== undefined) return { status: 200, body: resource(session.done) };
    const range = /^bytes (?:(\d+)-(\d+)|\*)\/(\d+|\*)$/.exec(String(headers['content-range']));
    if (range === null) return failure(400, 'invalid', 'Failed to parse Content-Range header.');
    const [, first, last, total] = range;
    if (first !== undefined) {
      if (Number(last) - Number(first) + 1 !== body.length) return failure(400, 'invalid', 'Content-Length is another');
      if (Number(first) !== session.bytes.length) return failure(503, 'backendError', 'chunks must follow one another');
      if (total === '*' && body.length % granularityBytes !== 0)
        return failure(400, 'invalid', 'not a multiple of 256 KiB');
      session.bytes = Buffer.concat([session.bytes, body.subarray(0, this.keepsBytes)]);
    }
    if (total !== '*' && session.bytes.length === Number(total)) {
      session.done = this.#put(session.name, session.bytes, { isComposed: false, metadata: {} });
      return { status: 200, body: resource(session.done) };
    }
    const kept = session.bytes.length;
    const more = kept === 0 ? {} : { range: `bytes=0-${kept - 1}` };
    // For clients that take a 308 for a redirect.
    const isOverridden = headers['x-guploader-no-308'] === 'yes';
    if (isOverridden) return { status: 200, headers: { ...more, 'x-http-status-code-override': '308' } };
    return { status: 308, headers: more };
  }

  /** `multipart/related`: the resource as JSON, then the bytes. */
  #putWhole({ url, headers, body }: FakeRequest): FakeAnswer {
    const denied = this.#lacks('create');
    if (denied) return denied;
    const boundary = /boundary="?([^";]+)/.exec(headers['content-type'] ?? '')?.[1] ?? '';
    const [, json = '', media = ''] = body.toString('latin1').split(`--${boundary}`);
    const contentOf = (part: string) => part.slice(part.indexOf('\r\n\r\n') + 4, -2);
    const given = JSON.parse(Buffer.from(contentOf(json), 'latin1').toString()) as {
      name?: string;
      metadata?: Record<string, string>;
    };
    const name = url.searchParams.get('name') ?? given.name ?? '';
    if (!isValidName(name)) return failure(400, 'invalid', 'Invalid');
    const bytes = Buffer.from(contentOf(media), 'latin1');
    return {
      status: 200,
      body: resource(this.#put(name, bytes, { isComposed: false, metadata: given.metadata ?? {} })),
    };
  }

  #rewrite(from: string, to: string): FakeAnswer {
    const found = this.objects.get(from);
    if (found === undefined) return failure(404, 'notFound', `No such object: ${this.bucket}/${from}`);
    const { bytes, isComposed, metadata } = found;
    const made = resource(this.#put(to, bytes, { isComposed, metadata }));
    return { status: 200, body: { kind: 'storage#rewriteResponse', done: true, resource: made } };
  }

  #compose({ url, body }: FakeRequest, name: string): FakeAnswer {
    const denied = this.#lacks('create') ?? this.#lacks('get');
    if (denied) return denied;
    const { sourceObjects, destination } = JSON.parse(body.toString()) as {
      sourceObjects: { name: string; generation?: string }[];
      destination: { metadata?: Record<string, string> };
    };
    if (sourceObjects.length < 1 || sourceObjects.length > 32 || !isValidName(name))
      return failure(400, 'invalid', 'Invalid');
    const sources = sourceObjects.map((source) => this.#find(source.name, source.generation ?? null));
    if (sources.some((source) => source === undefined)) return failure(404, 'notFound', 'No such object');
    const old = this.objects.get(name);
    const wanted = url.searchParams.get('ifGenerationMatch');
    if (wanted !== null && Number(wanted) !== (old?.generation ?? 0)) return conditionFailure();
    const kept = old && (this.#retained(old) ?? this.#lacks('delete'));
    if (kept) return kept;
    const bytes = Buffer.concat(sources.map((source) => source?.bytes ?? Buffer.alloc(0)));
    const metadata = destination.metadata ?? {};
    return { status: 200, body: resource(this.#put(name, bytes, { isComposed: true, metadata })) };
  }

  #list({ url }: FakeRequest): FakeAnswer {
    const denied = this.#lacks('list');
    if (denied) return denied;
    const prefix = url.searchParams.get('prefix') ?? '';
    const limit = Math.min(1000, Number(url.searchParams.get('maxResults') ?? 1000));
    const after = Buffer.from(url.searchParams.get('pageToken') ?? '', 'base64').toString();
    const delimiter = url.searchParams.get('delimiter') ?? '';
    const shorten = (name: string) => {
      const end = delimiter === '' ? -1 : name.indexOf(delimiter, prefix.length);
      return end < 0 ? name : name.slice(0, end + 1);
    };
    const all = [...this.objects.keys()].filter((name) => name.startsWith(prefix)).map(shorten);
    const names = [...new Set(all)].filter((name) => name > after).sort();
    const page = names.slice(0, limit);
    // As the service does, an empty page has no items at all.
    const items = page
      .filter((name) => this.objects.has(name))
      .map((name) => resource(this.objects.get(name) as Stored));
    const prefixes = page.filter((name) => !this.objects.has(name));
    const more = names.length > limit ? { nextPageToken: Buffer.from(page.at(-1) ?? '').toString('base64') } : {};
    return {
      status: 200,
      body: {
        kind: 'storage#objects',
        ...(items.length === 0 ? {} : { items }),
        ...(prefixes.length === 0 ? {} : { prefixes }),
        ...more,
      },
    };
  }

  #get({ url, headers }: FakeRequest, name: string): FakeAnswer {
    const denied = this.#lacks('get');
    if (denied) return denied;
    const found = this.#find(name, url.searchParams.get('generation'));
    if (found === undefined) return failure(404, 'notFound', `No such object: ${this.bucket}/${name}`);
    if (url.searchParams.get('alt') !== 'media') return { status: 200, body: resource(found) };
    const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '') ?? [];
    if (first === undefined) return { status: 200, body: found.bytes };
    if (Number(first) >= found.bytes.length) return { status: 416, body: 'InvalidRange' };
    const bytes = found.bytes.subarray(Number(first), last === '' ? found.bytes.length : Number(last) + 1);
    const range = `bytes ${first}-${Number(first) + bytes.length - 1}/${found.bytes.length}`;
    return { status: 206, body: bytes, headers: { 'content-range': range } };
  }

  #delete({ url }: FakeRequest, name: string): FakeAnswer {
    const denied = this.#lacks('delete');
    if (denied) return denied;
    const found = this.objects.get(name);
    if (found === undefined) return failure(404, 'notFound', `No such object: ${this.bucket}/${name}`);
    const wanted = url.searchParams.get('ifGenerationMatch');
    if (wanted !== null && Number(wanted) !== found.generation) return conditionFailure();
    const retained = this.#retained(found);
    if (retained) return retained;
    this.objects.delete(name);
    return { status: 204 };
  }

  #find(name: string, generation: string | null): Stored | undefined {
    const found = this.objects.get(name);
    return generation === null || Number(generation) === found?.generation ? found : undefined;
  }

  #retained({ name, updatedMs }: Stored): FakeAnswer | undefined {
    if (this.nowMs() - updatedMs >= this.retentionMs) return undefined;
    const message = `Object '${this.bucket}/${name}' is subject to bucket's retention policy and cannot be deleted or overwritten`;
    return failure(403, 'retentionPolicyNotMet', message);
  }

  /** Puts objects without bytes. */
  addEmpty(names: readonly string[]): void {
    for (const name of names) this.#put(name, Buffer.alloc(0), { isComposed: false, metadata: {} });
  }

  #put(name: string, bytes: Buffer, more: { isComposed: boolean; metadata: Record<string, string> }): Stored {
    this.#lastGeneration += 1;
    const stored = { name, bytes, generation: this.#lastGeneration, updatedMs: this.nowMs(), ...more };
    this.objects.set(name, stored);
    return stored;
  }
}

function isValidName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !/[\r\n]/.test(name) && Buffer.byteLength(name) <= 1024;
}

function resource({ name, generation, bytes, isComposed, metadata, updatedMs }: Stored): object {
  const md5Hash = createHash('md5').update(bytes).digest('base64');
  return {
    kind: 'storage#object',
    ...{
      name,
      generation: String(generation),
      size: String(bytes.length),
      metadata,
      contentType: 'application/octet-stream',
    },
    mediaLink: `https://storage.googleapis.com/download/storage/v1/b/archives/o/${encodeURIComponent(name)}?generation=${generation}&alt=media`,
    updated: new Date(updatedMs).toISOString(),
    ...(isComposed ? { componentCount: 2 } : { md5Hash }),
  };
}

function failure(status: number, reason: string, message: string): FakeAnswer {
  return { status, body: { error: { code: status, message, errors: [{ message, domain: 'global', reason }] } } };
}

function conditionFailure(): FakeAnswer {
  return failure(412, 'conditionNotMet', 'At least one of the pre-conditions you specified did not hold.');
}
