/** What came of opening an item. */
type Settled<Opened> = { readonly opened: Opened } | { readonly error: unknown };

/** Opens items before their turn, so many at once, and gives them in their order. What was opened and is not taken is discarded. */
export async function* openAhead<Item, Opened>(
  items: Iterable<Item>,
  options: {
    readonly atOnce: number;
    open(item: Item): Promise<Opened>;
    discard(opened: Opened): Promise<void>;
  },
): AsyncGenerator<Opened> {
  const { atOnce, open, discard } = options;
  const settle = async (item: Item): Promise<Settled<Opened>> => {
    try {
      return { opened: await open(item) };
    } catch (error) {
      return { error };
    }
  };
  const waiting: Promise<Settled<Opened>>[] = [];
  const iterator = items[Symbol.iterator]();
  try {
    for (let hasEnded = false; !hasEnded || waiting.length > 0; ) {
      while (!hasEnded && waiting.length < atOnce) {
        const next = iterator.next();
        if (next.done === true) hasEnded = true;
        else waiting.push(settle(next.value));
      }
      const settled = await waiting.shift();
      if (settled === undefined) continue;
      if ('error' in settled) throw settled.error;
      yield settled.opened;
    }
  } finally {
    for (const one of waiting) {
      const settled = await one;
      if ('opened' in settled) await discard(settled.opened);
    }
    iterator.return?.();
  }
}
