import assert from 'node:assert';
import { findCombination } from './byte-combination.ts';
import { ErrorDecoder } from './error-decoder.ts';
import { bodySizeBytes } from './geometry.ts';
import { dataLocator, parityLocator } from './reed-solomon.ts';
import { type DamagedBody, findBlanks, StripeReading } from './stripe-reading.ts';
import { placeCount, StripeWorkspace } from './stripe-workspace.ts';

/** What is at hand of one block of a stripe. Bodies are 4,048 bytes. */
export interface StripeCandidates {
  /** The body, known right. */
  readonly intact: Uint8Array | undefined;
  /** Bodies of damaged copies, of which the first 4 are looked at, and none where there is an intact one. */
  readonly damaged: readonly Uint8Array[];
}

export interface StripeInput {
  /** Data blocks of this very stripe. */
  readonly dataCount: number;
  /** m: its parity rows. */
  readonly parityRows: number;
  /** M of the header. */
  readonly maximumParityRows: number;
  /** The data blocks by index, then the parity blocks by row. */
  readonly candidates: readonly StripeCandidates[];
  /** Whether a body is the one of this data index. It must not keep or change the body. */
  matchesHash(dataIndex: number, body: Uint8Array): boolean;
}

export interface StripeResult {
  /** The body of each data index; undefined where it is lost. Every one that was not intact has matched its hash. */
  readonly data: readonly (Uint8Array | undefined)[];
  /** Data bodies that were not intact and are there now. */
  readonly solvedCount: number;
}

/** Rounds in which at least one block each is gained; what is not there then is given up, so that hostile input ends. */
const maximumRounds = 64;
/** Copies of one block that are looked at. */
const maximumDamaged = 4;
/** Columns decoded with guessed erasures, for one stripe, times m: about half a second. */
const maximumGuesses = 1_000_000;
/** Syndromes beyond those a solution needs, from which on it is believed without looking for a better one. */
const sureSlack = 2;
/** Columns with a sure solution from which on copies are judged by them. */
const judgingColumns = 64;
/** A copy that is wrong in one of so many sure columns is taken for something else: its bytes do better as erasures. */
const wrongShare = 8;

/**
 * Finds the data bodies of a stripe from what is left of its blocks (`docs/format.md` section 4), cheapest way first: erasures of whole blocks;
 * then column by column, where damaged copies tell erasures by their differences and errors are searched. What matches its hash is
 * known from then on, and all is tried again with it.
 *
 * Bound: 64 rounds of at most 8 readings of 4,048 columns, 6·256 hashes for each block, and 1,000,000 / m guesses. A stripe of 239 + 16 takes
 * about 1 ms for lost blocks, 5 to 10 ms for one wrong byte in 250, and a second or a few when it is beyond help. Memory: 4 MB, kept
 * for the next stripe.
 */
export function decodeStripe(input: StripeInput): StripeResult {
  const { dataCount, parityRows, maximumParityRows, candidates } = input;
  assert(dataCount >= 1 && parityRows >= 1 && parityRows <= maximumParityRows);
  assert(maximumParityRows + dataCount < placeCount && candidates.length === dataCount + parityRows);
  const data = candidates.slice(0, dataCount).map((candidate) => candidate.intact);
  if (data.every((body) => body !== undefined)) return { data, solvedCount: 0 };
  if (buffers?.workspace.maximumParityRows !== maximumParityRows) buffers = new StripeBuffers(maximumParityRows);
  return new StripeSearch(input, buffers).run();
}

/** What is used again for the next stripe of the same archive. */
class StripeBuffers {
  readonly workspace: StripeWorkspace;
  readonly reading: StripeReading;
  /** The best that is known of each place, beside the intact ones. */
  readonly decoded = new Uint8Array(placeCount * bodySizeBytes);
  /** Syndromes that the best solution of each column leaves to prove it; -1 without one. */
  readonly slack = new Int8Array(bodySizeBytes);
  readonly wrongCounts = new Uint16Array(placeCount * maximumDamaged);

