import { groupOrder, invert, products } from './galois-field.ts';

/**
 * Decodes one column: finds errors at unknown places beside erasures at known ones, `2·errors + erasures <= m` (Berlekamp–Massey, a search of
 * the roots, Forney; `docs/format.md` section 4). A place is a locator.
 * It runs tens of thousands of times a second, so its input and output are arrays that are made once, and nothing is allocated.
 */
export class ErrorDecoder {
  /** Input: T_0 to T_(m-1) of the column as it was read. */
  readonly syndromes: Uint8Array;
  /** Input: places of the erasures; each is one of the suspects. */
  readonly erasures: Uint8Array;
  /** Output: places that are corrected, the erasures among them. */
  readonly places: Uint8Array;
  /** Output: what to XOR there; 0 where an erased byte was right. */
  readonly corrections: Uint8Array;

  readonly #rowCount: number;
  readonly #suspects = new Uint8Array(groupOrder);
  #suspectCount = 0;
  /** The locator polynomial Π (1 - X·x) of errors and erasures, lowest coefficient first. */
  readonly #locator: Uint8Array;
  readonly #previous: Uint8Array;
  readonly #next: Uint8Array;
  readonly #evaluator: Uint8Array;

  /** For columns with `rowCount` (m) parity bytes. */
  constructor(rowCount: number) {
    this.#rowCount = rowCount;
    this.syndromes = new Uint8Array(rowCount);
    this.erasures = new Uint8Array(rowCount);
    this.places = new Uint8Array(rowCount);
    this.corrections = new Uint8Array(rowCount);
    this.#locator = new Uint8Array(rowCount + 2);
    this.#previous = new Uint8Array(rowCount + 2);
    this.#next = new Uint8Array(rowCount + 2);
    this.#evaluator = new Uint8Array(rowCount);
  }

  /** Says where errors may be, for the columns that follow: a solution with an error elsewhere is none. */
  setSuspects(places: Uint8Array): void {
    this.#suspects.set(places);
    this.#suspectCount = places.length;
  }

  /**
   * Decodes `syndromes` with the first `erasureCount` (m at most) of `erasures`. Returns the number of places in `places` and
   * `corrections`, or -1 where there is no solution.
   */
  decode(erasureCount: number): number {
    this.#startLocator(erasureCount);
    const degree = this.#findLocator(erasureCount);
    if (degree < 0) return -1;
    if (degree === erasureCount) {
      for (let at = 0; at < erasureCount; at++) this.places[at] = this.erasures[at]!;
    } else if (!this.#findPlaces(degree)) {
      return -1;
    }
    this.#findCorrections(degree);
    return degree;
  }

  /** The locator polynomial of the erasures alone. */
  #startLocator(erasureCount: number): void {
    const locator = this.#locator;
    locator.fill(0);
    locator[0] = 1;
    for (let degree = 0; degree < erasureCount; degree++) {
      const multiples = this.erasures[degree]! << 8;
      for (let at = degree + 1; at > 0; at--) locator[at]! ^= products[multiples | locator[at - 1]!]!;
    }
  }

  /** The sum over the locator polynomial that is zero where it explains syndrome `row`. */
  #discrepancy(row: number, length: number): number {
    const locator = this.#locator;
    const { syndromes } = this;
    let sum = 0;
    for (let at = 0; at <= length; at++) sum ^= products[(locator[at]! << 8) | syndromes[row - at]!]!;
    return sum;
  }

  /** Berlekamp–Massey from the erasures on; returns the degree, or -1 where there are more errors than can be found. */
  #findLocator(erasureCount: number): number {
    const rowCount = this.#rowCount;
    let row = erasureCount;
    while (row < rowCount && this.#discrepancy(row, erasureCount) === 0) row++;
    // Most columns end here: the erasures alone explain all.
    if (row === rowCount) return erasureCount;

    const locator = this.#locator;
    const previous = this.#previous;
    const next = this.#next;
    previous.fill(0);
    for (let at = 0; at <= erasureCount; at++) previous[at + row - erasureCount] = locator[at]!;
    let length = erasureCount;
    for (; row < rowCount; row++) {
      previous.copyWithin(1, 0);
      previous[0] = 0;
      const discrepancy = this.#discrepancy(row, length);
      if (discrepancy === 0) continue;
      const multiples = discrepancy << 8;
      for (let at = 0; at < next.length; at++) next[at] = locator[at]! ^ products[multiples | previous[at]!]!;
      if (2 * length <= row + erasureCount) {
        length = row + 1 + erasureCount - length;
        const inverseMultiples = invert(discrepancy) << 8;
        for (let at = 0; at < previous.length; at++) previous[at] = products[inverseMultiples | locator[at]!]!;
      }
      locator.set(next);
    }
    // Above `length` there is no coefficient: each step adds at most as much as it lengthens.
    return 2 * length - erasureCount > rowCount || locator[length] === 0 ? -1 : length;
  }

  /** Finds the suspects at whose inverse locators the polynomial is zero; there must be as many as its degree. */
  #findPlaces(degree: number): boolean {
    const locator = this.#locator;
    let found = 0;
    for (let at = 0; at < this.#suspectCount; at++) {
      const place = this.#suspects[at]!;
      const multiples = invert(place) << 8;
      let value = locator[degree]!;
      for (let coefficient = degree - 1; coefficient >= 0; coefficient--) {
        value = products[multiples | value]! ^ locator[coefficient]!;
      }
      if (value !== 0) continue;
      this.places[found++] = place;
      if (found === degree) return true;
    }
    return false;
  }

  /** Forney: the correction at X is X·Ω(1/X) / Λ'(1/X), where Ω is S·Λ mod x^degree. */
  #findCorrections(degree: number): void {
    const locator = this.#locator;
    const evaluator = this.#evaluator;
    for (let at = 0; at < degree; at++) {
      let sum = 0;
      for (let low = 0; low <= at; low++) sum ^= products[(locator[low]! << 8) | this.syndromes[at - low]!]!;
      evaluator[at] = sum;
    }
    for (let index = 0; index < degree; index++) {
      const place = this.places[index]!;
      const multiples = invert(place) << 8;
      let numerator = 0;
      for (let at = degree - 1; at >= 0; at--) numerator = products[multiples | numerator]! ^ evaluator[at]!;
      // In characteristic 2 the derivative keeps the odd coefficients, one degree lower: a polynomial in x².
      const squares = products[multiples | (multiples >> 8)]! << 8;
      let slope = 0;
      for (let at = degree % 2 === 1 ? degree : degree - 1; at > 0; at -= 2)
        slope = products[squares | slope]! ^ locator[at]!;
      const scaled = products[(place << 8) | numerator]!;
      this.corrections[index] = products[(scaled << 8) | invert(slope)]!;
    }
  }
}
