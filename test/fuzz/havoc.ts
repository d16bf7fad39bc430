import type { SeededRandom } from '../../src/testing/index.ts';

const interesting = [0, 1, 2, 16, 32, 64, 100, 127, 128, 255] as const;

type Change = (bytes: Buffer, random: SeededRandom, others: readonly Uint8Array[], words: readonly string[]) => Buffer;

const below = (random: SeededRandom, limit: number) => Math.floor(random.float() * limit);

/** A number of bytes, mostly small. */
const short = (random: SeededRandom, limit: number) => Math.ceil(random.float() ** 4 * limit);

function insert(bytes: Buffer, at: number, piece: Uint8Array): Buffer {
  return Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at)]);
}

const changes: readonly Change[] = [
  (bytes, random) => {
    const at = below(random, bytes.length);
    if (bytes.length > 0) bytes[at] = (bytes[at] ?? 0) ^ (1 << below(random, 8));
    return bytes;
  },
  (bytes, random) => {
    if (bytes.length > 0) bytes[below(random, bytes.length)] = interesting[below(random, interesting.length)] ?? 0;
    return bytes;
  },
  (bytes, random) => {
    const at = below(random, bytes.length);
    if (bytes.length > 0) bytes[at] = (bytes[at] ?? 0) + below(random, 33) - 16;
    return bytes;
  },
  (bytes, random) => {
    const from = below(random, bytes.length);
    return Buffer.concat([bytes.subarray(0, from), bytes.subarray(from + short(random, bytes.length))]);
  },
  (bytes, random) => {
    const from = below(random, bytes.length);
    return insert(bytes, below(random, bytes.length), Buffer.from(bytes.subarray(from, from + short(random, 256))));
  },
  (bytes, random) => insert(bytes, below(random, bytes.length + 1), random.bytes(short(random, 16))),
  (bytes, random, _, words) => {
    const word = words[below(random, words.length)];
    return word === undefined ? bytes : insert(bytes, below(random, bytes.length + 1), Buffer.from(word));
  },
  (bytes, random, _, words) => {
    const word = Buffer.from(words[below(random, words.length)] ?? '');
    const at = below(random, bytes.length + 1);
    return Buffer.concat([bytes.subarray(0, at), word, bytes.subarray(at + word.length)]);
  },
  (bytes, random, others) => {
    const other = others[below(random, others.length)] ?? bytes;
    const from = below(random, other.length);
    return insert(bytes, below(random, bytes.length), other.subarray(from, from + short(random, other.length)));
  },
  (bytes, random, others) => {
    const other = others[below(random, others.length)] ?? bytes;
    const at = below(random, Math.min(bytes.length, other.length));
    return Buffer.concat([bytes.subarray(0, at), other.subarray(at)]);
  },
];

/** Changes an input here and there, with words that mean something to its reader and with pieces of other inputs. */
export function havoc(
  original: Uint8Array,
  options: {
    readonly random: SeededRandom;
    readonly others: readonly Uint8Array[];
    readonly words: readonly string[];
    readonly maximumBytes: number;
  },
): Buffer {
  const { random, others, words, maximumBytes } = options;
  let bytes = Buffer.from(original);
  const count = 1 + below(random, 6);
  for (let index = 0; index < count; index++) {
    const change = changes[below(random, changes.length)];
    if (change !== undefined) bytes = Buffer.from(change(bytes, random, others, words).subarray(0, maximumBytes));
  }
  return bytes;
}
