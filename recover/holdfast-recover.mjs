#!/usr/bin/env node
// Takes the entries out of a `.holdfast` archive, intact or damaged, with nothing but Node: one file to keep beside the archives.
// It follows docs/format.md ("section" below means there) and shares no code with Holdfast, on purpose. It repairs lost blocks from
// the other copies and from parity; it does not repair single bytes within blocks, which `holdfast repair` does.
//
// An archive that was laid over several storages is given as its shards, as many as there are (section 8):
//
//   node holdfast-recover.mjs a/shop.holdfast.3of5.9f3a6c01.1 b/shop.holdfast.3of5.9f3a6c01.2 … out/
//
//   node holdfast-recover.mjs archive.holdfast out/ [--list] [--only GLOB] [--identity FILE] [--passphrase-file FILE] [--share-file FILE]... [--archive-id HEX]
//
// Exit codes: 0 all right, 2 usage, 11 something is lost (it is named, the rest is there), 12 wrong key, 13 not an archive, 1 else.

import childProcess from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import zlib from 'node:zlib';

const usage = `usage: node holdfast-recover.mjs archive.holdfast out/ [options]
       node holdfast-recover.mjs shard shard ... out/ [options]
  --list                  shows the entries and writes nothing
  --only GLOB             only entries whose path matches, or lies under it; may be repeated
  --identity FILE         age identities (AGE-SECRET-KEY-1...), one a line
  --passphrase-file FILE  the passphrase; else $HOLDFAST_PASSPHRASE, else it is asked for
  --share-file FILE       a share of a key that was split (docs/reference/key-shares.md); as many as are needed
  --archive-id HEX        chooses one where a file holds several archives`;

const BLOCK = 4096;
const PAYLOAD = 4032;
const BODY = 4048;
const HEADER = 0;
const DATA = 1;
const PARITY = 2;
const FINAL = 3;
const SHARD_HEAD = 4;
const SHARD_END = 5;
const SHARD_PARITY = 6;
const GROUP = 4096; // rows between two leads of a shard, each of two blocks
const MIB = 1048576;
const POSITIONS = 2 ** 48;
const CODECS = ['none', 'zstd', 'gzip', 'bzip2', 'xz'];

/** An end that the user is told about, with its exit code. */
class Failure extends Error {
  constructor(exitCode, message) {
    super(message);
    this.exitCode = exitCode;
  }
}

const corrupt = (what) => new Failure(11, `the archive contradicts itself: ${what}`);
const damaged = (what) => new Failure(11, `damaged beyond repair: ${what}`);

// ---------------------------------------------------------------------------------------------------- bytes

const sha256 = (...parts) => {
  const hash = crypto.createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
};
const hkdf = (key, salt, info) => Buffer.from(crypto.hkdfSync('sha256', key, salt, info, 32));
const same = (a, b) => a.length === b.length && crypto.timingSafeEqual(a, b);

/** A 64-bit number; what no file can hold is refused where it is used, so it may be inexact above 2^53. */
const u64 = (bytes, offset) => Number(bytes.readBigUInt64LE(offset));

