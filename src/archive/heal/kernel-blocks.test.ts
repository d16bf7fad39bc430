import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { blockKind, frameBytes, isIntactBlock } from './block.ts';
import { blockSizeBytes, frameSizeBytes } from './geometry.ts';
import { type Kernel, WasmKernel } from './kernel.ts';
import type { BlockCheck } from './kernel-arguments.ts';
import { PlainKernel } from './plain-kernel.ts';
import { xxh3, xxh3Secret } from './xxh3.ts';

function seededBytes(seed: number | string, sizeBytes: number): Buffer {
  return createHash('shake256', { outputLength: sizeBytes }).update(String(seed)).digest();
}

/** A plain kernel and a fast one, which begin with the same bytes. */
function bothKernels(seed: number, sizeBytes: number): [PlainKernel, WasmKernel] {
  const plain = new PlainKernel(sizeBytes);
  plain.memory.set(seededBytes(seed, sizeBytes));
  const wasm = new WasmKernel(sizeBytes);
  wasm.memory.set(plain.memory);
  return [plain, wasm];
}

function assertSameMemory(plain: PlainKernel, wasm: WasmKernel): void {
  assert.ok(Buffer.from(wasm.memory.subarray(0, plain.memory.length)).equals(plain.memory));
  assert.ok(wasm.memory.subarray(plain.memory.length).every((byte) => byte === 0));
}

test('the WebAssembly kernel hashes as the plain one does, and writes nothing else', () => {
  const shape = fc.record({
    lengthBytes: fc.oneof(fc.integer({ min: 241, max: 9000 }), fc.constantFrom(241, 1024, 1025, 4064, 4080, 8192)),
    source: fc.nat(70),
    gap: fc.nat(40),
    seed: fc.nat(),
  });
  const law = fc.property(shape, ({ lengthBytes, source, gap, seed }) => {
    const target = source + lengthBytes + gap;
    const [plain, wasm] = bothKernels(seed, target + 50);
    const before = Buffer.from(plain.memory);
    plain.hash({ source, lengthBytes, target });
    wasm.hash({ source, lengthBytes, target });
    assertSameMemory(plain, wasm);
    const hash = xxh3(before.subarray(source, source + lengthBytes));
    assert.ok(Buffer.concat([before.subarray(0, target), hash, before.subarray(target + 16)]).equals(plain.memory));
  });
  fc.assert(law, { seed: 7, numRuns: 200 });
});

const places = fc.record({
  count: fc.integer({ min: 0, max: 5 }),
  start: fc.nat(40),
  isData: fc.boolean(),
  position: fc.oneof(fc.nat(1000), fc.constantFrom(2 ** 32 - 2, 2 ** 48 - 6)),
  seed: fc.nat(),
});

test('blocks are sealed and checked alike by both kernels, and nothing but frames, hashes and results is written', () => {
  const law = fc.property(places, ({ count, start, isData, position, seed }) => {
    const frame = start + count * blockSizeBytes + 5;
    const results = frame + frameSizeBytes + 3;
    const [plain, wasm] = bothKernels(seed, results + count + 9);
    const archiveId = seededBytes('id', 16);
    const kind = isData ? blockKind.data : blockKind.parity;
    const first = { position, bandDataBlocks: isData ? 0 : 77, kind, ordinal: isData ? 0 : 3 };
    for (const kernel of [plain, wasm]) kernel.memory.set(frameBytes(archiveId, first), frame);
    const expected = Buffer.from(plain.memory);
    const batch = { blocks: start, count, frame, isData };
    plain.sealBlocks(batch);
    wasm.sealBlocks(batch);
    assertSameMemory(plain, wasm);
    for (let index = 0; index < count; index++) {
      const at = start + index * blockSizeBytes;
      const block = Buffer.from(wasm.memory.subarray(at, at + blockSizeBytes));
      assert.ok(isIntactBlock(block, archiveId, { ...first, position: position + index }));
      block.copy(expected, at, 0, frameSizeBytes);
      block.copy(expected, at + (isData ? 4064 : 4080), isData ? 4064 : 4080);
    }
    assert.ok(expected.equals(plain.memory), 'bodies, the template and what lies around stay');
    plain.checkBlocks({ ...batch, results });
    wasm.checkBlocks({ ...batch, results });
    assertSameMemory(plain, wasm);
    expected.fill(1, results, results + count);
    assert.ok(expected.equals(plain.memory), 'all are intact, and the results alone are written');
  });
  fc.assert(law, { seed: 8, numRuns: 60 });
});

test('positions begin anew behind the last one that 64 bits hold, in both kernels', () => {
  const frame = 2 * blockSizeBytes;
  const [plain, wasm] = bothKernels(1, frame + frameSizeBytes);
  for (const kernel of [plain, wasm]) {
    kernel.memory.fill(0xff, frame + 16, frame + 24);
    kernel.sealBlocks({ blocks: 0, count: 2, frame, isData: false });
  }
  assertSameMemory(plain, wasm);
  const positions = [0, 1].map((index) => Buffer.from(plain.memory).readBigUInt64LE(index * blockSizeBytes + 16));
  assert.deepEqual(positions, [2n ** 64n - 1n, 0n]);
});

/** Three sealed blocks, their frame and their results. */
function sealThree(kernel: Kernel, isData: boolean): BlockCheck {
  const frame = 3 * blockSizeBytes;
  const kind = isData ? blockKind.data : blockKind.parity;
  const first = { position: 255, bandDataBlocks: 0, kind, ordinal: 0 };
  kernel.memory.set(seededBytes('three', 3 * blockSizeBytes));
  kernel.memory.set(frameBytes(seededBytes('id', 16), first), frame);
  const batch = { blocks: 0, count: 3, frame, isData };
  kernel.sealBlocks(batch);
  return { ...batch, results: frame + frameSizeBytes };
}

