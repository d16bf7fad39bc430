// Frames and hashes of blocks, docs/format.md section 2.

import { xxh3 } from './xxh3';

const blockSize: usize = 4096;
const innerHash: usize = 4064;
const outerHash: usize = 4080;

/** The hash of `length` bytes, more than 240, to `target`. */
export function hash(source: usize, length: usize, target: usize, secret: usize): void {
  v128.store(target, xxh3(source, length, secret));
}

/** Writes frames and hashes around `count` bodies, or payloads, that stand in their places; the frame's position grows by one a block. */
export function sealBlocks(blocks: usize, count: i32, frame: usize, isData: bool, secret: usize): void {
  const archiveId = v128.load(frame);
  const position = load<u64>(frame, 16);
  const rest = load<u64>(frame, 24);
  const covered = isData ? innerHash : outerHash;
  for (let index: i32 = 0; index < count; index++) {
    const block = blocks + <usize>index * blockSize;
    v128.store(block, archiveId);
    store<u64>(block, position + index, 16);
    store<u64>(block, rest, 24);
    const found = xxh3(block, covered, secret);
    if (isData) v128.store(block, found, innerHash);
    v128.store(block, found, outerHash);
  }
}

/** One byte a block to `results`: 1 where its frame, and its hash or both of them, are as they have to be, else 0. */
export function checkBlocks(blocks: usize, count: i32, frame: usize, isData: bool, results: usize, secret: usize): void {
  const archiveId = v128.load(frame);
  const position = load<u64>(frame, 16);
  const rest = load<u64>(frame, 24);
  const covered = isData ? innerHash : outerHash;
  for (let index: i32 = 0; index < count; index++) {
    const block = blocks + <usize>index * blockSize;
    const isFramed = !v128.any_true(v128.xor(v128.load(block), archiveId)) &&
      load<u64>(block, 16) == position + index && load<u64>(block, 24) == rest;
    let isRight = isFramed;
    if (isFramed) {
      const found = xxh3(block, covered, secret);
      isRight = !v128.any_true(v128.xor(v128.load(block, outerHash), found)) &&
        !v128.any_true(v128.xor(v128.load(block + covered), found));
    }
    store<u8>(results + index, isRight);
  }
}