function bytesOfU64(value) {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

/** Opens an AEAD whose tag stands at the end; undefined when the tag is wrong. */
function openSealed(algorithm, key, nonce, sealed, associated) {
  if (sealed.length < 16) return undefined;
  const decipher = crypto.createDecipheriv(algorithm, key, nonce, { authTagLength: 16 });
  if (associated) decipher.setAAD(associated);
  decipher.setAuthTag(sealed.subarray(-16));
  const plain = decipher.update(sealed.subarray(0, -16));
  try {
    return Buffer.concat([plain, decipher.final()]);
  } catch {
    return undefined; // Node's only way to say that the tag is wrong
  }
}

/** A file that is read at any place; beyond its ends it has zeros. */
class InputFile {
  constructor(name) {
    this.descriptor = fs.openSync(name, 'r');
    this.size = fs.fstatSync(this.descriptor).size;
  }

  read(offset, length) {
    const bytes = Buffer.alloc(length);
    for (let done = 0; done < length && offset + done < this.size; ) {
      let count = 0;
      try {
        count = fs.readSync(this.descriptor, bytes, done, length - done, offset + done);
      } catch (error) {
        if (error.code !== 'EIO') throw error;
        // A disk that cannot read a sector: go on after it, the zeros in its place fail their hash.
        if (length > BLOCK) return this.readInBlocks(offset, length);
        return bytes;
      }
      if (count === 0) break;
      done += count;
    }
    return bytes;
  }

  readInBlocks(offset, length) {
    const parts = [];
    for (let from = 0; from < length; from += BLOCK) {
      parts.push(this.read(offset + from, Math.min(BLOCK, length - from)));
    }
    return Buffer.concat(parts);
  }
}

// ---------------------------------------------------------------------------------------------------- section 4: GF(2^8)

const EXP = new Uint8Array(510);
const LOG = new Uint8Array(256);
for (let power = 0, value = 1; power < 255; power++) {
  EXP[power] = EXP[power + 255] = value;
  LOG[value] = power;
  value <<= 1;
  if (value > 255) value ^= 0x11d;
}
const multiply = (a, b) => (a === 0 || b === 0 ? 0 : EXP[LOG[a] + LOG[b]]);
const power = (locator, exponent) => EXP[(LOG[locator] * exponent) % 255];

/** target ^= factor * source, byte by byte. */
function addMultiple(target, source, factor) {
  if (factor === 0) return;
  const row = new Uint8Array(256);
  for (let value = 1; value < 256; value++) row[value] = multiply(value, factor);
  for (let index = 0; index < target.length; index++) target[index] ^= row[source[index]];
}

/**
 * Solves the unknown bodies of one stripe. `known`: [{ locator, body }], `unknown`: locators, bytes other than 0. The u unknown ones
 * obey u of the equations "sum of c_X * X^r = 0": a Vandermonde system, solved by elimination with whole bodies on the right.
 */
function solveBodies(known, unknown) {
  const size = unknown.length;
  const rows = [];
  for (let r = 0; r < size; r++) {
    const right = new Uint8Array(BODY);
    for (const { locator, body } of known) addMultiple(right, body, power(locator, r));
    rows.push({ left: unknown.map((locator) => power(locator, r)), right });
  }
  for (let pivot = 0; pivot < size; pivot++) {
    const found = rows.findIndex((row, index) => index >= pivot && row.left[pivot] !== 0);
    [rows[pivot], rows[found]] = [rows[found], rows[pivot]];
    const inverse = EXP[255 - LOG[rows[pivot].left[pivot]]];
    const left = rows[pivot].left.map((value) => multiply(value, inverse));
    const right = new Uint8Array(BODY);
    addMultiple(right, rows[pivot].right, inverse);
    rows[pivot] = { left, right };
    for (let other = 0; other < size; other++) {
      const factor = rows[other].left[pivot];
      if (other === pivot || factor === 0) continue;
      rows[other].left = rows[other].left.map((value, index) => value ^ multiply(factor, left[index]));
      addMultiple(rows[other].right, right, factor);
    }
  }
  return rows.map((row) => Buffer.from(row.right));
}

// ---------------------------------------------------------------------------------------------------- section 2: XXH3 with 128 bits

/** The default secret of XXH3. */
const SECRET = new DataView(
  Uint8Array.from(
    Buffer.from(
      'b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221' +
        'b8084674f743248ee03590e6813a264c3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8' +
        'a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364eac5ac8334d3ebc3c581a0fffa1363eb' +
        '170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e',
      'hex',
    ),
  ).buffer,
);
const STRIPE = 64;
const STRIPES_OF_ROUND = 16;
const PRIME32_1 = 0x9e3779b1;
const PRIME64_1 = 0x9e3779b185ebca87n;
const PRIME64_2 = 0xc2b2ae3d27d4eb4fn;
const AVALANCHE = 0x165667919e3779f9n;
/** What the eight sums begin with: 64-bit numbers, each as its low and its high 32 bits. */
const FIRST_SUMS = Int32Array.of(
  ...[0xc2b2ae3d, 0, 0x85ebca87, 0x9e3779b1, 0x27d4eb4f, 0xc2b2ae3d, 0x9e3779f9, 0x165667b1],
  ...[0xc2b2ae63, 0x85ebca77, 0x85ebca77, 0, 0x165667c5, 0x27d4eb2f, 0x9e3779b1, 0],
);

/** The high 32 bits of the product of two 32-bit numbers, by halves: a product of 64 bits is no exact number. */
function highProduct(a, b) {
  const [lowA, highA, lowB, highB] = [a & 0xffff, a >>> 16, b & 0xffff, b >>> 16];
  const first = Math.imul(highA, lowB) + (Math.imul(lowA, lowB) >>> 16);
  const second = Math.imul(lowA, highB) + (first & 0xffff);
  return (Math.imul(highA, highB) + (first >>> 16) + (second >>> 16)) | 0;
}

/** sums[index] += high · 2^32 + low */
function addToSum(sums, index, low, high) {
  const sum = (sums[index] + low) | 0;
  const carry = sum >>> 0 < low >>> 0 ? 1 : 0;
  sums[index] = sum;
  sums[index + 1] = (sums[index + 1] + high + carry) | 0;
}

function accumulate(sums, input, offset, secretOffset) {
  for (let lane = 0; lane < STRIPE; lane += 8) {
    const low = input.getInt32(offset + lane, true);
    const high = input.getInt32(offset + lane + 4, true);
    const mixedLow = low ^ SECRET.getInt32(secretOffset + lane, true);
    const mixedHigh = high ^ SECRET.getInt32(secretOffset + lane + 4, true);
    const index = lane >>> 2;
    addToSum(sums, index ^ 2, low, high);
    addToSum(sums, index, Math.imul(mixedLow, mixedHigh), highProduct(mixedLow, mixedHigh));
  }
}

function scramble(sums) {
  for (let index = 0; index < 16; index += 2) {
    const low = sums[index] ^ (sums[index + 1] >>> 15) ^ SECRET.getInt32(128 + 4 * index, true);
    const high = sums[index + 1] ^ SECRET.getInt32(132 + 4 * index, true);
    sums[index] = Math.imul(low, PRIME32_1);
    sums[index + 1] = (Math.imul(high, PRIME32_1) + highProduct(low, PRIME32_1)) | 0;
  }
}

/** Eight sums to 64 bits: once a block, so whole 64-bit numbers are fast enough. */
function mergeSums(sums, start, secretOffset) {
  const mixed = (index) => {
    const low = sums[index] ^ SECRET.getInt32(secretOffset + 4 * index, true);
    const high = sums[index + 1] ^ SECRET.getInt32(secretOffset + 4 * index + 4, true);
    return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
  };
  let result = start;
  for (let index = 0; index < 16; index += 4) {
    const product = mixed(index) * mixed(index + 2);
    result += BigInt.asUintN(64, product) ^ (product >> 64n);
  }
  result = BigInt.asUintN(64, result);
  result = BigInt.asUintN(64, (result ^ (result >> 37n)) * AVALANCHE);
  return result ^ (result >> 32n);
}

/** The hash of more than 240 bytes, as blocks are: shorter ones would be hashed in another way. */
function xxh128(bytes) {
  const input = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const sums = FIRST_SUMS.slice();
  const stripes = Math.floor((bytes.length - 1) / STRIPE);
  for (let stripe = 0; stripe < stripes; stripe++) {
    const place = stripe % STRIPES_OF_ROUND;
    accumulate(sums, input, stripe * STRIPE, 8 * place);
    if (place === STRIPES_OF_ROUND - 1) scramble(sums);
  }
  accumulate(sums, input, bytes.length - STRIPE, 121);
  const length = BigInt(bytes.length);
  const hash = Buffer.alloc(16);
  hash.writeBigUInt64BE(mergeSums(sums, BigInt.asUintN(64, ~(length * PRIME64_2)), 117), 0);
  hash.writeBigUInt64BE(mergeSums(sums, BigInt.asUintN(64, length * PRIME64_1), 11), 8);
  return hash;
}

// ---------------------------------------------------------------------------------------------------- sections 2 and 3: blocks

function hashIsRight(block) {
  const covered = block[28] === DATA ? 4064 : 4080;
  const hash = xxh128(block.subarray(0, covered));
  return hash.equals(block.subarray(4080)) && (covered === 4080 || hash.equals(block.subarray(4064, 4080)));
}

/** What a block of T data blocks with K and M has to be at each position. */
class Geometry {
  constructor(dataCount, K, M) {
    Object.assign(this, { dataCount, K, M, fullData: 64 * K, fullBlocks: 3 + 64 * K + 64 * M });
    this.bandCount = Math.ceil(dataCount / this.fullData);
    this.lastData = dataCount - (this.bandCount - 1) * this.fullData;
    const last = this.stripes(this.lastData);
    this.lastBlocks = 3 + this.lastData + last.count * last.rows;
    this.blockCount = (this.bandCount - 1) * this.fullBlocks + this.lastBlocks + 3;
  }

  stripes(bandData) {
    const count = bandData <= this.K ? 1 : bandData <= 8 * this.K ? 8 : 64;
    const rows = Math.min(this.M, Math.max(2, Math.ceil((Math.ceil(bandData / count) * this.M) / this.K) + 4));
    return { count, rows };
  }

  /** The geometry whose copy has `blockCount` blocks, or undefined: N grows strictly with T. */
  static ofBlockCount(blockCount, K, M) {
    if (!Number.isInteger(blockCount) || blockCount > POSITIONS) return undefined;
    const fullBands = Math.max(0, Math.ceil((blockCount - 3) / (3 + 64 * K + 64 * M)) - 1);
    for (let low = 1, high = 64 * K; low <= high; ) {
      const middle = Math.floor((low + high) / 2);
      const geometry = new Geometry(fullBands * 64 * K + middle, K, M);
      if (geometry.blockCount === blockCount) return geometry;
      if (geometry.blockCount < blockCount) low = middle + 1;
      else high = middle - 1;
    }
    return undefined;
  }

  band(number) {
    const data = number < this.bandCount - 1 ? this.fullData : this.lastData;
    return { first: number * this.fullBlocks, data, stripes: this.stripes(data) };
  }

  /** The 32 bytes that a block begins with at this position. */
  frame(id, position) {
    const band = this.band(Math.min(Math.floor(position / this.fullBlocks), this.bandCount - 1));
    const index = position - band.first;
    const afterData = index - 3 - band.data;
    const parityCount = band.stripes.count * band.stripes.rows;
    let [kind, ordinal, bandSize] = [HEADER, index, 0];
    if (index >= 3) [kind, ordinal] = [DATA, 0];
    if (afterData >= 0) [kind, ordinal, bandSize] = [PARITY, Math.floor(afterData / band.stripes.count), band.data];
    if (afterData >= parityCount) [kind, ordinal, bandSize] = [FINAL, afterData - parityCount, band.data];
    const frame = Buffer.alloc(32);
    id.copy(frame);
    bytesOfU64(position).copy(frame, 16);
    frame.writeUInt32LE(bandSize, 24);
    frame[28] = kind;
    frame[29] = ordinal;
    return frame;
  }

  dataPosition(index) {
    return Math.floor(index / this.fullData) * this.fullBlocks + 3 + (index % this.fullData);
  }

  /** The stripe of a data block: positions, locators, and the number of parity rows. */
  stripeOf(dataIndex) {
    const band = this.band(Math.floor(dataIndex / this.fullData));
    const { count, rows } = band.stripes;
    const stripe = (dataIndex % this.fullData) % count;
    const members = [];
    for (let d = stripe, index = 0; d < band.data; d += count, index++) {
      members.push({ position: band.first + 3 + d, locator: 255 - index, isData: true });
    }
    for (let row = 0; row < rows; row++) {
      members.push({ position: band.first + 3 + band.data + row * count + stripe, locator: row + 1, isData: false });
    }
    return { members, rows };
  }
}

/** Calls `found(offset, block)` for each place where `needle` stands `before` bytes into something; `found` returns bytes to skip. */
function scan(file, needle, before, found) {
  const chunk = 4 * MIB;
  let next = 0;
  for (let from = 0; from < file.size; from += chunk) {
    const bytes = file.read(from, chunk + 2 * BLOCK);
    for (let hit = bytes.indexOf(needle); hit !== -1 && hit < chunk + before; hit = bytes.indexOf(needle, hit + 1)) {
      const offset = from + hit - before;
      if (offset < next || offset + BLOCK > file.size) continue;
      const block = hit < before ? file.read(offset, BLOCK) : bytes.subarray(hit - before, hit - before + BLOCK);
      next = offset + Math.max(1, found(offset, block));
    }
  }
}

/** The blocks of one archive in a file, wherever they lie. */
class Blocks {
  constructor(file, id, header) {
    Object.assign(this, { file, id, header, scanned: false, healed: 0 });
    this.starts = []; // where the copies should begin
    this.extents = []; // what a scan found: { position, offset, count }
    this.buckets = new Map(); // the extents by position / 1024
    this.votes = new Map(); // how many blocks tell each T
    this.solved = new Map(); // payloads given back by parity, by position
    this.layOut();
  }

  vote(geometry) {
    if (geometry) this.votes.set(geometry.dataCount, (this.votes.get(geometry.dataCount) || 0) + 1);
  }

  /** Takes T from the last block, or from what a scan finds, or from the size alone. */
  layOut() {
    const { file, header } = this;
    const last = file.read(Math.max(0, file.size - BLOCK), BLOCK);
    if (last.subarray(0, 16).equals(this.id) && last[28] === FINAL && hashIsRight(last)) this.voteOf(last);
    if (this.best() === undefined || this.best().blockCount * BLOCK * header.copies > file.size) {
      this.votes.clear();
      this.scanForBlocks();
    }
    const bySize = Geometry.ofBlockCount(file.size / BLOCK / header.copies, header.K, header.M);
    this.geometry = this.best() || bySize;
    if (this.geometry === undefined) throw damaged('nothing tells how many blocks there were');
    const length = this.geometry.blockCount * BLOCK;
    for (let copy = 0; copy < header.copies - 1; copy++) this.starts.push(copy * length);
    this.starts.push(file.size - length);
  }

  best() {
    const [first] = [...this.votes].sort((a, b) => b[1] - a[1]);
    return first && new Geometry(first[0], this.header.K, this.header.M);
  }

  /** Final headers and parity blocks of the last band tell T. */
  voteOf(block) {
    const { K, M } = this.header;
    const position = u64(block, 16);
    if (block[28] === FINAL) this.vote(Geometry.ofBlockCount(position + 3 - block[29], K, M));
    const bandSize = block.readUInt32LE(24);
    if (block[28] !== PARITY || bandSize < 1 || bandSize >= 64 * K) return;
    const band = Math.floor(position / (3 + 64 * K + 64 * M));
    this.vote(new Geometry(band * 64 * K + bandSize, K, M));
  }

  /** Once, where the layout does not hold: remembers where blocks lie, as runs of following positions. */
  scanForBlocks() {
    this.scanned = true;
    scan(this.file, this.id, 0, (offset, block) => {
      const position = u64(block, 16);
      if (position >= POSITIONS || !hashIsRight(block)) return 1;
      this.voteOf(block);
      const run = this.extents[this.extents.length - 1];
      if (run && run.position + run.count === position && run.offset + run.count * BLOCK === offset) run.count++;
      else this.extents.push({ position, offset, count: 1 });
      return BLOCK;
    });
    for (const run of this.extents) {
      for (let bucket = Math.floor(run.position / 1024); bucket * 1024 < run.position + run.count; bucket++) {
        if (!this.buckets.has(bucket)) this.buckets.set(bucket, []);
        this.buckets.get(bucket).push(run);
      }
    }
  }

  /** A block that is what this position needs, from any copy. */
  fetch(position) {
    const frame = this.geometry.frame(this.id, position);
    const isHere = (offset) => {
      const block = offset < 0 ? undefined : this.file.read(offset, BLOCK);
      return block?.subarray(0, 32).equals(frame) && hashIsRight(block) ? block : undefined;
    };
    for (const start of this.starts) {
      const block = isHere(start + position * BLOCK);
      if (block) return block;
    }
    for (const run of this.buckets.get(Math.floor(position / 1024)) || []) {
      const index = position - run.position;
      const block = index >= 0 && index < run.count ? isHere(run.offset + index * BLOCK) : undefined;
      if (block) return block;
    }
    return undefined;
  }

  /** The payload of a data block, healed where it has to be. */
  payload(dataIndex) {
    const position = this.geometry.dataPosition(dataIndex);
    for (;;) {
      const block = this.fetch(position);
      if (block) return block.subarray(32, 32 + PAYLOAD);
      if (!this.solved.has(position)) this.solveStripe(dataIndex);
      if (this.solved.has(position)) return this.solved.get(position);
      if (this.scanned) throw damaged(`block ${position}`);
      this.scanForBlocks();
    }
  }

  solveStripe(dataIndex) {
    const { members, rows } = this.geometry.stripeOf(dataIndex);
    const known = [];
    const unknown = [];
    for (const { position, locator, isData } of members) {
      const block = this.fetch(position);
      if (block) known.push({ locator, body: block.subarray(32, 32 + BODY) });
      else unknown.push({ locator, position, isData });
    }
    if (unknown.length > rows) return;
    if (this.solved.size > 4096) this.solved.clear(); // 16 MiB: what a burst in a band of the most parity can take
    const bodies = solveBodies(
      known,
      unknown.map((member) => member.locator),
    );
    for (const [index, { position, isData }] of unknown.entries()) {
      const payload = bodies[index].subarray(0, PAYLOAD);
      const hash = xxh128(Buffer.concat([this.geometry.frame(this.id, position), payload]));
      if (!isData || !hash.equals(bodies[index].subarray(PAYLOAD))) continue;
      this.solved.set(position, payload);
      this.healed++;
    }
  }
}

// ---------------------------------------------------------------------------------------------------- section 5: header and keys

function parseHeader(body) {
  if (body.toString('latin1', 0, 8) !== 'HOLDFAST') throw new Failure(13, 'this is not a Holdfast archive');
  if (body.readUInt16LE(8) !== 1) throw new Failure(13, `format version ${body.readUInt16LE(8)} is not known here`);
  const [cipher, codec, copies, K, M] = body.subarray(36, 41);
  const segmentSize = body.readUInt32LE(44);
  const length = body.readUInt16LE(48);
  const slotCount = body.readUInt16LE(50);
  const zeros = body.readUInt16LE(10) | body[41] | body[42] | body[43];
  if (zeros !== 0) throw corrupt('reserved bytes of the header');
  if (cipher > 1 || codec > 4 || copies < 1 || copies > 8) throw corrupt('cipher, codec or copies');
  if (K < 1 || K > 253 || M < 2 || M > 64 || K + M > 255) throw corrupt('stripes');
  if (segmentSize < 1 || segmentSize > 16 * MIB) throw corrupt('segment size');
  if (length < 88 || length > BODY || slotCount > 16) throw corrupt('length of the header');
  if (slotCount > 0 !== cipher > 0) throw corrupt('key slots and cipher');
  const slots = [];
  let offset = 56;
  for (let index = 0; index < slotCount; index++) {
    const labelEnd = offset + 16 + body[offset + 1];
    const end = labelEnd + body.readUInt16LE(offset + 2);
    if (body[offset + 1] > 64 || offset + 16 > length - 32 || end > length - 32) throw corrupt('key slots');
    slots.push({
      type: body[offset],
      label: body.toString('utf8', offset + 16, labelEnd),
      body: body.subarray(labelEnd, end),
    });
    offset = end;
  }
  if (offset !== length - 32) throw corrupt('key slots');
  return {
    id: body.subarray(12, 28),
    encrypted: cipher === 1,
    codec: CODECS[codec],
    copies,
    K,
    M,
    segmentSize,
    slots,
    generation: body.readUInt32LE(52),
    fixed: body.subarray(0, 48),
    authenticated: body.subarray(0, length - 32),
    code: body.subarray(length - 32, length),
  };
}

/** Tries a passphrase slot; a key, or undefined. */
function openPassphraseSlot(header, slot, passphrases) {
  if (slot.body.length !== 88) throw corrupt('a passphrase slot');
  const [memory, passes, parallelism] = [0, 4, 8].map((offset) => slot.body.readUInt32LE(offset));
  if (memory < 65536 || memory > MIB || passes < 3 || passes > 16 || parallelism < 4 || parallelism > 16) {
    throw corrupt('Argon2id parameters out of bounds');
  }
  const associated = Buffer.concat([Buffer.from('holdfast/1 slot'), header.id]);
  for (const passphrase of passphrases) {
    const message = Buffer.from(passphrase.normalize('NFC'));
    const nonce = slot.body.subarray(12, 28);
    const key = crypto.argon2Sync('argon2id', { message, nonce, memory, passes, parallelism, tagLength: 32 });
    const opened = openSealed('aes-256-gcm', key, slot.body.subarray(28, 40), slot.body.subarray(40), associated);
    if (opened) return opened;
  }
  return undefined;
}

const x25519Private = (secret) =>
  crypto.createPrivateKey({
    key: Buffer.concat([Buffer.from('302e020100300506032b656e04220420', 'hex'), secret]),
    format: 'der',
    type: 'pkcs8',
  });
const x25519Public = (bytes) =>
  crypto.createPublicKey({
    key: Buffer.concat([Buffer.from('302a300506032b656e032100', 'hex'), bytes]),
    format: 'der',
    type: 'spki',
  });

/** Opens an age v1 file (C2SP age.md) whose payload is one short chunk. */
function openAge(file, secret) {
  const endOfHeader = file.indexOf('\n--- ');
  const endOfCode = file.indexOf('\n', endOfHeader + 1);
  if (endOfHeader < 0 || endOfCode < 0) return undefined;
  const lines = file.toString('latin1', 0, endOfHeader).split('\n');
  if (lines[0] !== 'age-encryption.org/v1') return undefined;
  const identity = x25519Private(secret);
  const recipient = crypto.createPublicKey(identity).export({ format: 'der', type: 'spki' }).subarray(-32);
  for (const [index, line] of lines.entries()) {
    const share = Buffer.from(line.startsWith('-> X25519 ') ? line.slice(10) : '', 'base64');
    if (share.length !== 32) continue;
    let shared;
    try {
      shared = crypto.diffieHellman({ privateKey: identity, publicKey: x25519Public(share) });
    } catch {
      continue; // a share of low order: not an honest recipient
    }
    const wrapKey = hkdf(shared, Buffer.concat([share, recipient]), 'age-encryption.org/v1/X25519');
    const fileKey = openSealed(
      'chacha20-poly1305',
      wrapKey,
      Buffer.alloc(12),
      Buffer.from(lines[index + 1] || '', 'base64'),
    );
    if (fileKey?.length !== 16) continue;
    const code = crypto
      .createHmac('sha256', hkdf(fileKey, '', 'header'))
      .update(file.subarray(0, endOfHeader + 4))
      .digest();
    if (!same(code, Buffer.from(file.toString('latin1', endOfHeader + 5, endOfCode), 'base64'))) continue;
    const payloadKey = hkdf(fileKey, file.subarray(endOfCode + 1, endOfCode + 17), 'payload');
    const lastChunk = Buffer.concat([Buffer.alloc(11), Buffer.from([1])]);
    return openSealed('chacha20-poly1305', payloadKey, lastChunk, file.subarray(endOfCode + 17));
  }
  return undefined;
}

/** The 32 bytes of an AGE-SECRET-KEY-1... (Bech32). */
function parseIdentity(text) {
  const alphabet = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l';
  const lower = text.toLowerCase();
  const values = [...lower.slice(16)].map((letter) => alphabet.indexOf(letter));
  if (!lower.startsWith('age-secret-key-1') || values.length !== 58 || values.includes(-1)) {
    throw new Failure(2, 'the identity file holds a line that is not an age identity');
  }
  const name = [...'age-secret-key-'].map((letter) => letter.charCodeAt(0));
  let sum = 1;
  for (const value of [...name.map((code) => code >> 5), 0, ...name.map((code) => code & 31), ...values]) {
    const top = sum >>> 25;
    sum = ((sum & 0x1ffffff) << 5) ^ value;
    for (const [bit, part] of [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3].entries()) {
      if ((top >> bit) & 1) sum ^= part;
    }
  }
  if (sum !== 1) throw new Failure(2, 'an age identity has a typing error: its check digits are wrong');
  const bits = values
    .slice(0, 52)
    .map((value) => value.toString(2).padStart(5, '0'))
    .join('');
  return Buffer.from(
    bits
      .slice(0, 256)
      .match(/.{8}/g)
      .map((byte) => Number.parseInt(byte, 2)),
  );
}

/** The data key, or undefined when no key fits. */
function openSlots(header, keys) {
  for (const slot of header.slots) {
    let key;
    if (slot.type === 1) key = openPassphraseSlot(header, slot, keys.passphrases);
    if (slot.type === 2) for (const identity of keys.identities) key = key || openAge(slot.body, identity);
    if (key && key.length === 32) return key;
  }
  return undefined;
}

/** Section 7, steps 1 and 2: the newest header that a key opens and whose code is right. */
function unlock(headers, keys) {
  let failure = new Failure(12, 'no key opens this archive');
  for (const header of headers) {
    const dataKey = header.encrypted ? openSlots(header, keys) : Buffer.alloc(32);
    if (!dataKey) continue;
    const hmac = () =>
      crypto
        .createHmac('sha256', hkdf(dataKey, header.id, 'holdfast/1 header'))
        .update(header.authenticated)
        .digest();
    if (same(header.encrypted ? hmac() : sha256(header.authenticated), header.code)) return { header, dataKey };
    failure = corrupt('the code of the header is wrong');
  }
  throw failure;
}

/** What a head of a shard says, or undefined for any other block. */
function parseHead(block) {
  if ((block[28] !== SHARD_HEAD && block[28] !== SHARD_END) || block.toString('latin1', 32, 40) !== 'HOLDSHRD')
    return undefined;
  if (!hashIsRight(block)) return undefined;
  if (block.readUInt16LE(40) !== 1) throw new Failure(13, `shard version ${block.readUInt16LE(40)} is not known here`);
  const [k, m, index] = block.subarray(60, 63);
  if (k < 1 || k > 200 || m < 1 || m > 16 || index >= k + m) throw corrupt('the head of a shard');
  const blockCount = block[28] === SHARD_END ? u64(block, 64) : undefined;
  return { id: Buffer.from(block.subarray(44, 60)), k, m, index, blockCount };
}

/** The value that most give; undefined where there is none. */
function most(values, keyOf) {
  const counts = new Map();
  for (const value of values) {
    const known = counts.get(keyOf(value)) || { value, count: 0 };
    known.count += 1;
    counts.set(keyOf(value), known);
  }
  return [...counts.values()].sort((a, b) => b.count - a.count)[0]?.value;
}

/** An archive that lies in shards, read as the one file that it was. */
class ShardSet {
  constructor(names) {
    const probed = names.map((name) => this.probe(name));
    const key = ({ id, k, m }) => `${id.toString('hex')} ${k} ${m}`;
    const head = most(
      probed.flatMap(({ heads }) => heads.slice(0, 1)),
      key,
    );
    const named = probed.find(({ name }) => name)?.name;
    const id =
      head?.id ||
      most(
        probed.flatMap(({ headers }) => headers.map((body) => body.subarray(12, 28))),
        String,
      );
    if (id === undefined || (head || named) === undefined) throw damaged('no shard has a whole head');
    const { k, m } = head || named;
    Object.assign(this, { id, k, m, shards: new Array(k + m).fill(undefined), healed: 0 });
    const own = ({ heads }) => heads.find((one) => head && key(one) === key(head));
    for (const one of probed) {
      if (own(one) === undefined && one.heads.length > 0) continue; // of another archive
      const index = own(one)?.index ?? one.name?.index;
      if (index < k + m && (own(one) || this.shards[index] === undefined)) this.shards[index] = one.file;
    }
    const bodies = probed.flatMap(({ headers }) => headers).filter((body) => body.subarray(12, 28).equals(id));
    const parsed = bodies.map((body) => ({ body, ...parseHeader(body) })).sort((a, b) => b.generation - a.generation);
    if (parsed.length === 0) throw damaged('no shard has a whole header');
    this.header = parsed[0];
    this.layOut(probed.flatMap((one) => (own(one) ? one.heads : [])));
    const missing = this.shards.flatMap((file, index) => (file ? [] : [index + 1]));
    if (missing.length > m)
      throw damaged(
        `${k + m - missing.length} of the ${k} shards that are needed are there; missing: ${missing.join(', ')} of ${k + m}`,
      );
  }

  probe(name) {
    const file = new InputFile(name);
    const [, k, n, index] = /\.(\d{1,3})of(\d{1,3})\.[0-9a-f]{8}\.(\d{1,3})$/.exec(name) || [];
    const blocks = Math.floor(file.size / BLOCK);
    const heads = [];
    const headers = [];
    for (const number of [0, 1, 2, blocks - 2, blocks - 1, GROUP + 2, GROUP + 3]) {
      const block = number >= 0 && number < blocks ? file.read(number * BLOCK, BLOCK) : Buffer.alloc(BLOCK);
      const head = parseHead(block);
      if (head) heads.push(head);
      else if (block[28] <= FINAL && block.toString('latin1', 32, 40) === 'HOLDFAST' && hashIsRight(block))
        headers.push(Buffer.from(block.subarray(32, 32 + BODY)));
    }
    return { file, heads, headers, name: k && { k: Number(k), m: n - k, index: index - 1 } };
  }

  /** Takes the number of blocks from the ends of shards, or else from their sizes. */
  layOut(heads) {
    const { K, M } = this.header;
    const rowsOf = ({ size }) => {
      const blocks = Math.floor(size / BLOCK) - 2;
      return Math.max(0, blocks - 2 * Math.max(1, Math.ceil(blocks / (GROUP + 2))));
    };
    const told = most(
      heads.flatMap(({ blockCount }) => blockCount ?? []),
      String,
    );
    this.geometry = told && Geometry.ofBlockCount(told, K, M);
    // Some may be cut, or too long: each length is tried, the longest first.
    const lengths = [...new Set(this.shards.filter(Boolean).map(rowsOf))].sort((one, other) => other - one);
    let best = 0;
    for (const rows of this.geometry ? [] : lengths) {
      for (let total = rows * this.k; total > (rows - 1) * this.k; total--) {
        const geometry = Geometry.ofBlockCount(total, K, M);
        const fits = this.shards.filter((file, index) => file && rowsOf(file) === this.rowsOf(index, total)).length;
        if (geometry && fits > best) [best, this.geometry] = [fits, geometry];
      }
    }
    if (!this.geometry) throw damaged('nothing tells how many blocks there were');
    this.size = this.geometry.blockCount * BLOCK;
  }

  rowsOf(index, total) {
    return Math.max(0, Math.ceil((total - (index < this.k ? index : 0)) / this.k));
  }

  read(offset, length) {
    const bytes = Buffer.alloc(length);
    for (let done = 0; done < length && offset + done < this.size; ) {
      const block = this.block(Math.floor((offset + done) / BLOCK));
      done += block.copy(bytes, done, (offset + done) % BLOCK);
    }
    return bytes;
  }

  isHeader(position) {
    const kind = this.geometry.frame(this.id, position)[28];
    return kind === HEADER || kind === FINAL;
  }

  /** The block of a shard at a row, if it is intact. */
  intact(index, row) {
    const file = this.shards[index];
    if (!file) return undefined;
    const block = file.read((row + 2 * (Math.floor(row / GROUP) + 1)) * BLOCK, BLOCK);
    let frame = Buffer.alloc(32);
    if (index < this.k) frame = this.geometry.frame(this.id, row * this.k + index);
    else {
      this.id.copy(frame);
      bytesOfU64(row).copy(frame, 16);
      frame.writeUInt32LE(this.k + 256 * this.m, 24);
      frame[28] = SHARD_PARITY;
      frame[29] = index - this.k;
    }
    return frame.equals(block.subarray(0, 32)) && hashIsRight(block) ? block : undefined;
  }

  /** A block of the archive: as it stands, else of its row, else as it is left. */
  block(position) {
    const [row, index] = [Math.floor(position / this.k), position % this.k];
    if (this.isHeader(position)) return this.seal(position, this.header.body);
    const found = this.intact(index, row);
    if (found) return found;
    const known = [];
    for (let other = 0; other < this.k + this.m && known.length < this.k; other++) {
      const at = row * this.k + other;
      const isZero = other < this.k && (at >= this.geometry.blockCount || this.isHeader(at));
      const block = isZero ? Buffer.alloc(BLOCK) : this.intact(other, row);
      if (block) known.push({ index: other, locator: this.locator(other), body: block.subarray(32, 32 + BODY) });
    }
    if (known.length < this.k) {
      const file = this.shards[index];
      return file ? file.read((row + 2 * (Math.floor(row / GROUP) + 1)) * BLOCK, BLOCK) : Buffer.alloc(BLOCK);
    }
    const unknown = this.shards.map((_, other) => other).filter((other) => !known.some((one) => one.index === other));
    const bodies = solveBodies(
      known,
      unknown.map((other) => this.locator(other)),
    );
    this.healed += 1;
    return this.seal(position, bodies[unknown.indexOf(index)]);
  }

  locator(index) {
    return index < this.k ? 255 - index : index - this.k + 1;
  }

  seal(position, body) {
    const block = Buffer.alloc(BLOCK);
    this.geometry.frame(this.id, position).copy(block);
    block.set(body, 32);
    xxh128(block.subarray(0, block[28] === DATA ? 4064 : 4080)).copy(block, 4080);
    return block;
  }
}

/** Distinct headers of one archive, the newest first. */
function findHeaders(file, wantedId) {
  const byId = new Map();
  const keep = (block) => {
    const intact =
      (block[28] === HEADER || block[28] === FINAL) &&
      block.toString('latin1', 32, 40) === 'HOLDFAST' &&
      hashIsRight(block);
    const id = block.toString('hex', 0, 16);
    if (!intact || (wantedId && id !== wantedId)) return false;
    const bodies = byId.get(id) || byId.set(id, new Map()).get(id);
    if (bodies.size < 64)
      bodies.set(block.toString('latin1', 32, 32 + BODY), Buffer.from(block.subarray(32, 32 + BODY)));
    return true;
  };
  const bothEnds = keep(file.read(0, BLOCK)) && file.size > BLOCK && keep(file.read(file.size - BLOCK, BLOCK));
  const bodies = [];
  if (!bothEnds || byId.size > 1) {
    byId.clear();
    scan(file, 'HOLDFAST', 32, (_offset, block) => {
      if (keep(block)) return BLOCK;
      if (bodies.length < 64) bodies.push(Buffer.from(block.subarray(32, 32 + BODY)));
      return 1;
    });
  }
  if (byId.size > 1) {
    throw new Failure(
      13,
      `more than one archive stands in this file; choose with --archive-id: ${[...byId.keys()].join(', ')}`,
    );
  }
  const [found] = byId.values();
  if (!found) return [headerByMajority(file, bodies)];
  return [...found.values()].map(parseHeader).sort((a, b) => b.generation - a.generation);
}

/** No header block is intact: each byte is what most of the damaged ones say. */
function headerByMajority(file, bodies) {
  const last = file.size - BLOCK;
  for (const offset of [0, BLOCK, 2 * BLOCK, last - 2 * BLOCK, last - BLOCK, last]) {
    const body = file.read(Math.max(0, offset), BLOCK).subarray(32, 32 + BODY);
    const alike = [...'HOLDFAST'].filter((letter, index) => body[index] === letter.charCodeAt(0)).length;
    if (alike >= 5 && alike < 8) bodies.push(body); // those with all 8 were found by scanning
  }
  const majority = Buffer.alloc(BODY);
  for (let index = 0; index < BODY; index++) {
    const counts = new Map();
    for (const body of bodies) counts.set(body[index], (counts.get(body[index]) || 0) + 1);
    majority[index] = [...counts].reduce((best, next) => (next[1] > best[1] ? next : best), [0, 0])[0];
  }
  try {
    return parseHeader(majority);
  } catch {
    throw new Failure(13, 'this is not a Holdfast archive, or nothing of its header is left');
  }
}

// ---------------------------------------------------------------------------------------------------- section 6: segments and index

/** Expands one member to exactly `length` bytes, never to more; an index part (no length) to 16 MiB at most. */
function expand(codec, bytes, length) {
  const limit = length === undefined ? 16 * MIB : length;
  let plain;
  try {
    const options = { maxOutputLength: limit };
    if (codec === 'none') plain = bytes;
    else if (codec === 'zstd') plain = zlib.zstdDecompressSync(bytes, options);
    else if (codec === 'gzip') plain = zlib.gunzipSync(bytes, options);
    else plain = expandByTool(codec, bytes, limit);
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw corrupt(`a segment does not expand (${error.code || error.message})`);
  }
  if (plain.length > limit || (length !== undefined && plain.length !== length))
    throw corrupt('the plain length of a segment');
  return plain;
}

function expandByTool(codec, bytes, limit) {
  const result = childProcess.spawnSync(codec, ['-dc'], { input: bytes, maxBuffer: limit + 1 });
  if (result.error && result.error.code === 'ENOENT')
    throw new Failure(1, `the program "${codec}" is needed: install it`);
  if (result.error) throw result.error;
  if (result.status !== 0) throw corrupt(`${codec} cannot expand a segment`);
  return result.stdout;
}

/** Numbers of the index: whole, exact, not negative. */
function whole(value, what) {
  if (!Number.isSafeInteger(value) || value < 0) throw corrupt(what);
  return value;
}

class Archive {
  constructor(blocks, header, dataKey) {
    Object.assign(this, { blocks, header, opened: new Map(), parts: [], segments: new Map(), lostParts: 0 });
    this.segmentKey = hkdf(dataKey, header.id, 'holdfast/1 segment');
    this.fixedDigest = sha256(header.fixed);
    this.streamLength = blocks.geometry.dataCount * PAYLOAD;
    this.readTail();
    this.readParts();
  }

  readStream(offset, length) {
    if (offset + length > this.streamLength) throw corrupt('a segment lies outside the archive');
    const first = Math.floor(offset / PAYLOAD);
    const payloads = [];
    for (let index = first; index * PAYLOAD < offset + length; index++) payloads.push(this.blocks.payload(index));
    const from = offset - first * PAYLOAD;
    return Buffer.concat(payloads).subarray(from, from + length);
  }

  unseal(number, kind, sealed) {
    const associated = Buffer.concat([this.fixedDigest, bytesOfU64(number), Buffer.from([kind])]);
    if (this.header.encrypted) {
      const nonce = Buffer.concat([Buffer.alloc(4), bytesOfU64(number)]);
      return openSealed('aes-256-gcm', this.segmentKey, nonce, sealed, associated);
    }
    const bytes = sealed.subarray(0, Math.max(0, sealed.length - 16));
    return same(sha256(associated, bytes).subarray(0, 16), sealed.subarray(bytes.length)) ? bytes : undefined;
  }

  readTail() {
    const end = this.readStream(this.streamLength - 96, 96);
    const number = u64(end, 0);
    const tail = number < 2 ** 53 ? this.unseal(number, 2, end.subarray(8)) : undefined;
    if (!tail) throw damaged('the tail, which leads to the index');
    const [count, length, size, entries, segment, offset] = [0, 8, 16, 24, 32, 40].map((at) => u64(tail, at));
    Object.assign(this, {
      segmentCount: count,
      sealedLength: length,
      size,
      entryCount: entries,
      partCount: tail.readUInt32LE(52),
    });
    this.lastPart = { segment, offset, length: tail.readUInt32LE(48) };
    const ends = segment === count - 1 && offset + this.lastPart.length === length;
    if (count !== number || length > this.streamLength - 96 || this.partCount < 1 || !ends) throw corrupt('the tail');
  }

  readPart({ segment, offset, length }) {
    if (length > 16 * MIB + 65536) throw corrupt('the length of an index part');
    const bytes = this.unseal(segment, 1, this.readStream(offset, length));
    if (!bytes) throw damaged(`segment ${segment}, a part of the index`);
    const plain = expand(this.header.codec, bytes);
    if (plain.length === 0 || plain[plain.length - 1] !== 10) throw corrupt('the end of an index part');
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
        .decode(plain)
        .slice(0, -1)
        .split('\n')
        .map((line) => JSON.parse(line));
    } catch {
      throw corrupt('an index part is not lines of JSON');
    }
  }

  /** From the last part to the first: each holds the lengths of the segments before it. When one is lost, the later ones serve. */
  readParts() {
    let place = this.lastPart;
    try {
      for (let number = this.partCount - 1; number >= 0; number--) {
        place = this.readSegments(place, number);
        if ((place === null) !== (number === 0)) throw corrupt('the chain of index parts');
      }
    } catch (error) {
      if (!(error instanceof Failure) || this.parts.length === 0) throw error;
      this.lostParts = this.partCount - this.parts.length;
      this.lossOfParts = error.message;
    }
    this.parts.reverse();
  }

  readSegments(place, number) {
    const [{ part, previous, firstSegment, segments }] = this.readPart(place);
    if (part !== number || !Array.isArray(segments) || firstSegment + segments.length !== place.segment)
      throw corrupt('an index part');
    let before = null;
    if (previous !== null) {
      const { segment, offset, length } = previous || {};
      before = {
        segment: whole(segment, 'previous'),
        offset: whole(offset, 'previous'),
        length: whole(length, 'previous'),
      };
    }
    if (firstSegment !== (before ? before.segment + 1 : 0))
      throw corrupt('an index part does not follow its previous one');
    let offset = before ? before.offset + before.length : 0;
    for (const [index, pair] of segments.entries()) {
      const [plain, sealed] = Array.isArray(pair) ? pair.map((length) => whole(length, 'a segment')) : [];
      if (
        !(plain >= 1 && plain <= this.header.segmentSize && sealed >= 17 && sealed <= this.header.segmentSize + 65536)
      ) {
        throw corrupt('the length of a segment');
      }
      this.segments.set(firstSegment + index, { offset, plain, sealed });
      offset += sealed;
    }
    if (offset !== place.offset) throw corrupt('the lengths of segments do not add up');
    this.parts.push(place);
    return before;
  }

  /** All entries of the index that is left, part by part. */
  *entries() {
    const seen = new Set();
    let [count, size] = [0, 0];
    for (const place of this.parts) {
      for (const entry of this.readPart(place).slice(1)) {
        const right =
          entry !== null &&
          typeof entry === 'object' &&
          typeof entry.path === 'string' &&
          typeof entry.kind === 'string';
        if (!right || !/^[0-9a-f]{64}$/.test(entry.sha256) || !Array.isArray(entry.runs))
          throw corrupt('an entry of the index');
        const bytes =
          entry.pathBytes === undefined ? Buffer.from(entry.path) : Buffer.from(String(entry.pathBytes), 'base64');
        if (seen.has(bytes.toString('latin1'))) throw corrupt(`the path ${entry.path} stands twice in the index`);
        seen.add(bytes.toString('latin1'));
        this.checkRuns(entry);
        count++;
        size += entry.size;
        yield { ...entry, bytes, metadata: entry.metadata || {} };
      }
    }
    if (this.lostParts === 0 && (count !== this.entryCount || size !== this.size))
      throw corrupt('the counts of the tail and the index');
  }

  checkRuns(entry) {
    let sum = 0;
    for (const run of entry.runs) {
      if (!Array.isArray(run) || run.length !== 3) throw corrupt('a run');
      const [segment, offset, length] = run.map((number) => whole(number, 'a run'));
      const known = this.segments.get(segment);
      const lost = this.lostParts > 0 && !known;
      if (!lost && (!known || offset >= known.plain)) throw corrupt(`a run of ${entry.path} lies outside its segment`);
      sum += length;
    }
    if (sum !== whole(entry.size, 'the size of an entry')) throw corrupt(`the size of ${entry.path}`);
  }

  /** One opened segment; the last few are kept, as small files share them and parallel ones interleave. */
  segment(number) {
    if (!this.opened.has(number)) {
      const known = this.segments.get(number);
      if (!known) throw damaged(`where segment ${number} stands is not known`);
      const bytes = this.unseal(number, 0, this.readStream(known.offset, known.sealed));
      if (!bytes) throw damaged(`segment ${number} fails its tag`);
      if (this.opened.size >= 4) this.opened.delete(this.opened.keys().next().value);
      this.opened.set(number, expand(this.header.codec, bytes, known.plain));
    }
    return this.opened.get(number);
  }

  /** The bytes of an entry, segment by segment. */
  *contents(entry) {
    for (const [first, from, length] of entry.runs) {
      let [number, offset, rest] = [first, from, length];
      while (rest > 0) {
        if (number >= this.segmentCount) throw corrupt('a run goes on beyond the last segment');
        if (!this.parts.some((part) => part.segment === number)) {
          const bytes = this.segment(number).subarray(offset, offset + rest);
          rest -= bytes.length;
          offset = 0;
          yield bytes;
        }
        number++;
      }
    }
  }
}