  constructor(maximumParityRows: number) {
    this.workspace = new StripeWorkspace(maximumParityRows);
    this.reading = new StripeReading(this.workspace.values, maximumParityRows);
  }
}

let buffers: StripeBuffers | undefined;

/** The search for one stripe's bodies. */
class StripeSearch {
  readonly #input: StripeInput;
  readonly #buffers: StripeBuffers;
  readonly #decoder: ErrorDecoder;
  /** Bodies known right, by place. */
  readonly #known: (Uint8Array | undefined)[] = [];
  readonly #damaged: DamagedBody[][] = [];
  readonly #places: number[] = [];
  /** Places that are not known: data first. */
  #suspects = new Uint8Array();
  #lostDataCount = 0;
  #solvedCount = 0;
  #sureColumns = 0;
  /** The damaged copies with their holes marked, made when they are asked for. */
  readonly #marked: (DamagedBody[] | undefined)[] = [];
  #combined = false;
  #guessesLeft: number;

  constructor(input: StripeInput, stripeBuffers: StripeBuffers) {
    this.#input = input;
    this.#buffers = stripeBuffers;
    this.#decoder = new ErrorDecoder(input.parityRows);
    this.#guessesLeft = Math.floor(maximumGuesses / input.parityRows);
    for (const [index, candidate] of input.candidates.entries()) {
      const place = index < input.dataCount ? dataLocator(index) : parityLocator(index - input.dataCount);
      this.#places.push(place);
      this.#known[place] = candidate.intact;
      this.#damaged[place] = candidate.damaged.slice(0, maximumDamaged).map((bytes) => ({ bytes }));
    }
  }

  run(): StripeResult {
    this.#findSuspects();
    for (let round = 0; round < maximumRounds && this.#lostDataCount > 0; round++) {
      const gained = this.#tryErasures() || this.#tryReadings() || this.#tryCombinations() || this.#tryGuesses();
      if (!gained) break;
      this.#findSuspects();
    }
    const data = this.#places.slice(0, this.#input.dataCount).map((place) => this.#known[place]);
    return { data, solvedCount: this.#solvedCount };
  }

  #findSuspects(): void {
    this.#suspects = Uint8Array.from(this.#places.filter((place) => this.#known[place] === undefined));
    this.#lostDataCount = this.#suspects.filter((place) => this.#isData(place)).length;
  }

  #isData(place: number): boolean {
    return place > parityLocator(this.#input.parityRows - 1);
  }

  /** Takes the body of a data place where it matches its hash. */
  #take(place: number, body: Uint8Array): boolean {
    if (!this.#input.matchesHash(dataLocator(place), body)) return false;
    this.#known[place] = new Uint8Array(body);
    this.#solvedCount++;
    return true;
  }

