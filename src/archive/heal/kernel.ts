import { bodySizeBytes } from './geometry.ts';
import { kernelBinaryBase64 } from './kernel-binary.ts';
import { type Accumulation, checkAccumulation, PlainKernel, type ReedSolomonKernel } from './reed-solomon.ts';

const pageSizeBytes = 65_536;

/** The export of `kernel/reed-solomon.ts`. */
type Accumulate = (
  source: number,
  sourceStrideBytes: number,
  sourceCount: number,
  tables: number,
  tableStrideBytes: number,
  target: number,
  rowCount: number,
  lengthBytes: number,
) => void;

/** What is used of the global of that name, whose types come with browsers' alone. */
declare const WebAssembly: {
  validate(binary: Uint8Array): boolean;
  readonly Module: new (binary: Uint8Array) => object;
  readonly Memory: new (size: { initial: number; maximum: number }) => { readonly buffer: ArrayBuffer };
  readonly Instance: new (module: object, imports: object) => { readonly exports: { readonly accumulate: Accumulate } };
};

let supported: boolean | undefined;
let compiled: object | undefined;

/** Whether this machine runs the WebAssembly kernel: it wants relaxed SIMD. */
export function wasmKernelSupported(): boolean {
  supported ??= WebAssembly.validate(Buffer.from(kernelBinaryBase64, 'base64'));
  return supported;
}

/** The kernel in WebAssembly, with a memory of its own. */
export class WasmKernel implements ReedSolomonKernel {
  readonly memory: Uint8Array;
  readonly #accumulate: Accumulate;

  constructor(memorySizeBytes: number) {
    // One compilation serves all kernels of a thread.
    compiled ??= new WebAssembly.Module(Buffer.from(kernelBinaryBase64, 'base64'));
    const pages = Math.ceil(memorySizeBytes / pageSizeBytes);
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    this.memory = new Uint8Array(memory.buffer);
    this.#accumulate = new WebAssembly.Instance(compiled, { env: { memory } }).exports.accumulate;
  }

  accumulate(accumulation: Accumulation): void {
    checkAccumulation(accumulation, this.memory.length);
    const { source, sourceStrideBytes, sourceCount, tables, tableStrideBytes, target, rowCount } = accumulation;
    this.#accumulate(source, sourceStrideBytes, sourceCount, tables, tableStrideBytes, target, rowCount, bodySizeBytes);
  }
}

/** The fastest kernel that this machine runs, with at least this much memory. */
export function createKernel(memorySizeBytes: number): ReedSolomonKernel {
  return wasmKernelSupported() ? new WasmKernel(memorySizeBytes) : new PlainKernel(memorySizeBytes);
}