// ---------------------------------------------------------------------------------------------------- writing

/** The parts of a path as bytes; refuses whatever could leave the folder. */
function safeParts(bytes) {
  const parts = bytes.toString('latin1').split('/');
  const bad = (part) =>
    part === '' ||
    part === '.' ||
    part === '..' ||
    /[\0]/.test(part) ||
    (process.platform === 'win32' && /[\\:]/.test(part));
  if (parts.some(bad)) throw new Failure(11, 'its path would leave the folder');
  return parts.map((part) => Buffer.from(part, 'latin1'));
}

const join = (folder, name) => Buffer.concat([folder, Buffer.from('/'), name]);

class Output {
  constructor(folder) {
    fs.mkdirSync(folder, { recursive: true });
    this.root = Buffer.from(fs.realpathSync(folder));
    this.known = new Set();
    this.later = [];
  }

  /** Makes the folders that lead to an entry; each must be a real folder, never a link. */
  makeFolder(parts) {
    let folder = this.root;
    for (const part of parts) {
      folder = join(folder, part);
      const key = folder.toString('latin1');
      if (this.known.has(key)) continue;
      const state = fs.lstatSync(folder, { throwIfNoEntry: false });
      if (state && !state.isDirectory())
        throw new Failure(11, 'a file or link stands where a folder of its path has to be');
      if (!state) fs.mkdirSync(folder, { mode: 0o700 });
      this.known.add(key);
    }
    return folder;
  }

