// The one fixed memory of the kernels, never grown: growing it would detach every view. TypeScript reads these places
// from the exports.

/** Copies of 8 bytes may touch so much after what they are to read or write. */
export const SLACK: usize = 64;
/** The largest block that goes through INPUT and OUTPUT. */
export const BLOCK: usize = 65536;

/**
 * Bytes that do not stand in this memory yet. The encoder may look for a block that is long gone as many as 64 KiB
 * before one.
 */
export const INPUT: usize = 0x10000;
/** Results on their way out: twice the block, for what incompressible bytes become. */
export const OUTPUT: usize = INPUT + BLOCK + SLACK;
/** Hash table of the LZF encoder. */
export const TABLE: usize = OUTPUT + BLOCK + BLOCK + SLACK;
const TABLE_SIZE: usize = 16384;

/** Entries of a batch. */
export const BATCH: usize = 2048;
/** u32 each: where the entries stand. */
export const BATCH_AT: usize = TABLE + TABLE_SIZE;
/** u32 each: how long they are. */
export const BATCH_LENGTH: usize = BATCH_AT + BATCH * 4;
/** u64 each: what came out. */
export const BATCH_RESULT: usize = BATCH_LENGTH + BATCH * 4;

/** Places for buffers of the house that kernels work on where they stand. */
export const ARENA: usize = 0x50000;
export const ARENA_SLOT: usize = 0x180000;
export const ARENA_SLOTS: usize = 8;
