import { HoldfastError } from '../../errors.ts';
import { fillFrom } from './ranged-access.ts';

/** One request over `fetch`. */
export interface HttpRequest {
  readonly method: string;
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string | undefined;
  /** Ends it, its answer included. */
  readonly signal: AbortSignal;
}

/** An answer other than a success is a few lines. */
const textLimitBytes = 1024 * 1024;

/** The answer, whatever its status; redirects are not followed: none of these interfaces has any. Its body must be read or dropped. */
export async function httpRequest({ method, url, headers = {}, body, signal }: HttpRequest): Promise<Response> {
  return await fetch(url, {
    method,
    headers: { 'user-agent': 'holdfast', ...headers },
    signal,
    redirect: 'manual',
    ...(body === undefined ? {} : { body: body as Uint8Array<ArrayBuffer> | string }),
  });
}

/** The body as text, up to 1 MiB. */
export async function textOf(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of response.body ?? []) {
    sizeBytes += chunk.length;
    if (sizeBytes > textLimitBytes)
      throw new HoldfastError('storage.failed', { message: `${response.url}: a long answer` });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** The body as JSON; an answer that is none throws `storage.unavailable`: proxies and gateways send such while a service is away. */
export async function jsonOf(response: Response): Promise<unknown> {
  const text = await textOf(response);
  try {
    return JSON.parse(text);
  } catch (error) {
    const message = `${new URL(response.url).host}: the answer is no JSON, but ${JSON.stringify(text.slice(0, 80))}`;
    throw new HoldfastError('storage.unavailable', { message, cause: error });
  }
}

/** Lets the connection be used again. */
export async function drop(response: Response): Promise<void> {
  await response.body?.cancel();
}

/** Fills `into` with the body of an answer to a ranged request, which must be that range. */
export async function fillFromResponse(
  response: Response,
  { offset, into, what }: { offset: number; into: Uint8Array; what: string },
): Promise<void> {
  const range = /^bytes (\d+)-(\d+)\//.exec(response.headers.get('content-range') ?? '');
  const isAsked = Number(range?.[1]) === offset && Number(range?.[2]) === offset + into.length - 1;
  if (response.status !== 206 || !isAsked) {
    await drop(response);
    throw new HoldfastError('storage.unavailable', { message: `${what}: another range came than was asked for` });
  }
  await fillFrom(response.body ?? emptyBody(), into, what);
}

async function* emptyBody(): AsyncGenerator<Uint8Array> {}