  /** Mode and times. Owners, and set-user-id bits, are left away on purpose. */
  static attributes({ mode, mtimeNs }) {
    return {
      mode: Number.isInteger(mode) ? mode & 0o777 : undefined,
      seconds: /^-?\d{1,25}$/.test(mtimeNs) ? Number(mtimeNs) / 1e9 : undefined,
    };
  }

  writeFile(entry, contents) {
    const parts = safeParts(entry.bytes);
    const folder = this.makeFolder(parts.slice(0, -1));
    const target = join(folder, parts[parts.length - 1]);
    const temporary = join(folder, Buffer.from(`.holdfast-${crypto.randomBytes(8).toString('hex')}.partial`));
    const descriptor = fs.openSync(temporary, 'wx', 0o600);
    try {
      this.fill(descriptor, entry, contents);
      fs.closeSync(descriptor);
      fs.renameSync(temporary, target);
    } catch (error) {
      fs.rmSync(temporary, { force: true });
      throw error;
    }
  }

  fill(descriptor, entry, contents) {
    const hash = crypto.createHash('sha256');
    for (const bytes of contents) {
      hash.update(bytes);
      for (let done = 0; done < bytes.length; ) done += fs.writeSync(descriptor, bytes, done);
    }
    if (hash.digest('hex') !== entry.sha256) throw corrupt('its SHA-256 is wrong');
    const { mode, seconds } = Output.attributes(entry.metadata);
    if (mode !== undefined) fs.fchmodSync(descriptor, mode);
    if (seconds !== undefined) fs.futimesSync(descriptor, seconds, seconds);
    fs.fsyncSync(descriptor);
  }

