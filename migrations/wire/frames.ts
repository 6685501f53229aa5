import { marker, mask64, u8, u16, u32, u64 } from '../../formats/binary/kinds.ts';
import { defineStruct, type Struct } from '../../formats/binary/struct.ts';
import {
  MAX_DESCRIPTION,
  MAX_DISK_PIECE,
  MAX_HASHES,
  MAX_MESSAGE,
  MAX_PAGES_PAYLOAD,
  MAX_REST_PIECE,
} from './limits.ts';

// Every frame of the protocol, declared once: reader, writer and the tables of PROTOCOL.md come from here.

/** `svkM` */
export const FRAME_MAGIC = 0x4d6b_7673;

export const frameHeader = defineStruct('Frame header', 'wire/frames.ts', {
  magic: {
    kind: marker(FRAME_MAGIC, 'VERR_SSM_STREAM_ERROR'),
    doc: 'Begins each frame: a reader that has lost its place notices',
  },
  type: { kind: u8, doc: 'Number of the frame, see Frames' },
  zero: { kind: u8, doc: '0' },
  reserved: { kind: u16, doc: '0' },
  length: { kind: u32, doc: 'Bytes that follow; the limit depends on the type' },
});
export const FRAME_HEADER_SIZE = frameHeader.size();

export const pagesHead = defineStruct('pages', 'wire/frames.ts', {
  round: { kind: u32, doc: 'Round that the pages belong to, from 0' },
  count: { kind: u16, doc: 'Entries that follow, 1 to 256' },
  zero: { kind: u16, doc: '0' },
  plainSize: {
    kind: u32,
    doc: 'Bytes of the plain area, after the entries: raw pages and deltas, in the order of the entries',
  },
  packedSize: {
    kind: u32,
    doc: 'Bytes of the packed area, after the plain one: one zstd frame of all zstd pages, in the order of the entries',
  },
});
export const pageEntry = defineStruct('page entry', 'wire/frames.ts', {
  page: { kind: u32, doc: 'Number of the page over all regions of the description' },
  codec: { kind: u16, doc: 'How its content is given, see Page codecs' },
  length: { kind: u16, doc: 'raw: 4096; same: 4; delta: bytes of the delta; else 0' },
  hash: { kind: mask64, doc: 'xxh64 (seed 0) of the content; 0 for a page of zeros' },
});
export const PAGES_HEAD_SIZE = pagesHead.size();
export const PAGE_ENTRY_SIZE = pageEntry.size();

export const PageCodec = { ZERO: 0, RAW: 1, SAME: 2, DELTA: 3, ZSTD: 4 } as const;
export const PAGE_CODECS: readonly { name: string; doc: string }[] = [
  { name: 'zero', doc: 'All zeros; nothing follows' },
  { name: 'raw', doc: '4096 bytes in the plain area' },
  {
    name: 'same',
    doc:
      'The content of another page as the receiver has it now: 4 bytes in the plain area name that page. Both ' +
      'travel on one stream',
  },
  {
    name: 'delta',
    doc:
      'Difference from the content that the receiver has: a bitmap of its 512 words of 8 bytes (64 bytes), then ' +
      'the words that differ (formats/kernels/delta-plain.ts)',
  },
  { name: 'zstd', doc: '4096 bytes of the packed area, after expansion' },
];

const nothing = defineStruct('nothing', 'wire/frames.ts', {});
const consumed = defineStruct('credit', 'wire/frames.ts', {
  bytes: { kind: u32, doc: 'Bytes of page frames consumed since the last credit' },
  busy: {
    kind: u8,
    doc: 'Percent of that time in which the target was busy: where it is low, the link is the bottleneck',
  },
});
const barrier = defineStruct('barrier', 'wire/frames.ts', {
  round: { kind: u32, doc: 'The round that ends here' },
  pages: { kind: u64, doc: 'Pages of it on this stream' },
  next: { kind: u8, doc: 'What follows, see After a round' },
});
const arrived = defineStruct('arrived', 'wire/frames.ts', {
  round: { kind: u32, doc: 'The round: its pages of all streams are in memory' },
});
const leaves = defineStruct('leaves', 'wire/frames.ts', {
  first: { kind: u32, doc: 'Number of the first page' },
  count: { kind: u32, doc: 'Hashes that follow, 8 bytes each' },
});
const nodes = defineStruct('seal', 'wire/frames.ts', {
  root: { kind: mask64, doc: 'Root of the hash tree of all pages' },
  rest: { kind: mask64, doc: 'xxh64 of the rest' },
  paused: { kind: u8, doc: '1: somebody had paused the machine, so that it arrives paused; 0: it runs when told' },
  count: { kind: u32, doc: 'Nodes that follow, 8 bytes each: one for 512 pages' },
});
const disk = defineStruct('disk', 'wire/frames.ts', {
  disk: { kind: u16, doc: 'Number of the disk in the description, from 0' },
});
const join = defineStruct('join', 'wire/frames.ts', { stream: { kind: u8, doc: 'Number of the stream, from 1' } });

