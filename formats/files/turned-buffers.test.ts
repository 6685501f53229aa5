import { describe, expect, it } from 'vitest';
import { TurnedBuffers } from './turned-buffers.ts';

/** A sink that takes as long as its user says. */
class SlowSink {
  readonly taken: string[] = [];
  readonly #open: (() => void)[] = [];
  underWay = 0;
  most = 0;

  async write(bytes: Uint8Array): Promise<void> {
    this.most = Math.max(this.most, ++this.underWay);
    await new Promise<void>((go) => this.#open.push(go));
    this.taken.push(Buffer.from(bytes).toString());
    this.underWay--;
  }

  letGo(): void {
    this.#open.shift()?.();
  }
}

function fill(buffers: TurnedBuffers, text: string): void {
  buffers.bytes.set(Buffer.from(text));
}

describe('two buffers, one of which is on its way', () => {
  it('the next bytes do not change the bytes that are being written, and one write is under way at a time', async () => {
    const sink = new SlowSink();
    const buffers = new TurnedBuffers(4);
    fill(buffers, 'one ');
    await buffers.write((bytes) => sink.write(bytes));
    fill(buffers, 'two ');
    let hasBegun = false;
    const second = buffers.write((bytes) => sink.write(bytes)).then(() => (hasBegun = true));
    await new Promise(setImmediate);
    expect([hasBegun, sink.taken]).toEqual([false, []]);
    sink.letGo();
    await second;
    fill(buffers, 'none');
    sink.letGo();
    await buffers.settle();
    expect([sink.taken, sink.most]).toEqual([['one ', 'two '], 1]);
  });

  it('a failure shows at the next write, once', async () => {
    const buffers = new TurnedBuffers(4);
    const failing = async () => {
      throw new Error('disk full');
    };
    await buffers.write(failing);
    await expect(buffers.write(async () => {})).rejects.toThrow('disk full');
    await buffers.write(failing);
    await expect(buffers.settle()).rejects.toThrow('disk full');
    await buffers.settle();
  });

  it('memory that is given back is lent to nobody before the write from it has ended', async () => {
    const sink = new SlowSink();
    const buffers = new TurnedBuffers(4);
    fill(buffers, 'kept');
    await buffers.write((bytes) => sink.write(bytes));
    buffers.release();
    for (let i = 0; i < 8; i++) fill(new TurnedBuffers(4), 'bad!');
    sink.letGo();
    await new Promise(setImmediate);
    expect(sink.taken).toEqual(['kept']);
  });
});