  writeFolder(entry, failed) {
    const folder = this.makeFolder(safeParts(entry.bytes));
    const { mode, seconds } = Output.attributes(entry.metadata);
    this.later.push(() => {
      try {
        if (seconds !== undefined) fs.utimesSync(folder, seconds, seconds);
        if (mode !== undefined) fs.chmodSync(folder, mode);
      } catch (error) {
        failed(entry, error);
      }
    });
  }

  /** Links are made after all files, so that nothing is ever written through one. */
  writeLink(entry, failed) {
    const parts = safeParts(entry.bytes);
    const { target, targetBytes } = entry.metadata;
    if (targetBytes === undefined && typeof target !== 'string') throw corrupt('a link without a target');
    const bytes = targetBytes === undefined ? Buffer.from(String(target)) : Buffer.from(String(targetBytes), 'base64');
    this.later.push(() => {
      try {
        const link = join(this.makeFolder(parts.slice(0, -1)), parts[parts.length - 1]);
        const state = fs.lstatSync(link, { throwIfNoEntry: false });
        if (state?.isSymbolicLink()) fs.unlinkSync(link);
        fs.symlinkSync(bytes, link);
        const { seconds } = Output.attributes(entry.metadata);
        if (seconds !== undefined) fs.lutimesSync(link, seconds, seconds);
      } catch (error) {
        failed(entry, error);
      }
    });
  }

