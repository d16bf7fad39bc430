/** What a database is, as named facts that compare as text: of two databases, or of one at two times. */
import { createHash } from 'node:crypto';

/** From the name of a fact to what is so. */
export type Picture = ReadonlyMap<string, string>;

const shownLength = 400;

function shown(text: string): string {
  return text.length > shownLength ? `${text.slice(0, shownLength)}… (${text.length} characters)` : text;
}

/** Around the first place where two texts part, so that it is seen in long ones. */
function parting(one: string, other: string): string {
  let at = 0;
  while (at < one.length && one[at] === other[at]) at += 1;
  const from = Math.max(0, at - 100);
  return `${shown(one.slice(from))}\n  and\n  ${shown(other.slice(from))}`;
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
    if (this.#kept.length >= 200 && last !== undefined && hash >= last.hash) return;
    const text = shown(typeof row === 'string' ? row : Buffer.from(row).toString('utf8'));
    let low = 0;
    let high = this.#kept.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#kept[middle]?.hash ?? '') <= hash) low = middle + 1;
      else high = middle;
    }
    this.#kept.splice(low, 0, { hash, row: text });
    if (this.#kept.length > 200) this.#kept.pop();
  }

  /** The fact: how many, all of them in one number, and some of them. */
  toString(): string {
    const rows = this.#kept.map(({ hash, row }) => `${hash.slice(0, 8)} ${row}`);
    return `${this.#count} rows, ${this.#sum.toString(16)}\n${rows.join('\n')}`;
  }
}
