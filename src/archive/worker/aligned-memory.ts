const pageSizeBytes = 64 * 1024;

/** What is used of the global of that name, whose types come with browsers' alone. */
declare const WebAssembly: {
  readonly Memory: new (size: {
    initial: number;
    maximum: number;
    shared: true;
  }) => { readonly buffer: SharedArrayBuffer };
};

/**
 * Shared memory that begins at a page of the machine, as direct I/O wants it; plain shared memory begins 16 bytes behind one. Its buffer
 * is rounded up to 64 KiB. Where the process may not reserve the address space that WebAssembly asks for (8 GiB each), it is plain.
 */
export function alignedMemory(sizeBytes: number): Uint8Array {
  const pages = Math.max(1, Math.ceil(sizeBytes / pageSizeBytes));
  try {
    const { buffer } = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    return new Uint8Array(buffer, 0, sizeBytes);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return new Uint8Array(new SharedArrayBuffer(sizeBytes));
  }
}
