import { PassThrough } from 'node:stream';
import { Writer } from '../../../formats/binary/writer.ts';
import { applyWordDelta } from '../../../formats/kernels/delta.ts';
import { applyWordDeltaPlain } from '../../../formats/kernels/delta-plain.ts';
import { createLzfEncoder, lzfDecode } from '../../../formats/kernels/lzf.ts';
import { lzfDecode as lzfDecodePlain } from '../../../formats/kernels/lzf-plain.ts';
import { xxh64 } from '../../../formats/kernels/xxh64.ts';
import { xxh64Plain } from '../../../formats/kernels/xxh64-plain.ts';
import { isZero } from '../../../formats/kernels/zero.ts';
import { PAGE_SIZE } from '../../../formats/sizes.ts';
import type { Shape } from '../../../formats/values/shape.ts';
import { describeShape } from '../../../migrations/machine/description.ts';
import { PageHashes } from '../../../migrations/machine/page-hashes.ts';
import { PageDecoder } from '../../../migrations/pages/page-decoder.ts';
import { loadZstd } from '../../../migrations/pages/zstd.ts';
import { readAnswer, readEvent, versionOf } from '../../../migrations/qmp/qmp-messages.ts';
import { Peer } from '../../../migrations/teleporter/peer.ts';
import { serveSource } from '../../../migrations/teleporter/receiver.ts';
import { PlainMachine } from '../../../migrations/testing/plain-machine.ts';
import { FRAME_HEADER_SIZE, FRAMES, type FrameName } from '../../../migrations/wire/frames.ts';
import {
  acceptShape,
  decisionShape,
  joinShape,
  reasonShape,
  sourceHelloShape,
  targetHelloShape,
} from '../../../migrations/wire/messages.ts';
import { encodeFrame, readFrameHeader, readHead, readMessage } from '../../../migrations/wire/payload.ts';
import { parseReply, parseRequest } from '../../control/protocol.ts';
import { expectSame, reading, readingNow } from './reading.ts';

// Functions that a fuzzer calls with bytes of peers: of migrations, of VirtualBox's teleporter, of QMP and control
// sockets.

const zstd = await loadZstd();
const encoder = createLzfEncoder();
const NAMES = Object.keys(FRAMES) as FrameName[];
const MESSAGES: readonly [FrameName, Shape<unknown>][] = [
  ['hello', targetHelloShape],
  ['hello', sourceHelloShape],
  ['join', joinShape],
  ['accept', acceptShape],
  ['refuse', reasonShape],
  ['decision', decisionShape],
  ['describe', describeShape],
];
const PAGES = 16;
/** Size that the input's blocks are said to have when they are expanded: any will do. */
const BLOCK = 2 * PAGE_SIZE;

const machine = new PlainMachine(PAGES);
const hashes = new PageHashes(PAGES);
const decoder = new PageDecoder(machine, hashes, zstd, () => true);

/** Puts a frame of pages into memory, and then once more, when memory has the pages already. */
export function pages(bytes: Buffer): void {
  machine.memory.fill(0);
  hashes.words.fill(0);
  const taken = readingNow(() => decoder.apply(bytes, 0));
  if (taken === undefined) return;
  readingNow(() => decoder.apply(bytes, 0));
}

/**
 * Reads a message of a migration: the first byte says which. A message that can be read can be written, and is the same
 * when it is read again.
 */
export function messages(bytes: Buffer): void {
  if (bytes.length < 1) return;
  const [name, shape] = MESSAGES[bytes[0] % MESSAGES.length];
  const value = readingNow(() => readMessage({ name, payload: bytes.subarray(1) }, shape));
  if (value === undefined) return;
  const payload = encodeFrame(name, {} as never, value as object).subarray(FRAME_HEADER_SIZE);
  expectSame(`a message ${name}`, value, readMessage({ name, payload }, shape));
}

/** Reads the head of a frame, and writes it back as it was: the first byte says which frame. */
export function frames(bytes: Buffer): void {
  if (bytes.length < 1) return;
  const name = NAMES[bytes[0] % NAMES.length];
  const read = readingNow(() => readHead({ name, payload: bytes.subarray(1) }, name));
  // Counts beyond 2^53 are read as the nearest number; no count of pages that were sent equals one.
  const isExact = (value: unknown) => typeof value !== 'number' || Number.isSafeInteger(value);
  if (read && Object.values(read.head).every(isExact)) {
    const writer = new Writer();
    FRAMES[name].head.write(writer, read.head as never);
    expectSame(`the head of ${name}`, Buffer.from(writer.view()), bytes.subarray(1, 1 + writer.length));
  }
  if (bytes.length >= FRAME_HEADER_SIZE) readingNow(() => readFrameHeader(bytes));
}

/** Takes bytes as a source of VirtualBox sends them after its password. */
export async function teleporter(bytes: Buffer): Promise<void> {
  const stream = new PassThrough();
  const said = new PassThrough();
  said.resume();
  stream.end(bytes);
  const peer = new Peer(Object.assign(stream, { write: said.write.bind(said) }), 'source');
  const target = Buffer.alloc(PAGE_SIZE);
  await reading(() =>
    serveSource(peer, {
      copy: { write: async () => {} },
      load: async (state) => {
        while ((await state.read(target)) > 0);
        return undefined;
      },
      takeOver: async () => {},
    }),
  );
}

/** Reads lines of a control socket and of QMP. */
export function lines(bytes: Buffer): void {
  const line = bytes.toString();
  readingNow(() => parseRequest(line));
  readingNow(() => parseReply(line));
  const message = parsed(line);
  readingNow(() => versionOf(message));
  readingNow(() => readEvent(message));
  readingNow(() => readAnswer(message, 5));
}

/**
 * Gives LZF blocks, deltas, hashes and zeros of pages to the quick kernels and to their plain twins, which have to
 * agree.
 */
export function kernels(bytes: Buffer): void {
  expectSame('a hash', xxh64(bytes), xxh64Plain(bytes, 0, bytes.length));
  expectSame(
    'zeros',
    isZero(bytes),
    bytes.every((byte) => byte === 0),
  );
  const size = Math.min(BLOCK, 1 + bytes.length * 4);
  const [one, other] = [new Uint8Array(size), new Uint8Array(size)];
  const isGood = lzfDecode(bytes, 0, bytes.length, one, 0, size);
  expectSame('LZF', isGood, lzfDecodePlain(bytes, 0, bytes.length, other, 0, size));
  if (isGood) expectSame('what LZF gives', Buffer.from(one), Buffer.from(other));
  const [page, plain] = [new Uint8Array(PAGE_SIZE), new Uint8Array(PAGE_SIZE)];
  const applied = applyWordDelta(bytes, 0, bytes.length, page, 0);
  expectSame('a delta', applied, applyWordDeltaPlain(bytes, 0, bytes.length, plain, 0));
  expectSame('what a delta gives', Buffer.from(page), Buffer.from(plain));
  const packed = new Uint8Array(bytes.length + 64);
  const length = encoder.encode(bytes, 0, bytes.length, packed, 0, packed.length);
  if (length === 0) return;
  const back = new Uint8Array(bytes.length);
  if (!lzfDecode(packed, 0, length, back, 0, back.length)) throw new Error('LZF does not read what it wrote');
  expectSame('LZF there and back', Buffer.from(back), bytes);
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    // A line that is no JSON is taken as text.
    return line;
  }
}
