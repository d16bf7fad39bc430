// The heavy loops of the blocks, compiled by scripts/build.ts to one WebAssembly module; the same in plain TypeScript is
// src/archive/heal/plain-kernel.ts. It keeps no data of its own: all of the memory is the caller's, the secret of the hash included.

export { accumulate, transform } from './reed-solomon';
export { checkBlocks, hash, sealBlocks } from './blocks';
