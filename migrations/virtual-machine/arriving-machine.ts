import { openFileSink } from '../../formats/files/sink.ts';
import { bufferSource } from '../../formats/files/source.ts';
import { removeFile } from '../../formats/files/temporary-files.ts';
import { MIB, PAGE_SIZE } from '../../formats/sizes.ts';
import { CHUNK_SIZE } from '../../src/gmm/page-id.ts';
import { loadState } from '../../src/machine/load.ts';
import { Machine } from '../../src/machine/machine.ts';
import { saveState } from '../../src/machine/save.ts';
import type { HostPaging } from '../../src/paging/shadow-mode.ts';
import type { GuestMemory } from '../../src/pgm/guest-memory.ts';
import { PageState } from '../../src/pgm/pages/page-states.ts';
import { Guest } from '../../src/running/guest.ts';
import { RunningMachine } from '../../src/running/running-machine.ts';
import type { TargetMachine } from '../machine/machine.ts';
import { MigrationError } from '../wire/migration-error.ts';
import { MachinePages } from './machine-pages.ts';

/**
 * Memory that is allocated before pages arrive: at most this share of the machine's, and at most `READY_LIMIT` bytes.
 */
const READY_SHARE = 1 / 4;
const READY_LIMIT = 256 * MIB;

/** Options for an arriving machine. */
export interface ArrivingOptions {
  /** Run the machine; else it is only kept in its file. */
  runs: boolean;
  /** File to which the machine is written before it is taken over, so that it survives the end of this process. */
  file: string | undefined;
  /** Paging of a host on whose shadow tables the CPUs run; absent: without shadow tables. */
  shadow?: HostPaging | undefined;
}

/** A machine without a workload would neither run here nor be anywhere else. */
export function nothingToRun(): MigrationError {
  return new MigrationError(
    'cannot-run',
    'Cannot take machine: it holds no workload that savkit could run, and this side was given no file to keep ' +
      'it in (savkit receive -o FILE)',
  );
}

/** Bytes of RAM without pages: VirtualBox counts the hole for video memory as RAM. */
const HOLES = MIB;
/** Registers, devices and a screenshot: some MiB when expanded. */
const MAX_UNITS = 64 * MIB;

/** Loads a machine without pages from a peer's bytes: it must not have more memory than was announced, nor contents. */
export function loadWithoutPages(bytes: Uint8Array, what: string, pages: number): Promise<Machine> {
  return loadState(bufferSource(bytes, what), {
    maxMemory: pages * PAGE_SIZE + HOLES,
    maxUnitBytes: MAX_UNITS,
    contents: 'refused',
  });
}

/** A machine that arrives from another host. Until `loadRest` it is memory only. */
export class ArrivingMachine implements TargetMachine {
  /** Name that the source gives to the machine. */
  readonly name: string;
  readonly isSeeded: boolean;
  /** The machine that executes, once started; undefined before `loadRest`, and for a machine that is only kept. */
  running: RunningMachine | undefined;
  /** The machine with all that has arrived so far. */
  machine: Machine;
  readonly #pages: MachinePages;
  readonly runs: boolean;
  readonly #file: string | undefined;
  readonly #shadow: HostPaging | undefined;
  #isInFile = false;
  #readied = 0;

  /** @param name as the source calls the machine; has to be escaped for a terminal */
  constructor(name: string, machine: Machine, isSeeded: boolean, { runs, file, shadow }: ArrivingOptions) {
    this.name = name;
    this.machine = machine;
    this.isSeeded = isSeeded;
    this.#pages = new MachinePages(machine.memory);
    this.runs = runs;
    this.#file = file;
    this.#shadow = shadow;
  }

  readPages(pages: Uint32Array, count: number, target: Uint8Array, at: number, held: Uint8Array): number {
    return this.#pages.readPages(pages, count, target, at, held);
  }
  writePages(pages: Uint32Array, count: number, bytes: Uint8Array, at: number): void {
    this.#pages.writePages(pages, count, bytes, at);
  }
  zeroPage(page: number): void {
    this.#pages.zeroPage(page);
  }

  readyMemory(): boolean {
    this.#readied += CHUNK_SIZE;
    const limit = Math.min(this.#pages.space.pageCount * PAGE_SIZE * READY_SHARE, READY_LIMIT);
    return this.#readied <= limit && this.machine.memory.pages.backing.host.readyChunk();
  }

  async loadRest(rest: Uint8Array): Promise<void> {
    const { memory } = this.machine;
    memory.pages.flush();
    memory.pages.backing.host.trim();
    const last = await loadWithoutPages(rest, 'the rest', this.#pages.space.pageCount);
    takeStates(memory, last.memory);
    this.machine = new Machine(memory, last.state, last.units);
    if (this.runs && this.#shadow) this.machine.usePaging(this.#shadow);
    const guest = this.runs ? Guest.find(memory, this.machine.cpus) : undefined;
    if (this.runs && !guest) throw nothingToRun();
    if (this.#file !== undefined) await this.#writeTo(this.#file);
    if (guest) this.running = new RunningMachine(this.machine, guest);
  }

  start(): void {
    this.running?.resume();
  }

  discard(): void {
    this.running?.release();
    // The machine stays at the source, so nobody must start this copy. An older file with the same name stays.
    if (this.#file !== undefined && this.#isInFile) removeFile(this.#file);
  }

  async #writeTo(path: string): Promise<void> {
    const sink = await openFileSink(path, { force: true });
    try {
      await saveState(this.machine, sink);
      await sink.commit();
      this.#isInFile = true;
    } catch (error) {
      await sink.abort();
      throw error;
    }
  }
}

/** Copies page states, protections of ROMs and addresses of device memory from another memory of the same machine. */
function takeStates(memory: GuestMemory, other: GuestMemory): void {
  takeBalloon(memory, other);
  for (const [i, rom] of memory.roms.all.entries()) {
    const { protection } = other.roms.all[i];
    for (let page = 0; page < rom.pages; page++)
      if (rom.protection[page] !== protection[page])
        memory.roms.protect(rom.start + page * PAGE_SIZE, PAGE_SIZE, protection[page]);
    rom.writtenTo.fill(0);
  }
  for (const [i, { device, instance, region, address }] of memory.mmio2.all.entries()) {
    const now = other.mmio2.all[i].address;
    if (now === address) continue;
    if (address !== undefined) memory.mmio2.unmap(device, instance, region, address);
    if (now !== undefined) memory.mmio2.map(device, instance, region, now);
  }
  memory.handlers.reapply();
}

function takeBalloon(memory: GuestMemory, other: GuestMemory): void {
  const others = other.ranges[Symbol.iterator]();
  const hasBallooned = memory.pages.counts.ballooned > 0 || other.pages.counts.ballooned > 0;
  for (const range of memory.ranges) {
    const twin = others.next().value;
    if (twin === undefined || twin.start !== range.start || twin.pages !== range.pages)
      throw new MigrationError(
        'other-machine',
        'Cannot take the rest: its ranges of memory differ from the described ones',
      );
    for (let page = 0; hasBallooned && page < range.pages; page++) {
      const isBallooned = twin.state[page] === PageState.BALLOONED;
      if ((range.state[page] === PageState.BALLOONED) === isBallooned) continue;
      memory.pages.apply(isBallooned ? 'balloon' : 'deflate', range, page);
    }
  }
  memory.pages.flush();
}
