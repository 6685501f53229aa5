import { describe, expect, it } from 'vitest';
import { MIB, PAGE_SIZE } from '../../formats/sizes.ts';
import { GuestMemory } from './guest-memory.ts';

// The three ways in which other engines lost pages of migrating machines. Each copy below is made as a migration does:
// what `take` names is copied.

/** The other side: a copy that knows only what it is told. */
class Copy {
  readonly bytes = new Uint8Array(MIB);
  readonly #frames = new Uint32Array(7);

  /** Copies the pages of one round. @param fails number of pages that get through before the link breaks */
  round(memory: GuestMemory, fails = Number.POSITIVE_INFINITY): void {
    let sent = 0;
    for (let count = this.#frames.length; count === this.#frames.length; ) {
      count = memory.monitor.take(this.#frames);
      for (const frame of this.#frames.subarray(0, count)) {
        if (sent++ >= fails) throw new Error('link broken');
        const page = memory.ranges.get(frame * PAGE_SIZE);
        this.bytes.set(memory.pages.contentOf(page, page.pageOf(frame * PAGE_SIZE)), frame * PAGE_SIZE);
      }
    }
  }

  equals(memory: GuestMemory): boolean {
    const bytes = new Uint8Array(MIB);
    memory.read(0, bytes, 'device');
    return Buffer.compare(bytes, this.bytes) === 0;
  }
}

function runningMachine(): GuestMemory {
  const memory = new GuestMemory();
  memory.registerRam(0, MIB, 'Base RAM');
  for (let page = 0; page < 40; page++) memory.fill(page * 3 * PAGE_SIZE, PAGE_SIZE, page + 1);
  return memory;
}

describe('no page is lost', () => {
  it('that a device writes, by an access or through a mapping that it holds', () => {
    const memory = runningMachine();
    const copy = new Copy();
    const lock = memory.locks.lockForWriting(6 * PAGE_SIZE);
    memory.monitor.engage('migration');
    copy.round(memory);
    memory.write(3 * PAGE_SIZE + 5, Uint8Array.of(0xee), 'device');
    memory.write(200 * PAGE_SIZE, Uint8Array.of(0xee), 'device');
    lock.bytes[7] = 0xee;
    copy.round(memory);
    lock.bytes[8] = 0xee;
    copy.round(memory);
    lock.bytes[9] = 0xee;
    lock.release();
    copy.round(memory);
    expect(copy.equals(memory)).toBe(true);
  });

  it('by an attempt that failed: the next one starts from all that there is', () => {
    const memory = runningMachine();
    memory.monitor.engage('first migration');
    expect(() => new Copy().round(memory, 20)).toThrow('link broken');
    memory.write(0, Uint8Array.of(0xee));
    memory.monitor.release('first migration');
    const copy = new Copy();
    memory.monitor.engage('second migration');
    copy.round(memory);
    expect(copy.equals(memory)).toBe(true);
  });

  it('that was written before the second migration, or between two', () => {
    const memory = runningMachine();
    memory.monitor.engage('first migration');
    const first = new Copy();
    first.round(memory);
    memory.write(9 * PAGE_SIZE, Uint8Array.of(0xaa));
    memory.monitor.release('first migration');
    memory.write(12 * PAGE_SIZE, Uint8Array.of(0xbb));
    memory.monitor.engage('second migration');
    const second = new Copy();
    second.round(memory);
    expect([second.equals(memory), first.equals(memory)]).toEqual([true, false]);
  });

  it('that becomes zero, is taken by the balloon, or is written while the round goes on', () => {
    const memory = runningMachine();
    const copy = new Copy();
    memory.monitor.engage('migration');
    copy.round(memory);
    const [ram] = memory.ranges.all;
    memory.pages.apply('free', ram, 0);
    memory.pages.flush();
    memory.balloon.inflate([3 * PAGE_SIZE]);
    const frames = new Uint32Array(1);
    memory.write(6 * PAGE_SIZE, Uint8Array.of(1));
    memory.write(9 * PAGE_SIZE, Uint8Array.of(1));
    // The round has passed page 0 when page 6 is written again.
    memory.monitor.take(frames);
    copy.bytes.fill(0, 0, PAGE_SIZE);
    memory.write(6 * PAGE_SIZE + 1, Uint8Array.of(2));
    copy.round(memory);
    copy.round(memory);
    expect(copy.equals(memory)).toBe(true);
  });

  it('and only the user of the monitor ends its use', () => {
    const memory = runningMachine();
    memory.monitor.engage('migration');
    memory.monitor.release('someone else');
    expect(memory.monitor.user).toBe('migration');
  });
});
