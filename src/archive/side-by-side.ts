/** How the items of a sequence are worked on. */
export interface SideBySideOptions<Item> {
  /** So many at once at most; with 1 the next is asked for when the one before it is done. */
  readonly atOnce: number;
  /** The signal aborts when another one has failed. */
  readonly work: (item: Item, signal: AbortSignal) => Promise<void>;
  /** Called once when one has failed, so that the others end soon. */
  readonly stop?: () => Promise<void>;
  readonly signal?: AbortSignal | undefined;
}

/** Works on items in the order in which they come, some at once. Ends when all have ended; throws the first failure. */
export async function eachSideBySide<Item>(
  items: AsyncIterable<Item> | Iterable<Item>,
  options: SideBySideOptions<Item>,
): Promise<void> {
  const { atOnce, work, stop, signal } = options;
  const controller = new AbortController();
  const stopSignal = signal === undefined ? controller.signal : AbortSignal.any([signal, controller.signal]);
  const running = new Set<Promise<void>>();
  let failure: { readonly error: unknown } | undefined;
  let stopped: Promise<unknown> = Promise.resolve();
  const fail = (error: unknown) => {
    if (failure !== undefined) return;
    failure = { error };
    controller.abort(error);
    // What it meets is of no interest beside the failure.
    if (running.size > 1) stopped = Promise.resolve(stop?.()).catch(() => undefined);
  };
  try {
    for await (const item of items) {
      if (failure !== undefined) break;
      const one: Promise<void> = work(item, stopSignal)
        .catch(fail)
        .finally(() => running.delete(one));
      running.add(one);
      while (running.size >= atOnce && failure === undefined) await Promise.race(running);
      if (failure !== undefined) break;
    }
  } catch (error) {
    fail(error);
  }
  await Promise.all(running);
  await stopped;
  if (failure !== undefined) throw (failure as { readonly error: unknown }).error;
}

/** The first, the last, the second, the last but one, and so on. */
export function* fromBothEnds<Item>(items: readonly Item[]): Generator<Item> {
  for (let first = 0, last = items.length - 1; first <= last; first++, last--) {
    yield items[first] as Item;
    if (first < last) yield items[last] as Item;
  }
}
