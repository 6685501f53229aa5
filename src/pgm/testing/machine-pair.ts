import { SavkitError } from '../../../formats/errors.ts';
import { PAGE_SIZE } from '../../../formats/units.ts';
import { GuestMemory } from '../guest-memory.ts';
import type { HandlerCallback, HandlerKind } from '../handler-list.ts';
import { resetMemory } from '../memory-life.ts';
import type { PageLock } from '../page-locks.ts';
import { PageState } from '../page-states.ts';
import type { AccessOrigin } from '../phys-memory.ts';
import * as devices from './naive-devices.ts';
import { DEVICE_PAGES, NaiveMachine, RAM_A, RAM_B, Refused, ROMS } from './naive-machine.ts';

/** What one machine gives for an operation: a value, or the code of a refusal. */
export type Outcome = unknown;

/** The real memory and the naive one, to which the same things are done. */
export class MachinePair {
  readonly real = new GuestMemory();
  readonly naive = new NaiveMachine();
  readonly realLog: string[] = [];
  readonly #locks: { frame: number; kind: 'writing' | 'reading'; lock: PageLock }[] = [];
  #handlers = 0;

  constructor() {
    const { real, naive } = this;
    for (const { first, end } of [RAM_A, RAM_B]) real.registerRam(first * PAGE_SIZE, (end - first) * PAGE_SIZE, `RAM from ${first}`);
    for (const [i, { first, pages, isShadowed }] of ROMS.entries()) {
      const image = new Uint8Array(pages * PAGE_SIZE);
      for (const [page, bytes] of naive.virgin[i].entries()) image.set(bytes, page * PAGE_SIZE);
      real.roms.register({ start: first * PAGE_SIZE, size: pages * PAGE_SIZE, description: `ROM ${i}`, isShadowed, image });
    }
    real.mmio2.register({ device: 'dev', instance: 0, region: 0, size: DEVICE_PAGES * PAGE_SIZE, description: 'device' });
  }

