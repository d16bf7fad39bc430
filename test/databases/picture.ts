/** What a database is, as named facts that compare as text: of two databases, or of one at two times. */
import { createHash } from 'node:crypto';

/** From the name of a fact to what is so. */
export type Picture = ReadonlyMap<string, string>;

const shownLength = 400;
/** Rows of a table of which the text is kept, and characters of each. */
const keptCount = 200;
const keptLength = 4000;

function shown(text: string): string {
  return text.length > shownLength ? `${text.slice(0, shownLength)}… (${text.length} characters)` : text;
}

/** Lines of one text that the other lacks. */
function linesOnlyIn(one: string, other: string): string[] {
  const lines = new Set(other.split('\n'));
  return one.split('\n').filter((line) => !lines.has(line));
}

function sharedLength(one: string, other: string): number {
  let length = 0;
  while (length < one.length && one[length] === other[length]) length += 1;
  return length;
}

/** Some lines in which two texts differ, each beside the one most like it, from shortly before they part. */
function parting(one: string, other: string): string {
  const others = linesOnlyIn(other, one);
  const lines = linesOnlyIn(one, other).slice(0, 3);
  const shownLines = lines.map((line) => {
    const [like = '', length = 0] = others
      .map((candidate) => [candidate, sharedLength(line, candidate)] as const)
      .reduce((best, next) => (next[1] > best[1] ? next : best), ['', -1] as const);
    const from = Math.max(0, length - 100);
    return `- ${shown(line.slice(from))}\n  + ${shown(like.slice(from))}`;
  });
  if (lines.length === 0) shownLines.push(...others.slice(0, 3).map((line) => `+ ${shown(line)}`));
  return shownLines.length > 0 ? shownLines.join('\n  ') : 'their lines stand in another order';
}

/** One line or more for each fact that differs; none when the pictures are equal. */
export function differencesOf(one: Picture, other: Picture): string[] {
  if (one.size === 0 && other.size === 0) throw new Error('two pictures of nothing: nothing was compared');
  const found: string[] = [];
  for (const name of [...new Set([...one.keys(), ...other.keys()])].sort()) {
    const first = one.get(name);
    const second = other.get(name);
    if (first === second) continue;
    if (second === undefined) found.push(`${name} is only in the first:\n  ${shown(first ?? '')}`);
    else if (first === undefined) found.push(`${name} is only in the second:\n  ${shown(second)}`);
    else found.push(`${name} differs:\n  ${parting(first, second)}`);
  }
  return found;
}

/** Takes facts; one name may have several, whose order does not matter. */
export class PictureMaker {
  readonly #facts = new Map<string, string[]>();

  add(name: string, fact: string): void {
    const facts = this.#facts.get(name);
    if (facts === undefined) this.#facts.set(name, [fact]);
    else facts.push(fact);
  }

  picture(): Picture {
    return new Map([...this.#facts].map(([name, facts]) => [name, facts.sort().join('\n')]));
  }
}

const twoTo128 = 1n << 128n;

/**
 * Rows in no order, counted: their hashes are added up, so that memory does not grow with them, and a row that is there twice
 * counts twice. The first ones in the order of their hashes are kept, to be shown: the same rows of both databases.
 */
export class RowSet {
  #count = 0;
  #sum = 0n;
  readonly #kept: { hash: string; row: string }[] = [];

  add(row: Uint8Array | string): void {
    const hash = createHash('sha256').update(row).digest('hex').slice(0, 32);
    this.#count += 1;
    this.#sum = (this.#sum + BigInt(`0x${hash}`)) % twoTo128;
    this.#keep(hash, row);
  }

  #keep(hash: string, row: Uint8Array | string): void {
    const last = this.#kept.at(-1);
    if (this.#kept.length >= keptCount && last !== undefined && hash >= last.hash) return;
    const text = (typeof row === 'string' ? row : Buffer.from(row).toString('utf8')).slice(0, keptLength);
    let low = 0;
    let high = this.#kept.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#kept[middle]?.hash ?? '') <= hash) low = middle + 1;
      else high = middle;
    }
    this.#kept.splice(low, 0, { hash, row: text });
    if (this.#kept.length > keptCount) this.#kept.pop();
  }

  /** The fact: how many, all of them in one number, and some of them. */
  toString(): string {
    const rows = this.#kept.map(({ row }) => row);
    return `${this.#count} rows, together ${this.#sum.toString(16)}\n${rows.join('\n')}`;
  }
}
