import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { EnvironmentError } from '../../formats/errors.ts';
import { MemorySink } from '../../formats/testing/memory-sink.ts';
import { CANCEL_MARKER, END_MARKER, frame, framesOf, unframe } from '../testing/frames.ts';
import { scriptedPeer } from '../testing/scripted-peer.ts';
import { MigrationError } from '../wire/migration-error.ts';
import { decodeFrameHeader, FRAME_LIMIT, FRAME_SIZE, FrameSink, FrameSource } from './frames.ts';

const stream = randomBytes(5216);

async function readAll(source: FrameSource, pieceSize = 1000): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for (;;) {
    const piece = Buffer.alloc(pieceSize);
    const count = await source.read(piece);
    pieces.push(piece.subarray(0, count));
    if (count < pieceSize) return Buffer.concat(pieces);
  }
}

describe('FrameSource', () => {
  it('gives the stream whatever the size of frames, and copies it', async () => {
    for (const size of [1, 7, 1000, 4096, stream.length]) {
      const copy = new MemorySink();
      const { peer } = scriptedPeer([{ say: Buffer.concat([...framesOf(stream, size), END_MARKER]) }]);
      const source = new FrameSource(peer, copy);
      expect((await readAll(source)).equals(stream)).toBe(true);
      expect(source.ended).toBe(true);
      expect(source.offset).toBe(stream.length);
      expect(Buffer.from(copy.view()).equals(stream)).toBe(true);
    }
  });

  it('leaves what follows the end marker to the next reader', async () => {
    const { peer } = scriptedPeer([{ say: Buffer.concat([frame(stream), END_MARKER, Buffer.from('lock-media\n')]) }]);
    await readAll(new FrameSource(peer));
    expect((await peer.line(100))?.text).toBe('lock-media');
  });

  it('says that the connection was cut, wherever it was', async () => {
    const whole = Buffer.concat([...framesOf(stream.subarray(0, 40), 9), END_MARKER]);
    for (let cut = 0; cut < whole.length; cut++) {
      const { peer } = scriptedPeer([{ say: whole.subarray(0, cut) }, { close: true }]);
      await expect(readAll(new FrameSource(peer))).rejects.toMatchObject({
        code: 'connection-lost',
        vboxCode: 'VERR_SSM_STREAM_ERROR',
      });
    }
  });

  it('tells cancelling from the end', async () => {
    const { peer } = scriptedPeer([{ say: Buffer.concat([frame(stream), CANCEL_MARKER]) }]);
    const reading = readAll(new FrameSource(peer));
    await expect(reading).rejects.toThrow(EnvironmentError);
    await expect(reading).rejects.toMatchObject({ code: 'cancelled-by-source', vboxCode: 'VERR_SSM_CANCELLED' });
  });

  it('refuses headers that no source sends before it takes any content', async () => {
    for (const header of [
      '0612471900000010',
      '05124719f9ffff00',
      '05124719feffffff',
      '0000000000000000',
      '1947120500000001',
    ]) {
      const { peer } = scriptedPeer([{ say: Buffer.from(header, 'hex') }]);
      await expect(readAll(new FrameSource(peer))).rejects.toMatchObject({
        code: 'bad-frame',
        vboxCode: 'VERR_IO_GEN_FAILURE',
      });
    }
  });

  it('fails with the copy', async () => {
    const { peer } = scriptedPeer([{ say: Buffer.concat([frame(stream), END_MARKER]) }]);
    const full = { write: () => Promise.reject(new EnvironmentError('ENOSPC', 'Cannot write: no space')) };
    await expect(readAll(new FrameSource(peer, full))).rejects.toMatchObject({ code: 'ENOSPC' });
  });
});

describe('decodeFrameHeader()', () => {
  it('takes lengths up to 0x00fffff8, and the cancel marker', () => {
    const header = (length: number) => {
      const bytes = Buffer.from('0512471900000000', 'hex');
      bytes.writeUInt32LE(length, 4);
      return bytes;
    };
    for (const length of [0, 1, FRAME_LIMIT, 0xffffffff]) expect(decodeFrameHeader(header(length))).toBe(length);
    for (const length of [FRAME_LIMIT + 1, 0x01000000, 0xfffffffe])
      expect(() => decodeFrameHeader(header(length))).toThrow(MigrationError);
  });
});

describe('FrameSink', () => {
  it('sends whole frames of at most 64 KiB, and the end marker', async () => {
    const { peer, heard } = scriptedPeer([]);
    const sink = new FrameSink(peer);
    const large = randomBytes(2 * FRAME_SIZE + 17);
    await sink.write(large);
    await sink.write(stream);
    await sink.finish();
    expect(sink.offset).toBe(large.length + stream.length);
    await peer.close();
    const bytes = await heard;
    expect(unframe(bytes).equals(Buffer.concat([large, stream]))).toBe(true);
    expect(bytes.subarray(-8).equals(END_MARKER)).toBe(true);
    expect(bytes.readUInt32LE(4)).toBe(65536);
  });

  it('stops between two frames when it is told to', async () => {
    const { peer, heard } = scriptedPeer([]);
    let frames = 0;
    const sink = new FrameSink(peer, () => {
      if (++frames === 3) throw new Error('enough');
    });
    await expect(sink.write(randomBytes(5 * FRAME_SIZE))).rejects.toThrow('enough');
    await sink.cancel();
    await peer.close();
    const bytes = await heard;
    expect(bytes.length).toBe(2 * (FRAME_SIZE + 8) + 8);
    expect(bytes.subarray(-8).equals(CANCEL_MARKER)).toBe(true);
  });
});
