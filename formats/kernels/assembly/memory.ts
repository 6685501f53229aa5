// The one fixed memory of the kernels, never grown: growing it would detach every view. TypeScript reads these
// addresses from the exports.

/** Bytes after a buffer that copies of 8 bytes may touch. */
export const SLACK: usize = 64;
/** The largest block that goes through INPUT and OUTPUT. */
export const BLOCK: usize = 65536;

/**
 * Input that has to be copied into this memory. The encoder may read up to 64 KiB before a block, for an old position
 * in its table.
 */
export const INPUT: usize = 0x10000;
/** Results to be copied out: twice the block's size, which incompressible bytes can take. */
export const OUTPUT: usize = INPUT + BLOCK + SLACK;
/** Hash table of the LZF encoder. */
export const TABLE: usize = OUTPUT + BLOCK + BLOCK + SLACK;
const TABLE_SIZE: usize = 16384;

/** Entries of a batch. */
export const BATCH: usize = 2048;
/** u32 each: addresses of the entries. */
export const BATCH_AT: usize = TABLE + TABLE_SIZE;
/** u32 each: lengths of the entries. */
export const BATCH_LENGTH: usize = BATCH_AT + BATCH * 4;
/** u64 each: results. */
export const BATCH_RESULT: usize = BATCH_LENGTH + BATCH * 4;

/** Memory for savkit's buffers, which kernels use in place. */
export const ARENA: usize = 0x50000;
export const ARENA_SLOT: usize = 0x180000;
export const ARENA_SLOTS: usize = 8;
