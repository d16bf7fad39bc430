import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { blockSizeBytes, bodySizeBytes, frameSizeBytes } from './geometry.ts';
import { createKernel, WasmKernel, wasmKernelSupported } from './kernel.ts';
import type { Accumulation, Transformation } from './kernel-arguments.ts';
import { groupTablesSizeBytes, writeGroupTables } from './novel-basis.ts';
import { PlainKernel } from './plain-kernel.ts';
import { rowStep, tableSizeBytes, writeTable } from './reed-solomon.ts';

function seededBytes(seed: number, sizeBytes: number): Buffer {
  return createHash('shake256', { outputLength: sizeBytes }).update(String(seed)).digest();
}

test('this Node runs the WebAssembly kernel, and it is the one that is used', () => {
  assert.equal(wasmKernelSupported(), true);
  assert.ok(createKernel(1) instanceof WasmKernel);
});

test('a kernel has the memory asked for, zeroed', () => {
  const kernel = createKernel(100_000);
  assert.ok(kernel.memory.length >= 100_000);
  assert.ok(kernel.memory.every((byte) => byte === 0));
});

test('the WebAssembly kernel does what the plain one does', () => {
  const shape = fc.record({
    sourceCount: fc.integer({ min: 1, max: 9 }),
    rowSteps: fc.integer({ min: 1, max: 4 }),
    strideBlocks: fc.integer({ min: 1, max: 3 }),
    seed: fc.nat(),
  });
  const law = fc.property(shape, ({ sourceCount, rowSteps, strideBlocks, seed }) => {
    const rowCount = rowSteps * rowStep;
    const sourceStrideBytes = strideBlocks * blockSizeBytes;
    const tableStrideBytes = (rowCount + rowStep) * tableSizeBytes;
    const tables = sourceCount * sourceStrideBytes;
    const target = tables + sourceCount * tableStrideBytes;
    // With room behind the targets, which stays as it is.
    const sizeBytes = target + (rowCount + 1) * bodySizeBytes;
    const plain = new PlainKernel(sizeBytes);
    plain.memory.set(seededBytes(seed, sizeBytes));
    for (const [index, coefficient] of seededBytes(seed + 1, tableStrideBytes / tableSizeBytes).entries()) {
      for (let source = 0; source < sourceCount; source++) {
        const offset = tables + source * tableStrideBytes + index * tableSizeBytes;
        writeTable(plain.memory, offset, (coefficient + source) & 255);
      }
    }
    const wasm = new WasmKernel(sizeBytes);
    wasm.memory.set(plain.memory);
    const shared = {
      source: frameSizeBytes,
      sourceStrideBytes,
      sourceCount,
      tables,
      tableStrideBytes,
      target,
      rowCount,
    };
    const before = Buffer.from(plain.memory);
    plain.accumulate(shared);
    wasm.accumulate(shared);
    assert.ok(Buffer.from(wasm.memory.subarray(0, sizeBytes)).equals(plain.memory));
    assert.ok(before.subarray(0, target).equals(plain.memory.subarray(0, target)), 'only the targets change');
    assert.ok(!before.equals(plain.memory));
    wasm.accumulate(shared);
    assert.ok(before.equals(wasm.memory.subarray(0, sizeBytes)), 'adding twice is adding nothing');
  });
  fc.assert(law, { seed: 4, numRuns: 60 });
});

