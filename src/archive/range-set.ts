/** A range of numbers, its end excluded. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** Numbers as the ranges that hold them. Cheap while they are added mostly in order. */
export class RangeSet {
  /** Ascending, apart from each other. */
  #ranges: Range[] = [];

  add(start: number, end: number): void {
    if (start >= end) return;
    let merged = { start, end };
    const first = this.#firstReaching(start);
    let next = first;
    for (; next < this.#ranges.length; next += 1) {
      const range = this.#ranges[next] as Range;
      if (range.start > end) break;
      merged = { start: Math.min(merged.start, range.start), end: Math.max(merged.end, range.end) };
    }
    this.#ranges.splice(first, next - first, merged);
  }

  /** What is missing between two numbers, ascending. */
  *gaps(start: number, end: number): Generator<Range> {
    let at = start;
    for (let next = this.#firstReaching(start); next < this.#ranges.length && at < end; next += 1) {
      const range = this.#ranges[next] as Range;
      if (range.start > at) yield { start: at, end: Math.min(range.start, end) };
      at = Math.max(at, range.end);
    }
    if (at < end) yield { start: at, end };
  }

  /** Index of the first range that ends at `number` or behind it. */
  #firstReaching(number: number): number {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#ranges[middle] as Range).end < number) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
