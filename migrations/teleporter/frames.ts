import { Cursor } from '../../formats/binary/cursor.ts';
import { u32 } from '../../formats/binary/kinds.ts';
import { defineStruct } from '../../formats/binary/struct.ts';
import { Writer } from '../../formats/binary/writer.ts';
import { EnvironmentError, hex } from '../../formats/errors.ts';
import type { ByteSink } from '../../formats/files/sink.ts';
import type { ByteSource } from '../../formats/files/source.ts';
import { KIB } from '../../formats/sizes.ts';
import { MigrationError } from '../wire/migration-error.ts';
import type { Peer } from './peer.ts';

// The frames in which a saved-state stream travels between the command `load` and its second answer. Their borders have
// no meaning in the stream.

/** Source: Teleporter.cpp, TELEPORTERTCPHDR_MAGIC. */
export const FRAME_MAGIC = 0x19471205;
const frameHeader = defineStruct('Frame header', 'Teleporter.cpp, TELEPORTERTCPHDR', {
  magic: { kind: u32, doc: '0x19471205' },
  length: { kind: u32, doc: 'bytes that follow; 0: the end of the stream; 0xFFFFFFFF: the source has cancelled' },
});
export const FRAME_HEADER_SIZE = frameHeader.size();
/** Longest content of a frame. */
export const FRAME_LIMIT = 0x00fffff8;
/** Values of the length field that are no lengths. */
const END_OF_STREAM = 0;
const CANCELLED = 0xffffffff;
/**
 * Bytes of content in each frame that savkit sends, as many as VirtualBox's blocks have. A target answers only
 * between frames, so they should be short.
 */
export const FRAME_SIZE = 64 * KIB;

function encodeFrameHeader(length: number): Uint8Array {
  const writer = new Writer(undefined, FRAME_HEADER_SIZE);
  frameHeader.write(writer, { magic: FRAME_MAGIC, length });
  return writer.view();
}

/** Length field of a frame. @throws MigrationError `bad-frame` for a header that no source sends */
export function decodeFrameHeader(bytes: Uint8Array): number {
  const { magic, length } = frameHeader.read(new Cursor(bytes, 0, FRAME_HEADER_SIZE));
  if (magic === FRAME_MAGIC && (length <= FRAME_LIMIT || length === CANCELLED)) return length;
  const what =
    magic === FRAME_MAGIC
      ? `a length of ${hex(length)}, expected at most ${hex(FRAME_LIMIT)}`
      : `magic ${hex(magic)}, expected ${hex(FRAME_MAGIC)}`;
  throw new MigrationError('bad-frame', `Cannot read frame of the stream: ${what}`, {}, 'VERR_IO_GEN_FAILURE');
}

/** The stream inside the frames that a source sends. It ends with the end marker, which is then read, too. */
export class FrameSource implements ByteSource {
  readonly name: string;
  readonly size = undefined;
  readonly seekable = false;
  /** Bytes of the stream so far. */
  offset = 0;
  /** The end marker has been read. */
  ended = false;
  readonly #peer: Peer;
  readonly #copy: ByteSink | undefined;
  /** The header read last. Of a frame that is not understood, nothing else has been read. */
  readonly header = new Uint8Array(FRAME_HEADER_SIZE);
  /** Bytes left of the current frame. */
  #left = 0;

  /** @param copy gets the stream, too, piece by piece before the reader does */
  constructor(peer: Peer, copy?: ByteSink) {
    this.#peer = peer;
    this.#copy = copy;
    this.name = peer.name;
  }

  /**
   * @throws MigrationError `bad-frame`; EnvironmentError `cancelled-by-source`, or `connection-lost` when the source
   * closes the connection before the end marker
   */
  async read(target: Uint8Array): Promise<number> {
    let done = 0;
    let copied = 0;
    while (done < target.length && (await this.#inFrame())) {
      const count = await this.#peer.read(target.subarray(done, Math.min(target.length, done + this.#left)));
      if (count === 0) throw this.#cutOff();
      this.#left -= count;
      this.offset += count;
      done += count;
      // Reads large pieces while input is there, but does not wait to fill one.
      if (this.#peer.hasInput && done < target.length) continue;
      await this.#copy?.write(target.subarray(copied, done));
      copied = done;
    }
    if (copied < done) await this.#copy?.write(target.subarray(copied, done));
    return done;
  }

  async close(): Promise<void> {}

  /** Reads on until the end marker. */
  async drain(): Promise<void> {
    const scratch = new Uint8Array(FRAME_SIZE);
    while (await this.read(scratch));
  }

  /** Whether there is content to read; reads the next header when the last frame is used up. */
  async #inFrame(): Promise<boolean> {
    if (this.#left > 0) return true;
    if (this.ended) return false;
    for (let done = 0; done < FRAME_HEADER_SIZE; ) {
      const count = await this.#peer.read(this.header.subarray(done));
      if (count === 0) throw this.#cutOff();
      done += count;
    }
    const length = decodeFrameHeader(this.header);
    if (length === CANCELLED)
      throw new EnvironmentError(
        'cancelled-by-source',
        'Cannot go on: the source cancelled the stream',
        {},
        'VERR_SSM_CANCELLED',
      );
    this.#left = length;
    this.ended = length === END_OF_STREAM;
    return !this.ended;
  }

  #cutOff(): EnvironmentError {
    const message =
      `Cannot read stream from ${this.name}: the connection was closed after ${this.offset} bytes, before the ` +
      'end of the stream';
    return new EnvironmentError('connection-lost', message, { offset: this.offset }, 'VERR_SSM_STREAM_ERROR');
  }
}

/** Sends a stream in frames. `finish` or `cancel` ends it. */
export class FrameSink implements ByteSink {
  /** Bytes of the stream so far. */
  offset = 0;
  readonly #peer: Peer;
  readonly #beforeFrame: () => void;

  /** @param beforeFrame called before each frame; if it throws, sending ends between two frames */
  constructor(peer: Peer, beforeFrame: () => void = () => {}) {
    this.#peer = peer;
    this.#beforeFrame = beforeFrame;
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; at += FRAME_SIZE) {
      this.#beforeFrame();
      const part = bytes.subarray(at, at + FRAME_SIZE);
      await this.#peer.write(encodeFrameHeader(part.length), part);
      this.offset += part.length;
    }
  }

  finish(): Promise<void> {
    return this.#peer.write(encodeFrameHeader(END_OF_STREAM));
  }

  cancel(): Promise<void> {
    return this.#peer.write(encodeFrameHeader(CANCELLED));
  }
}
