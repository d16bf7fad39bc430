import { systemWait, type Wait } from '../../clock.ts';
import { HoldfastError } from '../../errors.ts';

/** Proxies close what is silent for long. */
const heartbeatMs = 15_000;
const mostStreams = 200;
let openStreams = 0;

/** Events as a browser takes them (HTML, server-sent events). It ends when they do, or when nobody reads any more. */
export function eventStream(
  events: (signal: AbortSignal) => AsyncIterable<{ readonly type: string }>,
  wait: Wait = systemWait,
): Response {
  if (openStreams >= mostStreams) throw new HoldfastError('access.limited', { message: 'too many look on already' });
  openStreams++;
  const ending = new AbortController();
  const iterator = events(ending.signal)[Symbol.asyncIterator]();
  let isOpen = true;
  const close = () => {
    if (isOpen) openStreams--;
    isOpen = false;
    ending.abort();
  };
  const encoder = new TextEncoder();
  let next: ReturnType<typeof iterator.next> | undefined;
  const body = new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        next ??= iterator.next();
        const waited = new AbortController();
        const silence = wait(heartbeatMs, waited.signal).then(
          () => 'silent' as const,
          () => 'silent' as const,
        );
        try {
          const event = await Promise.race([next, silence]);
          if (event === 'silent') return controller.enqueue(encoder.encode(': \n\n'));
          next = undefined;
          if (event.done === true) {
            close();
            return controller.close();
          }
          const text = `event: ${event.value.type}\ndata: ${JSON.stringify(event.value)}\n\n`;
          controller.enqueue(encoder.encode(text));
        } catch (error) {
          close();
          throw error;
        } finally {
          waited.abort();
        }
      },
      cancel: close,
    },
    { highWaterMark: 1 },
  );
  return new Response(body, {
    headers: {
      'content-type': 'text/event-stream; charset=utf-8',
      // Who compresses or gathers events hands them on late.
      'cache-control': 'no-store, no-transform',
      'x-accel-buffering': 'no',
    },
  });
}
