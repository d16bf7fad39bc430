import { systemWait, type Wait } from '../../clock.ts';
import { HoldfastError } from '../../errors.ts';

/** How much of a body is taken, and how slowly it may come. */
export interface BodyLimits {
  readonly maximumBytes: number;
  /** Between two pieces. */
  readonly idleTimeoutMs: number;
  /** In all; none unless set. */
  readonly totalTimeoutMs?: number;
  readonly wait?: Wait;
}

function tooLarge(maximumBytes: number): HoldfastError {
  return new HoldfastError('request.too_large', { message: `the request has more than ${maximumBytes} bytes` });
}

/**
 * The pieces of a body as they come. Throws `request.too_large` as soon as there is too much, `request.too_slow` where the other side stops,
 * and `request.invalid` where the connection breaks.
 */
export async function* readPieces(
  body: ReadableStream<Uint8Array> | null,
  limits: BodyLimits,
): AsyncGenerator<Uint8Array> {
  if (body === null) return;
  const { maximumBytes, idleTimeoutMs, totalTimeoutMs, wait = systemWait } = limits;
  const reader = body.getReader();
  const ending = new AbortController();
  const late = async (durationMs: number, signal: AbortSignal): Promise<never> => {
    await wait(durationMs, signal);
    throw new HoldfastError('request.too_slow');
  };
  const whole = totalTimeoutMs === undefined ? undefined : late(totalTimeoutMs, ending.signal);
  whole?.catch(() => undefined);
  let isRead = false;
  try {
    let receivedBytes = 0;
    for (;;) {
      const waited = new AbortController();
      const idle = late(idleTimeoutMs, waited.signal);
      idle.catch(() => undefined);
      const reading = reader.read().catch((cause: unknown): never => {
        throw new HoldfastError('request.invalid', { message: 'the request broke off', cause });
      });
      const { done, value } = await Promise.race([reading, idle, ...(whole === undefined ? [] : [whole])]).finally(() =>
        waited.abort(),
      );
      if (done) {
        isRead = true;
        return;
      }
      receivedBytes += value.length;
      if (receivedBytes > maximumBytes) throw tooLarge(maximumBytes);
      yield value;
    }
  } finally {
    ending.abort();
    // What is not wanted is not read: the server closes the connection.
    if (!isRead) reader.cancel().catch(() => undefined);
  }
}

/** A small body, whole. Throws what {@link readPieces} throws. */
export async function readWhole(request: Request, limits: BodyLimits): Promise<Uint8Array<ArrayBuffer>> {
  const declared = Number(request.headers.get('content-length') ?? 0);
  if (declared > limits.maximumBytes) throw tooLarge(limits.maximumBytes);
  const pieces: Uint8Array[] = [];
  for await (const piece of readPieces(request.body, limits)) pieces.push(piece);
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const piece of pieces) {
    whole.set(piece, offset);
    offset += piece.length;
  }
  return whole;
}