test('the WebAssembly kernel transforms as the plain one does, groups of which only a part is given among them', () => {
  const shape = fc.record({
    firstIndex: fc.integer({ min: 0, max: 252 }),
    wantedCount: fc.integer({ min: 1, max: 20 }),
    rowSteps: fc.integer({ min: 1, max: 8 }),
    strideBlocks: fc.integer({ min: 1, max: 3 }),
    seed: fc.nat(),
  });
  const law = fc.property(shape, ({ firstIndex, wantedCount, rowSteps, strideBlocks, seed }) => {
    const rowCount = rowSteps * rowStep;
    const sourceCount = Math.min(wantedCount, 253 - firstIndex);
    const sourceStrideBytes = strideBlocks * blockSizeBytes;
    const tables = sourceCount * sourceStrideBytes;
    const zeros = tables + groupTablesSizeBytes(rowCount);
    const target = zeros + bodySizeBytes;
    const sizeBytes = target + (rowCount + 1) * bodySizeBytes;
    const plain = new PlainKernel(sizeBytes);
    plain.memory.set(seededBytes(seed, sizeBytes));
    plain.memory.fill(0, zeros, target);
    writeGroupTables(plain.memory, tables, rowCount);
    const wasm = new WasmKernel(sizeBytes);
    wasm.memory.set(plain.memory);
    const before = Buffer.from(plain.memory);
    const source = frameSizeBytes;
    const transformation = { source, sourceStrideBytes, sourceCount, firstIndex, tables, zeros, target, rowCount };
    plain.transform(transformation);
    wasm.transform(transformation);
    assert.ok(Buffer.from(wasm.memory.subarray(0, sizeBytes)).equals(plain.memory));
    assert.ok(before.subarray(0, target).equals(plain.memory.subarray(0, target)), 'only the targets change');
    assert.ok(!before.equals(plain.memory));
  });
  fc.assert(law, { seed: 9, numRuns: 60 });
});

test('a transformation that would leave the memory or the field is refused', () => {
  const fits: Transformation = {
    source: 0,
    sourceStrideBytes: bodySizeBytes,
    sourceCount: 2,
    firstIndex: 253,
    tables: 2 * bodySizeBytes,
    zeros: 2 * bodySizeBytes,
    target: 2 * bodySizeBytes + groupTablesSizeBytes(8),
    rowCount: 8,
  };
  const sizeBytes = fits.target + 8 * bodySizeBytes;
  for (const kernel of [new PlainKernel(sizeBytes), new WasmKernel(sizeBytes)]) {
    const end = kernel.memory.length;
    kernel.transform({ ...fits, target: end - 8 * bodySizeBytes, zeros: end - bodySizeBytes });
    for (const wrong of [
      { target: end - 8 * bodySizeBytes + 1 },
      { target: -1 },
      { zeros: end - bodySizeBytes + 1 },
      { tables: end - groupTablesSizeBytes(8) + 1 },
      { source: end - 2 * bodySizeBytes + 1 },
      { source: -1 },
      { firstIndex: 254 },
      { firstIndex: -1 },
      { sourceCount: 0 },
      { rowCount: 12 },
    ]) {
      assert.throws(() => kernel.transform({ ...fits, ...wrong }), JSON.stringify(wrong));
    }
  }
});

test('what would leave the memory is refused', () => {
  const fits: Accumulation = {
    source: 0,
    sourceStrideBytes: bodySizeBytes,
    sourceCount: 2,
    tables: 2 * bodySizeBytes,
    tableStrideBytes: 8 * tableSizeBytes,
    target: 2 * bodySizeBytes + 16 * tableSizeBytes,
    rowCount: 8,
  };
  const sizeBytes = fits.target + 8 * bodySizeBytes;
  for (const kernel of [new PlainKernel(sizeBytes), new WasmKernel(sizeBytes)]) {
    const beyond = kernel.memory.length - sizeBytes;
    kernel.accumulate({ ...fits, target: fits.target + beyond });
    assert.throws(() => kernel.accumulate({ ...fits, target: fits.target + beyond + 1 }));
    assert.throws(() => kernel.accumulate({ ...fits, source: kernel.memory.length - 2 * bodySizeBytes + 1 }));
    assert.throws(() => kernel.accumulate({ ...fits, tables: kernel.memory.length - 16 * tableSizeBytes + 1 }));
    assert.throws(() => kernel.accumulate({ ...fits, source: -1 }));
    assert.throws(() => kernel.accumulate({ ...fits, rowCount: 7 }));
    assert.throws(() => kernel.accumulate({ ...fits, sourceCount: 0 }));
  }
});