  /** The last first: a link before the times of its folder, a folder before the one that holds it. */
  finish() {
    for (const action of this.later.reverse()) action();
  }
}

// ---------------------------------------------------------------------------------------------------- shares of a key

const LETTERS = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l';

/** The bytes of a share's text: Bech32m (BIP 350) with the prefix `hfshare`, of any length. */
function readShare(text) {
  const lines = text.split(/\r?\n/).filter((line) => !line.trim().startsWith('#'));
  const line = lines
    .join('')
    .replace(/[\s-]+/g, '')
    .toLowerCase();
  const values = [...line.slice(line.lastIndexOf('1') + 1)].map((letter) => LETTERS.indexOf(letter));
  const name = [...'hfshare'].map((letter) => letter.charCodeAt(0));
  let sum = 1;
  for (const value of [...name.map((code) => code >> 5), 0, ...name.map((code) => code & 31), ...values]) {
    const top = sum >>> 25;
    sum = ((sum & 0x1ffffff) << 5) ^ value;
    [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3].forEach((generator, bit) => {
      if ((top >> bit) & 1) sum ^= generator;
    });
  }
  if (!line.startsWith('hfshare1') || values.includes(-1) || sum !== 0x2bc830a3)
    throw new Failure(2, 'a share is mistyped, or none: compare it with its sheet');
  const bytes = [];
  let bits = 0;
  let held = 0;
  for (const value of values.slice(0, -6)) {
    held = ((held << 5) | value) & 0xfff;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push((held >> bits) & 255);
  }
  if (bytes[0] !== 1) throw new Failure(2, 'a share is of a version that this program does not know');
  return {
    set: bytes.slice(1, 5).join(),
    threshold: bytes[5],
    number: bytes[6],
    y: bytes.slice(7, -1),
    x: bytes.at(-1),
  };
}

