import { PAGE_SIZE } from '../../../formats/sizes.ts';
import type { HandlerCallback, HandlerKind } from '../access/handler-list.ts';
import { MemoryPair, type Outcome } from './memory-pair.ts';
import * as devices from './naive-devices.ts';

/** A pair of memories, as `MemoryPair`, with access handlers and devices. */
export class MachinePair extends MemoryPair {
  #handlers = 0;

  registerHandler(kind: HandlerKind, start: number, end: number, answer: 'done' | 'default'): Outcome[] {
    const name = `handler ${this.#handlers++}`;
    return this.both(
      () =>
        void this.real.handlers.register({
          kind,
          start,
          end,
          description: name,
          callback: this.#logging(name, answer),
        }),
      () => devices.registerHandler(this.naive, { kind, start, end, name, answer }),
    );
  }

  deregisterHandler(which: number): Outcome[] {
    const start = this.#start(which);
    return this.both(
      () => this.real.handlers.deregister(start),
      () => devices.deregisterHandler(this.naive, start),
    );
  }

  modifyHandler(which: number, start: number, end: number): Outcome[] {
    const old = this.#start(which);
    return this.both(
      () => void this.real.handlers.modify(old, start, end),
      () => devices.modifyHandler(this.naive, old, start, end),
    );
  }

  splitHandler(which: number, offset: number): Outcome[] {
    const start = this.#start(which);
    return this.both(
      () => this.real.handlers.split(start, start + offset),
      () => devices.splitHandler(this.naive, start, start + offset),
    );
  }

  joinHandlers(which: number, other: number): Outcome[] {
    const [start1, start2] = [this.#start(which), this.#start(other)];
    return this.both(
      () => this.real.handlers.join(start1, start2),
      () => devices.joinHandlers(this.naive, start1, start2),
    );
  }

  switchOff(which: number, offset: number): Outcome[] {
    const start = this.#start(which);
    return this.both(
      () => this.real.handlers.tempOff(start, start + offset),
      () => devices.switchOff(this.naive, start, start + offset),
    );
  }

  resetHandler(which: number): Outcome[] {
    const start = this.#start(which, true);
    return this.both(
      () => this.real.handlers.reset(start),
      () => devices.resetHandler(this.naive, start),
    );
  }

  alias(which: number, offset: number, target: number): Outcome[] {
    const start = this.#start(which, true);
    return this.both(
      () => this.real.handlers.alias(start, start + offset, target),
      () => devices.alias(this.naive, start, start + offset, target),
    );
  }

  registerMmio(frame: number, pages: number): Outcome[] {
    const name = `registers ${this.#handlers++}`;
    const start = frame * PAGE_SIZE;
    return this.both(
      () => this.real.mmio.register(start, pages * PAGE_SIZE, name, this.#logging(name, 'done')),
      () => devices.registerMmio(this.naive, start, pages, name),
    );
  }

  deregisterMmio(which: number, pages: number): Outcome[] {
    const start = this.#start(which, true);
    if (start % PAGE_SIZE !== 0) return [];
    return this.both(
      () => this.real.mmio.deregister(start, pages * PAGE_SIZE),
      () => devices.deregisterMmio(this.naive, start, pages),
    );
  }

  mapDevice(address: number): Outcome[] {
    return this.both(
      () => this.real.mmio2.map('dev', 0, 0, address),
      () => devices.mapDevice(this.naive, address),
    );
  }

  unmapDevice(address: number | undefined): Outcome[] {
    const at = address ?? this.naive.deviceAt ?? 0;
    return this.both(
      () => this.real.mmio2.unmap('dev', 0, 0, at),
      () => devices.unmapDevice(this.naive, at),
    );
  }

  moveDevice(address: number): Outcome[] {
    return this.both(
      () => this.real.mmio2.move('dev', 0, 0, address),
      () => devices.moveDevice(this.naive, address),
    );
  }

  protect(frame: number, pages: number, protection: number): Outcome[] {
    return this.both(
      () => this.real.roms.protect(frame * PAGE_SIZE, pages * PAGE_SIZE, protection),
      () => devices.protect(this.naive, frame * PAGE_SIZE, pages, protection),
    );
  }

  /** Start of some handler; now and then an address where none starts. */
  #start(which: number, mmio = false): number {
    const starts = this.naive.handlers
      .filter(({ kind }) => kind !== 'rom' && (kind === 'mmio') === mmio)
      .map(({ start }) => start);
    return which % 8 === 7 || starts.length === 0 ? 7 : starts[which % starts.length];
  }

  #logging(name: string, answer: 'done' | 'default'): HandlerCallback {
    return (access, gcPhys, bytes, origin) => {
      this.realLog.push(`${name} ${access} ${gcPhys}+${bytes.length} ${origin}`);
      if (access === 'read' && answer === 'done') bytes.fill(0x42);
      return answer;
    };
  }
}
