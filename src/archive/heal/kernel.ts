import { bodySizeBytes } from './geometry.ts';
import {
  type Accumulation,
  type BlockBatch,
  type BlockCheck,
  checkAccumulation,
  checkBatch,
  checkBlockCheck,
  checkHashing,
  checkTransformation,
  type Hashing,
  type Transformation,
} from './kernel-arguments.ts';
import { kernelBinaryBase64 } from './kernel-binary.ts';
import { PlainKernel } from './plain-kernel.ts';
import { xxh3Secret } from './xxh3.ts';

/**
 * The heavy operations on blocks: those of Reed–Solomon (sums of a stripe's data while it is written; all else, with any coefficients),
 * and their hash. {@link WasmKernel} does them fast; {@link PlainKernel} does them everywhere. All offsets are best multiples of 16.
 */
export interface Kernel {
  /** What everything lies in. It never moves and never grows; zeros at first. */
  readonly memory: Uint8Array;
  /** Adds (XORs) to each target the sum over the sources of coefficient × body. */
  accumulate(accumulation: Accumulation): void;
  /** Adds (XORs) data blocks of a stripe to its sums in the novel basis: what `accumulate` would do with coefficients basis(row, locator). */
  transform(transformation: Transformation): void;
  /** Writes the hash of blocks, XXH3 with 128 bits in its canonical form, of any bytes. */
  hash(hashing: Hashing): void;
  /** Writes frames and hashes around bodies (of data blocks: payloads) that stand in their places. */
  sealBlocks(batch: BlockBatch): void;
  /** Tells which blocks have exactly their frame, and the right hash (data blocks: both). */
  checkBlocks(check: BlockCheck): void;
}

const pageSizeBytes = 65_536;

/** The exports of `kernel/kernel.ts`: the arguments of {@link Kernel} in their order, and where the hash's secret stands. */
interface KernelExports {
  accumulate(
    source: number,
    sourceStrideBytes: number,
    sourceCount: number,
    tables: number,
    tableStrideBytes: number,
    target: number,
    rowCount: number,
    lengthBytes: number,
  ): void;
  transform(
    source: number,
    sourceStrideBytes: number,
    firstIndex: number,
    sourceCount: number,
    tables: number,
    zeros: number,
    target: number,
    rowCount: number,
    lengthBytes: number,
  ): void;
  hash(source: number, lengthBytes: number, target: number, secret: number): void;
  sealBlocks(blocks: number, count: number, frame: number, isData: boolean, secret: number): void;
  checkBlocks(blocks: number, count: number, frame: number, isData: boolean, results: number, secret: number): void;
}

/** What is used of the global of that name, whose types come with browsers' alone. */
declare const WebAssembly: {
  validate(binary: Uint8Array): boolean;
  readonly Module: new (binary: Uint8Array) => object;
  readonly Memory: new (size: { initial: number; maximum: number }) => { readonly buffer: ArrayBuffer };
  readonly Instance: new (module: object, imports: object) => { readonly exports: KernelExports };
};

let supported: boolean | undefined;
let compiled: object | undefined;

/** Whether this machine runs the WebAssembly kernel: it wants relaxed SIMD. */
export function wasmKernelSupported(): boolean {
  supported ??= WebAssembly.validate(Buffer.from(kernelBinaryBase64, 'base64'));
  return supported;
}

/** The kernel in WebAssembly, with a memory of its own. */
export class WasmKernel implements Kernel {
  readonly memory: Uint8Array;
  readonly #exports: KernelExports;
  readonly #secret: number;

  constructor(memorySizeBytes: number) {
    // One compilation serves all kernels of a thread.
    compiled ??= new WebAssembly.Module(Buffer.from(kernelBinaryBase64, 'base64'));
    const pages = Math.ceil((memorySizeBytes + xxh3Secret.length) / pageSizeBytes);
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    // The end of it is not shown: what is written by mistake cannot change the secret.
    this.#secret = memory.buffer.byteLength - xxh3Secret.length;
    new Uint8Array(memory.buffer).set(xxh3Secret, this.#secret);
    this.memory = new Uint8Array(memory.buffer, 0, this.#secret);
    this.#exports = new WebAssembly.Instance(compiled, { env: { memory } }).exports;
  }

  accumulate(accumulation: Accumulation): void {
    checkAccumulation(accumulation, this.memory.length);
    const { source, sourceStrideBytes, sourceCount, tables, tableStrideBytes, target, rowCount } = accumulation;
    this.#exports.accumulate(
      source,
      sourceStrideBytes,
      sourceCount,
      tables,
      tableStrideBytes,
      target,
      rowCount,
      bodySizeBytes,
    );
  }

  transform(transformation: Transformation): void {
    checkTransformation(transformation, this.memory.length);
    const { source, sourceStrideBytes, firstIndex, sourceCount, tables, zeros, target, rowCount } = transformation;
    this.#exports.transform(
      source,
      sourceStrideBytes,
      firstIndex,
      sourceCount,
      tables,
      zeros,
      target,
      rowCount,
      bodySizeBytes,
    );
  }

  hash(hashing: Hashing): void {
    checkHashing(hashing, this.memory.length);
    this.#exports.hash(hashing.source, hashing.lengthBytes, hashing.target, this.#secret);
  }

  sealBlocks(batch: BlockBatch): void {
    checkBatch(batch, this.memory.length);
    this.#exports.sealBlocks(batch.blocks, batch.count, batch.frame, batch.isData, this.#secret);
  }

  checkBlocks(check: BlockCheck): void {
    checkBlockCheck(check, this.memory.length);
    const { blocks, count, frame, isData, results } = check;
    this.#exports.checkBlocks(blocks, count, frame, isData, results, this.#secret);
  }
}

/** The fastest kernel that this machine runs, with at least this much memory. */
export function createKernel(memorySizeBytes: number): Kernel {
  return wasmKernelSupported() ? new WasmKernel(memorySizeBytes) : new PlainKernel(memorySizeBytes);
}