  #lostData(): Uint8Array {
    return this.#suspects.subarray(0, this.#lostDataCount);
  }

  /** All blocks that are not known are erasures; returns whether a block is gained. */
  #tryErasures(): boolean {
    if (this.#suspects.length > this.#input.parityRows) return false;
    this.#read(() => []);
    const solved = this.#buffers.workspace.solve(this.#suspects);
    let gained = false;
    for (const [index, place] of this.#lostData().entries()) {
      if (this.#take(place, solved.subarray(index * bodySizeBytes, (index + 1) * bodySizeBytes))) gained = true;
    }
    return gained;
  }

  /** Looks at the damaged copies in one way after the other, until a block is gained. */
  #tryReadings(): boolean {
    this.#buffers.slack.fill(-1);
    // Where the copies agree they are presumed right.
    this.#read((place) => this.#damaged[place]!);
    for (const place of this.#suspects) {
      const start = place * bodySizeBytes;
      this.#buffers.decoded.set(this.#buffers.reading.values.subarray(start, start + bodySizeBytes), start);
    }
    this.#decodeColumns({ first: true });
    if (this.#takeDecoded()) return true;
    this.#judgeCopies();
    // The same without holes, and without the copies that the columns solved so far have shown to be something else.
    if (this.#tryReading((place) => this.#plausible(place))) return true;
    // The blocks that match no hash are wrong in columns without a solution: no need to search there.
    if (this.#lostDataCount <= this.#input.parityRows) {
      if (this.#tryReading((place) => (this.#isData(place) ? [] : this.#plausible(place)))) return true;
    }
    // One copy's own bytes: it may have fewer errors than the copies have differences.
    const copies = Math.max(...Array.from(this.#suspects, (place) => this.#damaged[place]!.length));
    for (let copy = 0; copies > 1 && copy < copies; copy++) {
      const own = (place: number) => this.#damaged[place]!.slice(copy).concat(this.#damaged[place]!).slice(0, 1);
      if (this.#tryReading(own)) return true;
    }
    return false;
  }

  #tryReading(bodies: (place: number) => readonly DamagedBody[]): boolean {
    this.#read(bodies);
    return this.#decodeColumns({ first: false }) && this.#takeDecoded();
  }

  /** Fills the reading, and sums its syndromes. */
  #read(bodies: (place: number) => readonly DamagedBody[]): void {
    const { reading, workspace } = this.#buffers;
    reading.clear();
    for (const place of this.#places) {
      const known = this.#known[place];
      if (known !== undefined) reading.setIntact(place, known);
      else reading.setDamaged(place, bodies(place));
    }
    workspace.computeSyndromes(this.#input);
  }

  /** The copies of a place that are not mostly wrong in the columns that are sure, with their holes marked. */
  #plausible(place: number): DamagedBody[] {
    this.#marked[place] ??= this.#damaged[place]!.map(({ bytes }) => ({ bytes, blanks: findBlanks(bytes) }));
    if (this.#sureColumns < judgingColumns) return this.#marked[place];
    const { wrongCounts } = this.#buffers;
    return this.#marked[place].filter(
      (_, copy) => wrongCounts[place * maximumDamaged + copy]! * wrongShare <= this.#sureColumns,
    );
  }

  /** Decodes the columns that are not sure yet; returns whether one of them has a better solution than before. */
  #decodeColumns(pass: { readonly first: boolean }): boolean {
    const { parityRows } = this.#input;
    const { reading, slack } = this.#buffers;
    this.#decoder.setSuspects(this.#suspects);
    let improved = false;
    for (let column = 0; column < bodySizeBytes; column++) {
      const erasureCount = reading.erasureCounts[column]!;
      const best = slack[column]!;
      if (best >= sureSlack || parityRows - erasureCount <= best) continue;
      const damaged = this.#loadColumn(column, erasureCount);
      const count = damaged ? this.#decoder.decode(erasureCount) : erasureCount;
      const left = parityRows + erasureCount - 2 * count;
      if (count < 0 || left <= best) continue;
      slack[column] = left;
      improved = true;
      if (!pass.first) this.#takeColumn(column);
      if (damaged) this.#correctColumn(column, count);
    }
    return improved;
  }

  /** Gives the decoder the reading's column; returns whether its bytes contradict each other. */
  #loadColumn(column: number, erasureCount: number): boolean {
    const { parityRows, maximumParityRows } = this.#input;
    const { reading, workspace } = this.#buffers;
    const { syndromes, erasures } = this.#decoder;
    let sum = 0;
    for (let row = 0; row < parityRows; row++) {
      const syndrome = workspace.syndromes[row * bodySizeBytes + column]!;
      syndromes[row] = syndrome;
      sum |= syndrome;
    }
    for (let at = 0; at < erasureCount; at++) erasures[at] = reading.erasures[column * maximumParityRows + at]!;
    return sum !== 0;
  }

  /** Takes the reading's bytes of a column, before they are corrected. */
  #takeColumn(column: number): void {
    const { decoded, reading } = this.#buffers;
    for (let index = 0; index < this.#suspects.length; index++) {
      const at = this.#suspects[index]! * bodySizeBytes + column;
      decoded[at] = reading.values[at]!;
    }
  }

  #correctColumn(column: number, count: number): void {
    const { decoded } = this.#buffers;
    for (let index = 0; index < count; index++) {
      decoded[this.#decoder.places[index]! * bodySizeBytes + column]! ^= this.#decoder.corrections[index]!;
    }
  }

  /** Counts, for each copy, the sure columns in which it is wrong. */
  #judgeCopies(): void {
    const { decoded, slack, wrongCounts } = this.#buffers;
    this.#sureColumns = slack.filter((left) => left >= sureSlack).length;
    for (const place of this.#suspects) {
      for (const [copy, { bytes }] of this.#damaged[place]!.entries()) {
        let wrong = 0;
        for (let column = 0; column < bodySizeBytes; column++) {
          if (slack[column]! >= sureSlack && bytes[column] !== decoded[place * bodySizeBytes + column]) wrong++;
        }
        wrongCounts[place * maximumDamaged + copy] = wrong;
      }
    }
  }

  /** Takes the decoded bodies that match their hashes; returns whether a block is gained. */
  #takeDecoded(): boolean {
    let gained = false;
    for (const place of this.#lostData()) {
      const start = place * bodySizeBytes;
      if (this.#take(place, this.#buffers.decoded.subarray(start, start + bodySizeBytes))) gained = true;
    }
    return gained;
  }

  /** Puts blocks together from two copies that differ in few bytes. Once a stripe is enough: nothing else comes of a second time. */
  #tryCombinations(): boolean {
    if (this.#combined) return false;
    this.#combined = true;
    let gained = false;
    for (const place of this.#lostData()) {
      if (this.#combine(place)) gained = true;
    }
    return gained;
  }

  /**
   * Solves columns with one error too many: takes one or two bytes of blocks that are still lost for erasures, until the others can be found.
   * Every right guess spares one syndrome.
   */
  #tryGuesses(): boolean {
    this.#read((place) => this.#plausible(place));
    const { reading, slack } = this.#buffers;
    let improved = false;
    for (let column = 0; column < bodySizeBytes; column++) {
      const erasureCount = reading.erasureCounts[column]!;
      if (slack[column]! >= 0 || erasureCount >= this.#input.parityRows) continue;
      this.#loadColumn(column, erasureCount);
      const count = this.#guessColumn(erasureCount);
      if (count < 0) continue;
      this.#takeColumn(column);
      this.#correctColumn(column, count);
      improved = true;
    }
    return improved && this.#takeDecoded();
  }

  /** Decodes the loaded column with guessed erasures: one where the number of syndromes left is odd, else two. */
  #guessColumn(erasureCount: number): number {
    const { erasures } = this.#decoder;
    const lost = this.#lostData().filter((place) => !erasures.subarray(0, erasureCount).includes(place));
    const single = (this.#input.parityRows - erasureCount) % 2 === 1;
    for (let first = 0; first < lost.length; first++) {
      erasures[erasureCount] = lost[first]!;
      for (let second = first + 1; second < (single ? first + 2 : lost.length); second++) {
        if (this.#guessesLeft-- <= 0) return -1;
        if (!single) erasures[erasureCount + 1] = lost[second]!;
        const count = this.#decoder.decode(erasureCount + (single ? 1 : 2));
        if (count >= 0) return count;
      }
    }
    return -1;
  }

  #combine(place: number): boolean {
    const bodies = this.#damaged[place]!;
    for (const [index, { bytes: first }] of bodies.entries()) {
      for (const { bytes: second } of bodies.slice(index + 1)) {
        if (findCombination({ first, second }, (body) => this.#take(place, body)) !== undefined) return true;
      }
    }
    return false;
  }
}