  read(at: number, size: number, origin: AccessOrigin): Outcome[] {
    return this.#both(
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
    return this.#both(
      () => this.real.write(at, bytes, origin),
      () => this.naive.write(at, bytes, origin),
    );
  }

  registerHandler(kind: HandlerKind, start: number, end: number, answer: 'done' | 'default'): Outcome[] {
    const name = `handler ${this.#handlers++}`;
    return this.#both(
      () => void this.real.handlers.register({ kind, start, end, description: name, callback: this.#logging(name, answer) }),
      () => devices.registerHandler(this.naive, { kind, start, end, name, answer }),
    );
  }

  deregisterHandler(which: number): Outcome[] {
    const start = this.#start(which);
    return this.#both(
      () => this.real.handlers.deregister(start),
      () => devices.deregisterHandler(this.naive, start),
    );
  }

  modifyHandler(which: number, start: number, end: number): Outcome[] {
    const old = this.#start(which);
    return this.#both(
      () => void this.real.handlers.modify(old, start, end),
      () => devices.modifyHandler(this.naive, old, start, end),
    );
  }

  splitHandler(which: number, offset: number): Outcome[] {
    const start = this.#start(which);
    return this.#both(
      () => this.real.handlers.split(start, start + offset),
      () => devices.splitHandler(this.naive, start, start + offset),
    );
  }

  joinHandlers(which: number, other: number): Outcome[] {
    const [start1, start2] = [this.#start(which), this.#start(other)];
    return this.#both(
      () => this.real.handlers.join(start1, start2),
      () => devices.joinHandlers(this.naive, start1, start2),
    );
  }

  switchOff(which: number, offset: number): Outcome[] {
    const start = this.#start(which);
    return this.#both(
      () => this.real.handlers.tempOff(start, start + offset),
      () => devices.switchOff(this.naive, start, start + offset),
    );
  }

  resetHandler(which: number): Outcome[] {
    const start = this.#start(which, true);
    return this.#both(
      () => this.real.handlers.reset(start),
      () => devices.resetHandler(this.naive, start),
    );
  }

  alias(which: number, offset: number, target: number): Outcome[] {
    const start = this.#start(which, true);
    return this.#both(
      () => this.real.handlers.alias(start, start + offset, target),
      () => devices.alias(this.naive, start, start + offset, target),
    );
  }

  registerMmio(frame: number, pages: number): Outcome[] {
    const name = `registers ${this.#handlers++}`;
    const start = frame * PAGE_SIZE;
    return this.#both(
      () => this.real.mmio.register(start, pages * PAGE_SIZE, name, this.#logging(name, 'done')),
      () => devices.registerMmio(this.naive, start, pages, name),
    );
  }

  deregisterMmio(which: number, pages: number): Outcome[] {
    const start = this.#start(which, true);
    if (start % PAGE_SIZE !== 0) return [];
    return this.#both(
      () => this.real.mmio.deregister(start, pages * PAGE_SIZE),
      () => devices.deregisterMmio(this.naive, start, pages),
    );
  }

  mapDevice(address: number): Outcome[] {
    return this.#both(
      () => this.real.mmio2.map('dev', 0, 0, address),
      () => devices.mapDevice(this.naive, address),
    );
  }

  unmapDevice(address: number | undefined): Outcome[] {
    const at = address ?? this.naive.deviceAt ?? 0;
    return this.#both(
      () => this.real.mmio2.unmap('dev', 0, 0, at),
      () => devices.unmapDevice(this.naive, at),
    );
  }

  moveDevice(address: number): Outcome[] {
    return this.#both(
      () => this.real.mmio2.move('dev', 0, 0, address),
      () => devices.moveDevice(this.naive, address),
    );
  }

  protect(frame: number, pages: number, protection: number): Outcome[] {
    return this.#both(
      () => this.real.roms.protect(frame * PAGE_SIZE, pages * PAGE_SIZE, protection),
      () => devices.protect(this.naive, frame * PAGE_SIZE, pages, protection),
    );
  }

  balloon(inflates: boolean, addresses: number[]): Outcome[] {
    return this.#both(
      () => (inflates ? this.real.balloon.inflate(addresses) : this.real.balloon.deflate(addresses)),
      () => devices.balloon(this.naive, inflates, addresses),
    );
  }

  engage(): Outcome[] {
    return this.#both(
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
    return this.#both(
      () => {
        const frames = new Uint32Array(capacity);
        const taken: number[] = [];
        for (let count = capacity; count === capacity; taken.push(...frames.subarray(0, count))) count = this.real.monitor.take(frames);
        return taken;
      },
      () => this.naive.take(),
    );
  }

  release(): Outcome[] {
    return this.#both(
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
    return this.#both(
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
    return this.#both(
      () => lock.release(),
      () => {
        const locks = kind === 'writing' ? this.naive.writeLocks : this.naive.readLocks;
        locks.set(frame, (locks.get(frame) ?? 0) - 1);
        if (kind === 'writing' && locks.get(frame) === 0 && this.naive.monitored.delete(frame)) this.naive.written.add(frame);
      },
    );
  }

  /** The page itself becomes the one that others may refer to. */
  share(frame: number): Outcome[] {
    const { real, naive } = this;
    const range = real.ranges.find(frame * PAGE_SIZE);
    const page = range?.pageOf(frame * PAGE_SIZE) ?? 0;
    if (!range || !naive.isRam(frame) || naive.isLocked(frame) || range.state[page] !== PageState.ALLOCATED) return [];
    return this.#both(
      () => {
        real.pages.backing.account.sharePage(range.pageId[page]);
        real.pages.apply('share', range, page);
      },
      () => void naive.shared.add(frame),
    );
  }

  setA20(on: boolean): Outcome[] {
    this.real.a20.set(0, on);
    this.naive.a20 = on;
    return [];
  }

  setNoMoreWrites(set: boolean): Outcome[] {
    this.real.setNoMorePhysWrites(set);
    this.naive.noMoreWrites = set;
    return [];
  }

  reset(): Outcome[] {
    return this.#both(
      () => resetMemory(this.real, { ramPreAlloc: false }),
      () => devices.reset(this.naive),
    );
  }

  /** Start of some handler; now and then of none. */
  #start(which: number, mmio = false): number {
    const starts = this.naive.handlers.filter(({ kind }) => kind !== 'rom' && (kind === 'mmio') === mmio).map(({ start }) => start);
    return which % 8 === 7 || starts.length === 0 ? 7 : starts[which % starts.length];
  }

  #logging(name: string, answer: 'done' | 'default'): HandlerCallback {
    return (access, gcPhys, bytes, origin) => {
      this.realLog.push(`${name} ${access} ${gcPhys}+${bytes.length} ${origin}`);
      if (access === 'read' && answer === 'done') bytes.fill(0x42);
      return answer;
    };
  }

  #both(onReal: () => unknown, onNaive: () => unknown): Outcome[] {
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
