import assert from 'node:assert/strict';
import { NO_FAULT } from '../../paging/page-fault.ts';
import type { VirtualHandlers } from '../../paging/shadow/virtual-handlers.ts';
import { FlatMemory } from '../../paging/testing/flat-memory.ts';
import {
  entryWrite,
  fillTables,
  type Random,
  randomAddress,
  randomRegisters,
  TABLE_KINDS,
  TABLE_PAGES,
  type TableKind,
  tamePointers,
} from '../../paging/testing/random-tables.ts';
import { WatchTwin } from '../../paging/testing/watch-twin.ts';
import type { Machine } from '../machine.ts';
import { GameHandlers } from './game-handlers.ts';
import { type MachineTwin, TWIN_BYTES } from './machine-twin.ts';

const PAGE = 4096;
/** Pages that most entries name. */
export const BUSY_PAGES = 48;

/** Numbers of moves of CPUs by kind. */
export interface CpuFigures {
  faults: number;
  mapped: number;
  handled: number;
  watched: number;
}

/**
 * Random things that CPUs do, in a machine and in its twin: accesses by virtual addresses, writes to their tables,
 * other registers. What handlers see of them is compared.
 */
export class CpuMoves {
  readonly #random: Random;
  readonly #twin: MachineTwin;
  readonly #done: CpuFigures;
  /** Address on the bus to which the last access led. */
  lastBus = 0;
  #machine!: Machine;
  handlers!: GameHandlers;
  #watches!: WatchTwin;
  readonly #mapped: Record<TableKind, bigint[]> = { '32-bit': [], pae: [], long: [], la57: [] };

  constructor(random: Random, twin: MachineTwin, done: CpuFigures) {
    this.#random = random;
    this.#twin = twin;
    this.#done = done;
  }

