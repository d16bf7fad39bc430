import { readFile } from 'node:fs/promises';
import { type AuthClient, GoogleAuth, JWT } from 'google-auth-library';
import { HoldfastError } from '../../errors.ts';
import { networkErrorFrom } from '../remote/network-error.ts';
import type { GcsAccess } from './gcs-adapter.ts';

const scope = 'https://www.googleapis.com/auth/devstorage.read_write';

/** Gives the header that signs a request in; Google's library makes a new token when one is about to end. */
export class GcsToken {
  readonly #access: GcsAccess;
  #client: Promise<AuthClient> | undefined;

  constructor(access: GcsAccess) {
    this.#access = access;
  }

  /** The `Authorization` header. Throws `storage.credentials` where there are none, or Google refuses them. */
  async header(signal: AbortSignal): Promise<string> {
    try {
      this.#client ??= this.#signIn();
      const client = await untilAborted(this.#client, signal);
      const headers = await untilAborted(client.getRequestHeaders(), signal);
      const header = headers.get('authorization');
      if (header !== null) return header;
    } catch (error) {
      this.forget();
      signal.throwIfAborted();
      throw tokenErrorFrom(error);
    }
    throw new HoldfastError('storage.credentials', { message: 'Google gave no token for the storage' });
  }

  /** Makes the next header anew: the one before was refused. */
  forget(): void {
    this.#client = undefined;
  }

  async #signIn(): Promise<AuthClient> {
    const { keyFile, credentials } = this.#access;
    const text = keyFile === undefined ? credentials?.reveal() : await readKeyFile(keyFile);
    const client =
      text === undefined ? await new GoogleAuth({ scopes: [scope] }).getClient() : serviceAccount(parseKey(text));
    // The service account signs its requests itself: no server to ask for a token, and none that can be away.
    if (client instanceof JWT) client.useJWTAccessWithScope = true;
    return client as AuthClient;
  }
}

function serviceAccount(fields: Readonly<Record<string, unknown>>): JWT {
  const { type, client_email: email, private_key: key, private_key_id: keyId } = fields;
  if (type === 'service_account' && typeof email === 'string' && typeof key === 'string') {
    return new JWT({ email, key, scopes: [scope], ...(typeof keyId === 'string' ? { keyId } : {}) });
  }
  throw new HoldfastError('storage.credentials', {
    message: `the key is not that of a service account, but ${JSON.stringify(type ?? 'nothing known')}`,
    hint: 'for other kinds, leave out `keyFile` and set GOOGLE_APPLICATION_CREDENTIALS to the path of the file',
  });
}

async function readKeyFile(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const message = `${path}: the key file of the service account cannot be read`;
    throw new HoldfastError('storage.credentials', { message, context: { path }, cause: error });
  }
}

function parseKey(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    // The error of the parser quotes the text.
    const message = 'the key of the service account is no JSON';
    throw new HoldfastError('storage.credentials', { message, hint: 'download it again as JSON' });
  }
}

/** The library knows no signals: what it is about goes on, and nobody waits for it. */
async function untilAborted<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener('abort', onAbort);
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

function tokenErrorFrom(error: unknown): unknown {
  const known = networkErrorFrom(error, 'Google (signing in)');
  if (known instanceof HoldfastError || !(error instanceof Error)) return known;
  if (/could not load the default credentials/i.test(error.message)) {
    return new HoldfastError('storage.credentials', {
      message: 'there are no credentials for Google Cloud on this machine',
      hint: 'give `keyFile`, or set GOOGLE_APPLICATION_CREDENTIALS, or run `gcloud auth application-default login`',
      cause: error,
    });
  }
  if (/short-lived|reasonable timeframe/i.test(error.message)) {
    return new HoldfastError('storage.clock_skew', {
      message: 'Google refused the time of the credentials',
      cause: error,
    });
  }
  return new HoldfastError('storage.credentials', {
    message: 'Google does not take these credentials',
    hint: 'make a new key of the service account; one that was deleted or disabled is of no more use',
    cause: error,
  });
}
