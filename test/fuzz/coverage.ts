import { Session } from 'node:inspector';

/** Which parts of the product a run went through, as V8 counts them: a number for each place and order of magnitude. */
export class Coverage {
  readonly #session = new Session();

  constructor() {
    this.#session.connect();
    this.#session.post('Profiler.enable');
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** What was gone through since the last call. */
  take(): Set<string> {
    const places = new Set<string>();
    this.#session.post('Profiler.takePreciseCoverage', (error, taken) => {
      if (error !== null) throw error;
      for (const { url, scriptId, functions } of taken.result) {
        if (!url.includes('/src/')) continue;
        for (const { ranges } of functions) {
          for (const { startOffset, endOffset, count } of ranges) {
            places.add(`${scriptId}:${startOffset}:${endOffset}:${Math.min(8, Math.ceil(Math.log2(count + 1)))}`);
          }
        }
      }
    });
    return places;
  }

  stop(): void {
    this.#session.disconnect();
  }
}