/** A product in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1. */
function timesAes(left, right) {
  let product = 0;
  for (let bit = 0; bit < 8; bit++) {
    if ((right >> bit) & 1) product ^= left;
    left = (left << 1) ^ (left & 128 ? 0x11b : 0);
  }
  return product;
}

/** The key: the value at 0 of the polynomial through the shares. */
function joinShares(texts) {
  const shares = [...new Map(texts.map((text) => readShare(text)).map((share) => [share.number, share])).values()];
  const [first] = shares;
  if (shares.some(({ set }) => set !== first.set)) throw new Failure(2, 'the shares are of different keys');
  if (shares.length < first.threshold)
    throw new Failure(2, `${shares.length} of ${first.threshold} shares are there: more are needed`);
  const inverse = (value) => {
    let power = 1;
    for (let count = 0; count < 254; count++) power = timesAes(power, value);
    return power;
  };
  const used = shares.slice(0, first.threshold);
  const weights = used.map(({ x }) =>
    used
      .filter((other) => other.x !== x)
      .reduce((weight, { x: at }) => timesAes(weight, timesAes(at, inverse(at ^ x))), 1),
  );
  const plain = Buffer.from(
    first.y.map((_, at) => used.reduce((sum, { y }, of) => sum ^ timesAes(y[at], weights[of]), 0)),
  );
  const key = plain.subarray(6, 6 + plain.readUInt16BE(4));
  if (!sha256(key).subarray(0, 4).equals(plain.subarray(0, 4)))
    throw new Failure(2, 'the shares do not belong together');
  return key.toString('utf8');
}

// ---------------------------------------------------------------------------------------------------- the program

function parseArguments(words) {
  const options = { only: [], shares: [], positional: [] };
  for (let index = 0; index < words.length; index++) {
    const word = words[index];
    if (word === '--help' || word === '-h') return { help: true };
    else if (word === '--list') options.list = true;
    else if (['--only', '--identity', '--passphrase-file', '--share-file', '--archive-id'].includes(word)) {
      const value = words[++index];
      if (value === undefined) throw new Failure(2, `${word} needs a value`);
      if (word === '--only') options.only.push(value);
      else if (word === '--share-file') options.shares.push(value);
      else options[word.slice(2)] = value;
    } else if (word.startsWith('-')) throw new Failure(2, `unknown option ${word}\n${usage}`);
    else options.positional.push(word);
  }
  const isFile = (name) => fs.statSync(name, { throwIfNoEntry: false })?.isFile() === true;
  const { positional } = options;
  const isOutput = positional.length > 1 && !(options.list && isFile(positional.at(-1)));
  options.inputs = isOutput ? positional.slice(0, -1) : positional;
  options.output = isOutput ? positional.at(-1) : undefined;
  if (options.inputs.length === 0 || (options.output === undefined && !options.list)) throw new Failure(2, usage);
  return options;
}

/** `**` is anything, `*` anything but a slash; a path also matches with all that lies under it. */
function matcher(globs) {
  const patterns = globs.map((glob) => {
    const source = glob.replace(/\/+$/, '').replace(/\*\*|\*|\?|[^*?]+/g, (part) => {
      if (part === '**') return '.*';
      if (part === '*') return '[^/]*';
      return part === '?' ? '[^/]' : part.replace(/[\\^$.|+()[\]{}]/g, '\\$&');
    });
    return new RegExp(`^${source}(/.*)?$`, 's');
  });
  return (name) => patterns.length === 0 || patterns.some((pattern) => pattern.test(name));
}

function askPassphrase() {
  if (!process.stdin.isTTY)
    throw new Failure(2, 'a key is needed: set $HOLDFAST_PASSPHRASE, or give --passphrase-file or --identity');
  process.stderr.write('passphrase: ');
  process.stdin.setRawMode(true).setEncoding('utf8');
  return new Promise((resolve, reject) => {
    let typed = '';
    const end = (settle) => {
      process.stdin.setRawMode(false).pause();
      process.stderr.write('\n');
      settle();
    };
    process.stdin.on('data', (text) => {
      for (const letter of text) {
        if (letter === '\r' || letter === '\n' || letter === '\u0004') return end(() => resolve(typed));
        if (letter === '\u0003') return end(() => reject(new Failure(130, 'interrupted')));
        typed = letter === '\u007f' || letter === '\b' ? [...typed].slice(0, -1).join('') : typed + letter;
      }
    });
  });
}

