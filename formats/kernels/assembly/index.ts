// Exports of the kernels for TypeScript.

export { ARENA, ARENA_SLOT, ARENA_SLOTS, BLOCK, INPUT, OUTPUT } from './memory';
export { BATCH, BATCH_AT, BATCH_LENGTH, BATCH_RESULT } from './memory';
export { applyWordDelta, wordDelta } from './delta';
export { lzfDecode, lzfWalk, lzfWalkBatch } from './lzf';
export { lzfEncode } from './lzf-encode';
export { xxh64, xxh64Batch, xxh64Begin, xxh64End, xxh64Stripes } from './xxh64';
export { isZero } from './zero';
