import { SavkitError } from '../../../formats/errors.ts';
import { PAGE_SIZE } from '../../../formats/sizes.ts';
import type { PageLock } from '../access/page-locks.ts';
import type { AccessOrigin } from '../access/phys-memory.ts';
import { GuestMemory } from '../guest-memory.ts';
import { resetRam } from '../life/memory-life.ts';
import { PageState } from '../pages/page-states.ts';
import * as devices from './naive-devices.ts';
import { DEVICE_PAGES, NaiveMachine, RAM_A, RAM_B, Refused, ROMS } from './naive-machine.ts';

/** Result of an operation on one machine: a value, or the code of a refusal. */
export type Outcome = unknown;

/** The real memory and the naive one, to which the same things are done: accesses, monitoring, locks, the balloon. */
export class MemoryPair {
  readonly real = new GuestMemory();
  readonly naive = new NaiveMachine();
  readonly realLog: string[] = [];
  readonly #locks: { frame: number; kind: 'writing' | 'reading'; lock: PageLock }[] = [];

  constructor() {
    const { real, naive } = this;
    for (const { first, end } of [RAM_A, RAM_B])
      real.registerRam(first * PAGE_SIZE, (end - first) * PAGE_SIZE, `RAM from ${first}`);
    for (const [i, { first, pages, isShadowed }] of ROMS.entries()) {
      const image = new Uint8Array(pages * PAGE_SIZE);
      for (const [page, bytes] of naive.virgin[i].entries()) image.set(bytes, page * PAGE_SIZE);
      real.roms.register({
        start: first * PAGE_SIZE,
        size: pages * PAGE_SIZE,
        description: `ROM ${i}`,
        isShadowed,
        image,
      });
    }
    real.mmio2.register({
      device: 'dev',
      instance: 0,
      region: 0,
      size: DEVICE_PAGES * PAGE_SIZE,
      description: 'device',
    });
  }

  read(at: number, size: number, origin: AccessOrigin): Outcome[] {
    return this.both(
      () => {
        const bytes = new Uint8Array(size);
        this.real.read(at, bytes, origin);
        return [...bytes];
      },
      () => this.naive.read(at, size, origin),
    );
  }

  write(at: number, size: number, value: number, origin: AccessOrigin): Outcome[] {
    const bytes = Uint8Array.from({ length: size }, (_, i) => value + i);
    return this.both(
      () => this.real.write(at, bytes, origin),
      () => this.naive.write(at, bytes, origin),
    );
  }

  balloon(inflates: boolean, addresses: number[]): Outcome[] {
    return this.both(
      () => (inflates ? this.real.balloon.inflate(addresses) : this.real.balloon.deflate(addresses)),
      () => devices.balloon(this.naive, inflates, addresses),
    );
  }

  engage(): Outcome[] {
    return this.both(
      () => this.real.monitor.engage('model'),
      () => {
        if (this.naive.isMonitoring) throw new Refused('VERR_PGM_WRITE_MONITOR_ENGAGED');
        this.naive.isMonitoring = true;
      },
    );
  }

  /** @param capacity frames that are taken at a time */
  take(capacity: number): Outcome[] {
    if (!this.naive.isMonitoring) return [];
    return this.both(
      () => {
        const frames = new Uint32Array(capacity);
        const taken: number[] = [];
        for (let count = capacity; count === capacity; taken.push(...frames.subarray(0, count)))
          count = this.real.monitor.take(frames);
        return taken;
      },
      () => this.naive.take(),
    );
  }

  release(): Outcome[] {
    return this.both(
      () => this.real.monitor.release('model'),
      () => {
        if (this.naive.isMonitoring) for (const set of [this.naive.monitored, this.naive.written]) set.clear();
        this.naive.isMonitoring = false;
      },
    );
  }

  lock(frame: number, kind: 'writing' | 'reading'): Outcome[] {
    const { naive, real } = this;
    if (!naive.isRam(frame)) return [];
    return this.both(
      () => {
        const address = frame * PAGE_SIZE;
        const lock = kind === 'writing' ? real.locks.lockForWriting(address) : real.locks.lockForReading(address);
        this.#locks.push({ frame, kind, lock });
      },
      () => {
        if (kind === 'writing' && naive.ballooned.has(frame)) throw new Refused('VERR_PGM_PHYS_PAGE_BALLOONED');
        if (kind === 'writing') naive.makeWritable(frame);
        const locks = kind === 'writing' ? naive.writeLocks : naive.readLocks;
        locks.set(frame, (locks.get(frame) ?? 0) + 1);
      },
    );
  }

  /** Writes a byte as the holder of a lock does: nobody notices. */
  writeLocked(which: number, at: number, value: number): Outcome[] {
    const held = this.#locks.filter(({ kind }) => kind === 'writing');
    if (held.length === 0) return [];
    const { frame, lock } = held[which % held.length];
    lock.bytes[at] = value;
    (this.naive.ram.get(frame) as Uint8Array)[at] = value;
    return [];
  }

  unlock(which: number): Outcome[] {
    if (this.#locks.length === 0) return [];
    const [{ frame, kind, lock }] = this.#locks.splice(which % this.#locks.length, 1);
    return this.both(
      () => lock.release(),
      () => {
        const locks = kind === 'writing' ? this.naive.writeLocks : this.naive.readLocks;
        locks.set(frame, (locks.get(frame) ?? 0) - 1);
        if (kind === 'writing' && locks.get(frame) === 0 && this.naive.monitored.delete(frame))
          this.naive.written.add(frame);
      },
    );
  }

  /** Makes a page the one that others may refer to. */
  share(frame: number): Outcome[] {
    const { real, naive } = this;
    const range = real.ranges.find(frame * PAGE_SIZE);
    const page = range?.pageOf(frame * PAGE_SIZE) ?? 0;
    if (!range || !naive.isRam(frame) || naive.isLocked(frame) || range.state[page] !== PageState.ALLOCATED) return [];
    return this.both(
      () => {
        real.pages.backing.account.sharePage(range.pageId[page]);
        real.pages.apply('share', range, page);
      },
      () => void naive.shared.add(frame),
    );
  }

  setA20(cpu: number, on: boolean): Outcome[] {
    this.real.a20.set(cpu, on);
    if (on) this.naive.a20Off.delete(cpu);
    else this.naive.a20Off.add(cpu);
    return [];
  }

  setNoMoreWrites(set: boolean): Outcome[] {
    this.real.setNoMorePhysWrites(set);
    this.naive.noMoreWrites = set;
    return [];
  }

  reset(): Outcome[] {
    return this.both(
      () => {
        this.real.a20.reset();
        resetRam(this.real, { ramPreAlloc: false });
        this.real.roms.reset(false);
      },
      () => devices.reset(this.naive),
    );
  }

  protected both(onReal: () => unknown, onNaive: () => unknown): Outcome[] {
    return [outcomeOf(onReal), outcomeOf(onNaive)];
  }
}

function outcomeOf(action: () => unknown): Outcome {
  try {
    return action();
  } catch (error) {
    if (error instanceof Refused) return error.message;
    if (error instanceof SavkitError) return error.vboxCode ?? error.code;
    throw error;
  }
}