  /** Goes on with another machine, which nobody watches yet. */
  take(machine: Machine, virtualHandlers: VirtualHandlers): void {
    this.#machine = machine;
    this.handlers = new GameHandlers(this.#random, machine);
    this.#watches = new WatchTwin(this.#random, virtualHandlers);
  }

  /** Watches virtual addresses, or no longer. */
  toggleWatch(): void {
    this.#watches.toggle(this.#machine.cpus.map((cpu) => this.address(cpu.id)));
  }

  address(id: number): bigint {
    const { kind } = this.#twin.cpus.cpus[id];
    const watched = this.#random.chance(25) ? this.#watches.busyAddress : undefined;
    if (watched !== undefined && (kind === 'long' || watched < 1n << 32n)) return watched;
    if (kind === 'none') return BigInt(this.#random.below(this.#random.chance(70) ? BUSY_PAGES * PAGE : TWIN_BYTES));
    // Addresses that were mapped once are worth going back to.
    const known = this.#mapped[kind];
    if (known.length > 0 && this.#random.chance(75)) return this.#random.pick(known);
    return randomAddress(this.#random, kind);
  }

  /** Accesses a few bytes, also over page borders: pages before one that faults are done. */
  access(id: number): void {
    const [random, twin] = [this.#random, this.#twin];
    const address = this.address(id);
    const write = random.chance(45);
    const user = random.chance(50);
    const fetch = !write && random.chance(15);
    const bytes = Uint8Array.from({ length: 1 + random.below(8) }, () => random.below(256));
    this.#lookAtWatches(id);
    const expected = bytes.slice();
    const pieces: [bus: number, from: number, to: number][] = [];
    let fault: number = NO_FAULT;
    for (let done = 0; done < bytes.length && fault === NO_FAULT; ) {
      const at = BigInt.asUintN(64, address + BigInt(done));
      const to = Math.min(bytes.length, done + PAGE - Number(at % BigInt(PAGE)));
      const isBeyond = isBeyondEnd(at, twin.cpus.cpus[id].kind);
      const found = isBeyond ? { fault: codeOf(write, user, fetch) } : twin.cpus.access(id, at, { write, user, fetch });
      if ('fault' in found) {
        fault = found.fault;
        twin.cr2[id] = at;
        break;
      }
      const bus = twin.cpus.bus(id, Number(found.gcPhys));
      pieces.push([bus, done, to]);
      for (let i = done; i < to; i++)
        if (write) twin.write(bus + i - done, bytes[i]);
        else expected[i] = twin.read(bus + i - done);
      done = to;
    }
    const cpu = this.#machine.cpus[id];
    const access = codeOf(write, user, fetch);
    const code = write ? cpu.write(address, bytes, access) : cpu.read(address, bytes, access);
    const what = `${write ? 'write' : 'read'} of ${bytes.length} bytes at ${address.toString(16)} by CPU ${id}`;
    assert.equal(code, fault, `fault code of ${what}`);
    assert.deepEqual([...bytes], [...expected], what);
    if (fault !== NO_FAULT) this.#done.faults++;
    if (pieces.length === 0) return;
    this.lastBus = pieces[0][0];
    this.#done.mapped++;
    const { kind } = twin.cpus.cpus[id];
    if (kind !== 'none') this.#mapped[kind][random.below(10) % (this.#mapped[kind].length + 1)] = address;
    // The accesses that both kinds of handlers saw are compared where an access is one piece.
    if (pieces.length === 1) this.#expectSeen(write ? 'write' : 'read', pieces[0][0], pieces[0][2], address);
    else this.#forgetSeen();
  }

  /** Writes bytes in machine and twin, as a device, or a CPU at an address of the bus. */
  #writeBoth(at: number, bytes: Uint8Array): void {
    const id = this.#random.below(this.#machine.cpus.length);
    const isDevice = this.#random.chance(30);
    this.#machine.memory.write(at, bytes, isDevice ? 'device' : id);
    for (const [i, byte] of bytes.entries())
      this.#twin.write(isDevice ? at + i : this.#twin.cpus.bus(id, at + i), byte);
    if (!isDevice && this.#twin.cpus.a20Off.has(id)) this.#forgetSeen();
    else this.#expectSeen('write', at, bytes.length, undefined);
  }

  writeEntry(id: number): void {
    const { kind } = this.#twin.cpus.cpus[id];
    const { at, bytes } = entryWrite(this.#random, kind, BUSY_PAGES);
    this.#writeBoth(at, bytes);
  }

  writeBytes(): void {
    const size = this.#random.chance(93) ? 1 + this.#random.below(16) : 1 + this.#random.below(5000);
    const at = this.#random.below((this.#random.chance(70) ? BUSY_PAGES * PAGE : TWIN_BYTES) - size);
    this.#writeBoth(
      at,
      Uint8Array.from({ length: size }, () => (this.#random.chance(50) ? 0 : this.#random.below(256))),
    );
  }

  fillTables(kind: TableKind): void {
    fillTables(this.#random, new FlatMemory(this.#twin.bytes.subarray(0, BUSY_PAGES * PAGE)), kind);
    // Nothing is written to pages that are in the balloon.
    for (const page of this.#twin.ballooned) this.#twin.bytes.fill(0, page * PAGE, (page + 1) * PAGE);
    this.#machine.memory.write(PAGE, this.#twin.bytes.subarray(PAGE, (1 + TABLE_PAGES) * PAGE), 'device');
    this.#forgetSeen();
  }

  setRegisters(id: number): void {
    const [random, twin] = [this.#random, this.#twin];
    const before = twin.cpus.cpus[id];
    if (random.chance(15)) {
      twin.cpus.cpus[id] = { kind: 'none', cr0: random.chance(50) ? 1n : 0n, cr3: before.cr3, cr4: 0n, efer: 0n };
    } else if (random.chance(30) && before.kind !== 'none') {
      // Only CR0.WP changes, and CR3 is not loaded.
      before.cr0 ^= 1n << 16n;
      this.#machine.cpus[id].setRegisters({ cr0: before.cr0 });
      return;
    } else {
      const kind = random.pick(TABLE_KINDS);
      const registers = randomRegisters(random, kind);
      twin.cpus.cpus[id] = { ...registers, kind };
      if (kind === 'pae') this.#tame(id);
      if (random.chance(25)) this.fillTables(kind);
    }
    const { cr0, cr3, cr4, efer } = twin.cpus.cpus[id];
    this.#machine.cpus[id].setRegisters({ cr0, cr3, cr4, efer });
    twin.cpus.latch(id);
  }

  loadCr3(id: number): void {
    const cpu = this.#twin.cpus.cpus[id];
    if (cpu.kind === 'none') return;
    if (this.#random.chance(60)) cpu.cr3 = randomRegisters(this.#random, cpu.kind).cr3;
    if (cpu.kind === 'pae') this.#tame(id);
    this.#machine.cpus[id].setRegisters({ cr3: cpu.cr3 });
    this.#twin.cpus.latch(id);
  }

  /** Writes valid pointers, as the guest would. */
  #tame(id: number): void {
    const { cr3 } = this.#twin.cpus.cpus[id];
    const root = Number(cr3 & 0xffffffe0n);
    const page = root - (root % PAGE);
    if (this.#twin.deflate([page / PAGE]) > 0) this.#machine.memory.balloon.deflate([page]);
    tamePointers(this.#random, new FlatMemory(this.#twin.bytes), cr3);
    // States tell of pointers that are present only.
    this.#twin.bytes[root] |= 1;
    this.#machine.memory.write(root, this.#twin.bytes.subarray(root, root + 32), 'device');
    this.#expectSeen('write', root, 32, undefined);
  }

  toggleA20(id: number): void {
    const isOn = this.#twin.cpus.a20Off.has(id);
    this.#twin.cpus.setA20(id, isOn);
    this.#machine.memory.a20.set(id, isOn);
  }

  /** Notes watched addresses that a sync of CR3, before an access, looks up. */
  #lookAtWatches(id: number): void {
    const cpu = this.#machine.shadow?.cpus[id];
    if (!cpu?.cr3.isSyncPending || cpu.plan?.nested) return;
    this.#watches.look((at) => {
      const bus = this.#twin.cpus.busAddress(id, at);
      // Handlers see no access to an address without memory.
      return bus !== undefined && this.#twin.isMemory(bus) ? bus : undefined;
    });
  }

  #expectSeen(access: 'read' | 'write', at: number, size: number, through: bigint | undefined): void {
    this.#done.handled += this.handlers.expect(access, at, size);
    const before = this.#watches.seen;
    this.#watches.expect(access, at, size, through);
    this.#done.watched += this.#watches.seen - before;
  }

  #forgetSeen(): void {
    this.handlers.expect('read', 0, 0);
    this.#watches.forget();
  }
}

function codeOf(write: boolean, user: boolean, fetch: boolean): number {
  return (write ? 2 : 0) | (user ? 4 : 0) | (fetch ? 16 : 0);
}

/** Beyond 4 GiB, or in long mode between the halves. */
function isBeyondEnd(address: bigint, kind: TableKind | 'none'): boolean {
  return kind === 'long'
    ? BigInt.asUintN(64, BigInt.asIntN(48, address)) !== address
    : kind === 'none' && address >= 1n << 32n;
}