/** Phase after a round. */
export const AfterRound = { ANOTHER: 0, AUDIT: 1, PROOF: 2, SEAL: 3 } as const;
export const AFTER_ROUND: readonly { name: string; doc: string }[] = [
  { name: 'another', doc: 'Another round' },
  { name: 'audit', doc: 'Another round; the target hashes all of its memory before it says arrived' },
  {
    name: 'proof',
    doc: 'The machine stands still; the target hashes all of its memory before it says arrived. Rest and seal follow',
  },
  {
    name: 'seal',
    doc: 'The machine stands still; rest and seal follow. Both sides have hashed all memory in an audit',
  },
];

/** Content after the fixed part. */
export type Tail = 'none' | 'message' | 'hashes' | 'bytes' | 'pages';
export type Sender = 'source' | 'target' | 'both';

export interface FrameDeclaration<T = unknown> {
  name: string;
  type: number;
  from: Sender;
  head: Struct<T>;
  tail: Tail;
  /** Bytes of the payload at most. */
  limit: number;
  doc: string;
}

function frame<T>(
  type: number,
  name: string,
  from: Sender,
  head: Struct<T>,
  tail: Tail,
  limit: number,
  doc: string,
): FrameDeclaration<T> {
  return { name, type, from, head, tail, limit, doc };
}

const HASHES = 32 + MAX_HASHES * 8;

export const FRAMES = {
  hello: frame(
    1,
    'hello',
    'both',
    nothing,
    'message',
    MAX_MESSAGE,
    'Versions, capabilities; the target speaks first. The answer of the source holds the nonce of the target',
  ),
  join: frame(
    2,
    'join',
    'source',
    join,
    'message',
    MAX_MESSAGE,
    'In place of hello: one more stream of a migration under way',
  ),
  describe: frame(
    3,
    'describe',
    'source',
    nothing,
    'message',
    MAX_DESCRIPTION,
    'The machine, with all facts for making an empty one like it, before any page moves',
  ),
  accept: frame(
    4,
    'accept',
    'target',
    nothing,
    'message',
    MAX_MESSAGE,
    'The machine fits. Hashes of the pages that the target has already follow as leaves',
  ),
  leaves: frame(
    5,
    'leaves',
    'target',
    leaves,
    'hashes',
    HASHES,
    'Hashes of pages as the target has them; a frame without hashes is the last',
  ),
  pages: frame(6, 'pages', 'source', pagesHead, 'pages', MAX_PAGES_PAYLOAD, 'Contents of pages'),
  credit: frame(
    7,
    'credit',
    'target',
    consumed,
    'none',
    consumed.size(),
    'Pages were consumed; as many bytes may follow',
  ),
  barrier: frame(8, 'barrier', 'source', barrier, 'none', barrier.size(), 'A round ends on this stream'),
  arrived: frame(9, 'arrived', 'target', arrived, 'none', arrived.size(), 'A round has ended on all streams'),
  rest: frame(
    10,
    'rest',
    'source',
    nothing,
    'bytes',
    MAX_REST_PIECE,
    'A piece of the state of the machine without its pages; an empty piece is the last',
  ),
  seal: frame(11, 'seal', 'source', nodes, 'hashes', HASHES, 'Everything was sent: hashes that memory must have'),
  differ: frame(
    12,
    'differ',
    'target',
    leaves,
    'hashes',
    HASHES,
    'In answer to seal: hashes of the pages of a node that differs; a frame without hashes is the last',
  ),
  ready: frame(
    13,
    'ready',
    'target',
    nothing,
    'none',
    0,
    'In answer to seal: all nodes agree, and the target has written down that it runs the machine when told',
  ),
  commit: frame(
    14,
    'commit',
    'source',
    nothing,
    'none',
    0,
    'The source has written down that the machine is handed over: the target has to run it',
  ),
  running: frame(
    15,
    'running',
    'target',
    nothing,
    'none',
    0,
    'The machine runs; or it has arrived paused, or is in its file',
  ),
  inquire: frame(
    16,
    'inquire',
    'source',
    nothing,
    'none',
    0,
    'The link was lost in the midst of the hand-over: asks for the outcome',
  ),
  decision: frame(
    17,
    'decision',
    'target',
    nothing,
    'message',
    MAX_MESSAGE,
    "In answer to inquire: the target's written decision",
  ),
  cancel: frame(
    18,
    'cancel',
    'both',
    nothing,
    'message',
    MAX_MESSAGE,
    'The migration ends; the machine stays at the source',
  ),
  refuse: frame(
    19,
    'refuse',
    'both',
    nothing,
    'message',
    MAX_MESSAGE,
    'The other side sent something that is not accepted, and why; the last frame of a stream',
  ),
  beat: frame(20, 'beat', 'both', nothing, 'none', 0, 'Still here'),
  disk: frame(
    21,
    'disk',
    'source',
    disk,
    'message',
    MAX_MESSAGE,
    'In place of hello: frames after accept belong to a disk of a migration under way',
  ),
  bytes: frame(
    22,
    'bytes',
    'both',
    nothing,
    'bytes',
    MAX_DISK_PIECE,
    'Data of a disk, between both hypervisors while it is copied (NBD)',
  ),
} as const;
export type FrameName = keyof typeof FRAMES;
export type FrameHead<N extends FrameName> = (typeof FRAMES)[N]['head'] extends Struct<infer T> ? T : never;

const BY_TYPE = new Map<number, FrameName>(Object.entries(FRAMES).map(([name, { type }]) => [type, name as FrameName]));

export function frameOfType(type: number): FrameName | undefined {
  return BY_TYPE.get(type);
}