async function collectKeys(options, headers) {
  const keys = { passphrases: [], identities: [] };
  if (options.identity !== undefined) {
    const lines = fs
      .readFileSync(options.identity, 'utf8')
      .split(/\r?\n/)
      .map((line) => line.trim());
    keys.identities = lines.filter((line) => line !== '' && !line.startsWith('#')).map(parseIdentity);
  }
  if (options.shares.length > 0) {
    const key = joinShares(options.shares.map((file) => fs.readFileSync(file, 'utf8')));
    if (/^AGE-SECRET-KEY-1/i.test(key)) keys.identities.push(parseIdentity(key));
    else keys.passphrases.push(key);
  } else if (options['passphrase-file'] !== undefined) {
    keys.passphrases.push(fs.readFileSync(options['passphrase-file'], 'utf8').replace(/\r?\n$/, ''));
  } else if (process.env.HOLDFAST_PASSPHRASE) {
    keys.passphrases.push(process.env.HOLDFAST_PASSPHRASE);
  } else if (options.identity === undefined && headers.some((header) => header.encrypted)) {
    keys.passphrases.push(await askPassphrase());
  }
  return keys;
}

/** Names come from the archive: nothing of them may steer the terminal. */
const printable = (text) => text.replace(/\p{Cc}/gu, '\ufffd');
const say = (line) => fs.writeSync(1, `${line}\n`);

/** Of databases and programs, all that has bytes is a file here. */
const databaseKinds = ['sqlite', 'schema', 'table', 'large-objects', 'roles', 'dump', 'stream'];
const knownKinds = ['directory', 'file', 'symlink', ...databaseKinds];

/** What psql is to be told, in which order, so that the files of a database of PostgreSQL become one again. */
class LoadScripts {
  constructor(folder) {
    this.folder = folder;
    this.databases = new Map();
  }

  add(entry) {
    // In quotes of psql a backslash is none.
    if (/[\p{Cc}\\]/u.test(entry.path)) return;
    const [, database, name] = /^databases\/([^/]+)\/(.+)$/.exec(entry.path) ?? [];
    const { engine, format, schema, table, columns, encoding, object } = entry.metadata ?? {};
    if (engine !== 'postgres' || database === undefined) return;
    const steps = ['pre-data', undefined, 'sequences', 'post-data'];
    const text = (value) => `'${String(value).replaceAll("'", "''")}'`;
    const quoted = (value) => `"${String(value).replaceAll('"', '""')}"`;
    const add = (step, line) => this.databases.set(database, [...(this.databases.get(database) ?? []), { step, line }]);
    if (entry.kind === 'schema' && steps.includes(object)) add(steps.indexOf(object), `\\ir ${text(name)}`);
    if (entry.kind === 'large-objects') add(1, `\\ir ${text(name)}`);
    if (entry.kind !== 'table' || format !== 'postgres-copy-text') return;
    const list = Array.isArray(columns) && columns.length > 0 ? ` (${columns.map(quoted).join(', ')})` : '';
    const line = `\\copy ${quoted(schema)}.${quoted(table)}${list} FROM ${text(name)} WITH (ENCODING ${text(encoding)})`;
    // psql ends a command of its own at the end of the line: what came after it would be another.
    if (!/[\p{Cc}\p{Zl}\p{Zp}]/u.test(line)) return add(1, line);
    say(`passed    ${printable(entry.path)}: load.sql cannot load it, a name in it has more than a line`);
    add(4, `\\warn ${text(`NOT LOADED, do it by hand: ${name}`)}`);
  }

  write() {
    for (const [database, lines] of this.databases) {
      if (!lines.some(({ step }) => step === 0)) continue;
      const sorted = lines.sort((one, other) => one.step - other.step).map(({ line }) => line);
      const head = [
        '-- In this folder, into a new database: psql --dbname=NAME --file=load.sql',
        '\\set ON_ERROR_STOP on',
      ];
      const file = path.join(this.folder, 'databases', database, 'load.sql');
      fs.rmSync(file, { force: true });
      fs.writeFileSync(file, `${[...head, ...sorted].join('\n')}\n`, { flag: 'wx' });
      say(`script    ${printable(path.join('databases', database, 'load.sql'))}  for psql`);
    }
  }
}

function extractAll(archive, options) {
  const output = options.list ? undefined : new Output(options.output);
  const scripts = output && new LoadScripts(options.output);
  const matches = matcher(options.only);
  const counts = { right: 0, lost: 0, bytes: 0 };
  const failed = (entry, error) => {
    if (!(error instanceof Failure) && !error.code) throw error;
    if (error.exitCode === 1 || error.code === 'ENOSPC') throw error;
    counts.lost++;
    say(`LOST      ${printable(entry.path)}: ${error.message}`);
  };
  const failedLater = (entry, error) => {
    counts.right--;
    failed(entry, error);
  };
  for (const entry of archive.entries()) {
    if (!matches(entry.path)) continue;
    if (!knownKinds.includes(entry.kind)) {
      say(`passed    ${printable(entry.path)}: the kind "${printable(entry.kind)}" is not known here`);
      continue;
    }
    try {
      if (entry.kind === 'directory') output?.writeFolder(entry, failedLater);
      else if (entry.kind === 'symlink') output?.writeLink(entry, failedLater);
      else output?.writeFile(entry, archive.contents(entry));
      counts.right++;
      counts.bytes += entry.size;
      scripts?.add(entry);
      say(`${entry.kind.padEnd(9)} ${printable(entry.path)}  ${entry.size} bytes`);
    } catch (error) {
      failed(entry, error);
    }
  }
  output?.finish();
  scripts?.write();
  return counts;
}

/** One file is an archive, unless it is a shard; several are shards. */
function openInput(names) {
  const file = names.length === 1 ? new InputFile(names[0]) : undefined;
  const isShard = file && (parseHead(file.read(0, BLOCK)) || /\.\d+of\d+\.[0-9a-f]{8}\.\d+$/.test(names[0]));
  return file && !isShard ? file : new ShardSet(names);
}

async function main() {
  const options = parseArguments(process.argv.slice(2));
  if (options.help) return say(usage);
  const file = openInput(options.inputs);
  const headers = findHeaders(file, options['archive-id']?.toLowerCase());
  const { header, dataKey } = unlock(headers, await collectKeys(options, headers));
  const blocks = new Blocks(file, header.id, header);
  const archive = new Archive(blocks, header, dataKey);
  const counts = extractAll(archive, options);
  const healed = blocks.healed > 0 ? `, ${blocks.healed} blocks were healed from parity` : '';
  const solved = file.healed > 0 ? `, ${file.healed} reads of blocks were solved from other shards` : '';
  if (archive.lostParts > 0)
    say(`LOST      what the first ${archive.lostParts} parts of the index list: ${archive.lossOfParts}`);
  say(
    `${counts.right} entries, ${counts.bytes} bytes ${options.list ? 'listed' : 'written'}; ${counts.lost} lost${healed}${solved}`,
  );
  if (counts.lost > 0 || archive.lostParts > 0) process.exitCode = 11;
}

/** This Node lacks Argon2id or zstd: hands over to one that has them. */
function findNewerNode() {
  const program = process.platform === 'win32' ? 'node.exe' : 'node';
  const beside = fileURLToPath(new URL(`../node_modules/node/bin/${program}`, import.meta.url));
  const folders = (process.env.PATH || '').split(path.delimiter).filter((folder) => path.isAbsolute(folder));
  const probe = "const z=require('zlib'),c=require('crypto');process.exit(c.argon2Sync&&z.zstdDecompressSync?0:1)";
  return [beside, ...folders.map((folder) => path.join(folder, program))].find(
    (name) => fs.existsSync(name) && childProcess.spawnSync(name, ['-e', probe]).status === 0,
  );
}

if (typeof crypto.argon2Sync === 'function' && typeof zlib.zstdDecompressSync === 'function') {
  main().catch((error) => {
    process.stderr.write(`holdfast-recover: ${error.message}\n`);
    process.exitCode = error.exitCode || 1;
  });
} else {
  const node = findNewerNode();
  if (node === undefined) {
    process.stderr.write(
      `holdfast-recover: this is Node ${process.versions.node}; Node 24.7 or newer is needed (https://nodejs.org)\n`,
    );
    process.exitCode = 2;
  } else {
    const result = childProcess.spawnSync(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
      stdio: 'inherit',
    });
    process.exitCode = result.status === null ? 1 : result.status;
  }
}
