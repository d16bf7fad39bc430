/** Runs `work` on up to `limit` inputs at once and gives the results in the order of the inputs. */
export async function* mapOrdered<Input, Output>(
  inputs: Iterable<Input> | AsyncIterable<Input>,
  limit: number,
  work: (input: Input) => Promise<Output>,
): AsyncGenerator<Output> {
  const ahead: Promise<Output>[] = [];
  for await (const input of inputs) {
    const result = work(input);
    // A failure is thrown when its turn comes; until then it must not count as unhandled.
    result.catch(() => undefined);
    ahead.push(result);
    if (ahead.length >= limit) yield await (ahead.shift() as Promise<Output>);
  }
  for (const result of ahead) yield await result;
}

/** Lets at most `count` pieces of work run at once. */
export class Limiter {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  async run<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#free === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#free--;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }
}