function resultsOf(kernel: Kernel, check: BlockCheck): number[] {
  // What stood there before must not matter.
  kernel.memory.fill(0xaa, check.results, check.results + check.count);
  kernel.checkBlocks(check);
  return [...kernel.memory.subarray(check.results, check.results + check.count)];
}

const memorySizeBytes = 3 * blockSizeBytes + frameSizeBytes + 3;

for (const isData of [true, false]) {
  const kindName = isData ? 'data' : 'parity';

  test(`a flipped bit in any byte of a ${kindName} block is seen, in that block alone`, () => {
    const kernel = new WasmKernel(memorySizeBytes);
    const check = sealThree(kernel, isData);
    assert.deepEqual(resultsOf(kernel, check), [1, 1, 1]);
    for (let offset = 0; offset < blockSizeBytes; offset++) {
      const flip = 1 << (offset % 8);
      kernel.memory[blockSizeBytes + offset]! ^= flip;
      assert.deepEqual(resultsOf(kernel, check), [1, 0, 1], `byte ${offset}`);
      kernel.memory[blockSizeBytes + offset]! ^= flip;
    }
    assert.deepEqual(resultsOf(kernel, check), [1, 1, 1]);
  });

  test(`the plain kernel answers the same for damaged ${kindName} blocks`, () => {
    const plain = new PlainKernel(memorySizeBytes);
    const check = sealThree(plain, isData);
    const wasm = new WasmKernel(memorySizeBytes);
    wasm.memory.set(plain.memory);
    for (const offset of [0, 15, 16, 23, 24, 28, 29, 31, 32, 2000, 4063, 4064, 4079, 4080, 4095]) {
      for (const kernel of [plain, wasm]) {
        kernel.memory[2 * blockSizeBytes + offset]! ^= 0x80;
        assert.deepEqual(resultsOf(kernel, check), [1, 1, 0], `byte ${offset}`);
        kernel.memory[2 * blockSizeBytes + offset]! ^= 0x80;
      }
    }
  });
}

test('a block that is whole but has another frame is not intact', () => {
  for (const kernel of [new PlainKernel(memorySizeBytes), new WasmKernel(memorySizeBytes)]) {
    const check = sealThree(kernel, true);
    // The last bit of each field: archive id, position (also in its upper half), band size, kind, ordinal, zero.
    for (const offset of [15, 16, 20, 24, 28, 29, 31]) {
      kernel.memory[check.frame + offset]! ^= 1;
      assert.deepEqual(resultsOf(kernel, check), [0, 0, 0], `byte ${offset} of the frame`);
      kernel.memory[check.frame + offset]! ^= 1;
    }
    kernel.memory.copyWithin(0, blockSizeBytes, 2 * blockSizeBytes);
    assert.deepEqual(resultsOf(kernel, check), [0, 1, 1], 'the second block at the place of the first');
  }
});

test('data blocks are not parity blocks to the hashes', () => {
  const kernel = new WasmKernel(memorySizeBytes);
  const check = sealThree(kernel, true);
  assert.deepEqual(resultsOf(kernel, { ...check, isData: false }), [0, 0, 0]);
});

test('what would leave the memory, and what is too short to be hashed, is refused', () => {
  const sizeBytes = 2 * blockSizeBytes;
  for (const kernel of [new PlainKernel(sizeBytes), new WasmKernel(sizeBytes)]) {
    const end = kernel.memory.length;
    const hashing = { source: end - 241, lengthBytes: 241, target: end - 16 };
    kernel.hash(hashing);
    for (const wrong of [
      { lengthBytes: 240 },
      { source: end - 240 },
      // Of what is left there would be enough for a hash.
      { source: end - 300, lengthBytes: 301 },
      { source: -1 },
      { target: end - 15 },
      { target: -1 },
    ]) {
      assert.throws(() => kernel.hash({ ...hashing, ...wrong }), JSON.stringify(wrong));
    }
    const check = {
      blocks: end - blockSizeBytes,
      count: 1,
      frame: end - frameSizeBytes,
      isData: true,
      results: end - 1,
    };
    kernel.checkBlocks(check);
    kernel.sealBlocks(check);
    const beyond = [
      { blocks: check.blocks + 1 },
      { blocks: -1 },
      { count: 2 },
      { count: -1 },
      { frame: check.frame + 1 },
    ];
    for (const wrong of [...beyond, { frame: -1 }]) {
      assert.throws(() => kernel.checkBlocks({ ...check, ...wrong }), JSON.stringify(wrong));
      assert.throws(() => kernel.sealBlocks({ ...check, ...wrong }), JSON.stringify(wrong));
    }
    assert.throws(() => kernel.checkBlocks({ ...check, results: end }));
    assert.throws(() => kernel.checkBlocks({ ...check, results: -1 }));
  }
});

test('filling all of a kernel does not change its hashes', () => {
  const kernel = new WasmKernel(65_536 - xxh3Secret.length);
  assert.equal(kernel.memory.length, 65_536 - xxh3Secret.length);
  assert.equal(new WasmKernel(kernel.memory.length + 1).memory.length, 2 * 65_536 - xxh3Secret.length);
  kernel.memory.fill(0xff);
  kernel.hash({ source: 0, lengthBytes: 4080, target: 4096 });
  assert.deepEqual(kernel.memory.slice(4096, 4112), xxh3(new Uint8Array(4080).fill(0xff)));
});
