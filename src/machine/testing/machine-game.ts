import assert from 'node:assert/strict';
import type { SavkitError } from '../../../formats/errors.ts';
import { HostMemory } from '../../gmm/host-memory.ts';
import { HOST_MODES } from '../../paging/modes.ts';
import { NO_FAULT } from '../../paging/page-fault.ts';
import { checkConsistency } from '../../paging/shadow/consistency-check.ts';
import { checkHandlers } from '../../paging/shadow/handler-integrity.ts';
import { checkPool } from '../../paging/shadow/pool-check.ts';
import { compareShadow } from '../../paging/testing/compare-found.ts';
import { FlatMemory } from '../../paging/testing/flat-memory.ts';
import {
  fillTables,
  Random,
  randomAddress,
  randomEntry,
  randomRegisters,
  TABLE_PAGES,
  type TableKind,
  tamePointers,
} from '../../paging/testing/random-tables.ts';
import { WatchTwin } from '../../paging/testing/watch-twin.ts';
import { GuestMemory } from '../../pgm/guest-memory.ts';
import { checkIntegrity } from '../../pgm/memory-integrity.ts';
import { HostBacking } from '../../pgm/pages/host-backing.ts';
import { PageSharing } from '../../pgm/sharing/page-sharing.ts';
import type { Machine } from '../machine.ts';
import { type MachineEvent, type MachineState, nextMachineState } from '../machine-states.ts';
import { GameHandlers } from './game-handlers.ts';
import { MachineTwin, TWIN_BYTES } from './machine-twin.ts';
import { mappingFaults } from './mapping-faults.ts';

const PAGE = 4096;
const PAGES = TWIN_BYTES / PAGE;
/** Pages that most entries name. */
const BUSY_PAGES = 48;
const KINDS: readonly TableKind[] = ['32-bit', 'pae', 'long'];
const UNIT = 4 * 2 ** 20;

/** Something that takes its time, and may end with another machine than it began with. */
export type GreatMove = (game: MachineGame) => Promise<void>;

/** Makes a machine of 2 MiB that was never on: `emptyMachine`, which stands on a higher floor than the game. */
export type MakeMachine = (ramSize: number, options: { backing: HostBacking; cpus: number }) => Promise<Machine>;

/**
 * A machine with everything beside a naive one. Both do the same random things, from one seed: CPUs read and write by
 * virtual addresses, write their tables, change modes and gates; handlers come and go; pages are ballooned and shared;
 * CPUs and machine are reset, the hypervisor moves, shadow tables of random hosts are made anew.
 */
export class MachineGame {
  readonly random: Random;
  readonly twin: MachineTwin;
  /** How often something came about. */
  readonly done = {
    steps: 0,
    faults: 0,
    mapped: 0,
    compared: 0,
    handled: 0,
    watched: 0,
    shared: 0,
    conflicts: 0,
    great: 0,
  };
  state: MachineState = 'running';
  #machine!: Machine;
  #handlers!: GameHandlers;
  #watches!: WatchTwin;
  #sharing!: PageSharing;
  #neighbour: GuestMemory | undefined;
  /** Where raw mode's hypervisor was when it was last looked at. */
  #place = 0;
  #lastBus = 0;
  readonly #mapped: Record<TableKind, bigint[]> = { '32-bit': [], pae: [], long: [], la57: [] };

  private constructor(seed: number) {
    this.random = new Random(seed);
    this.twin = new MachineTwin(1 + this.random.below(3));
  }

  static async begin(seed: number, make: MakeMachine): Promise<MachineGame> {
    const game = new MachineGame(seed);
    const backing = new HostBacking(new HostMemory());
    game.machine = await make(TWIN_BYTES, { backing, cpus: game.twin.cpus.cpus.length });
    game.#fillTables(game.random.pick(KINDS));
    return game;
  }

  get machine(): Machine {
    return this.#machine;
  }

  /**
   * Another one: loaded, or arrived. Its memory and CPUs are as they were; nobody watches them, its host is another.
   */
  set machine(machine: Machine) {
    this.#machine = machine;
    const shadow = machine.usePaging(this.#randomHost(), { poolPages: 48 + this.random.below(64) });
    this.#handlers = new GameHandlers(this.random, machine);
    this.#watches = new WatchTwin(this.random, shadow.virtualHandlers);
    this.#place = machine.rawMode?.mapping.start ?? 0;
    this.#sharing = new PageSharing(machine.memory.pages.backing.host);
    this.#sharing.add(machine.memory);
    this.#neighbour = undefined;
  }

  dispatch(event: MachineEvent): void {
    this.state = nextMachineState(this.state, event);
  }

  /** So many random things, great ones between them. @throws errors with what differs */
  async play(steps: number, greatMoves: readonly GreatMove[]): Promise<void> {
    for (let left = steps; left > 0; left--) {
      this.step();
      if (!this.random.chance(3)) continue;
      await this.random.pick(greatMoves)(this);
      this.done.great++;
      this.expectEqual();
    }
    this.expectEqual();
    const { host } = this.machine.memory.pages.backing;
    this.leaveHost();
    assert.equal(host.figures.allocatedPages, 0, 'pages that are left in the host');
  }

  /** The machine is not needed any more. */
  leaveHost(): void {
    this.#neighbour?.close();
    this.machine.close();
  }

  /** One random thing. */
  step(): void {
    const { random } = this;
    this.done.steps++;
    const id = random.below(this.machine.cpus.length);
    const chances: [number, (id: number) => void][] = [
      [450, this.#access],
      [140, this.#writeEntry],
      [60, this.#writeBytes],
      [60, this.#setRegisters],
      [70, this.#loadCr3],
      [40, (cpu) => this.machine.cpus[cpu].invalidatePage(this.#address(cpu))],
      [30, () => this.#handlers.toggle(this.twin, this.#lastBus)],
      [40, () => this.#watches.toggle(this.machine.cpus.map((cpu) => this.#address(cpu.id)))],
      [20, this.#toggleA20],
      [30, this.#balloon],
      [14, this.#share],
      [10, this.#relocate],
      [10, this.#fixMappings],
      [4, this.#reset],
      [6, this.#resetCpu],
      [8, () => this.machine.shadow?.clearAll()],
      [8, () => this.machine.shadow?.cpus[id].prefetch(this.#address(id))],
    ];
    let left = random.below(1000);
    const chosen = chances.find(([chance]) => {
      left -= chance;
      return left < 0;
    });
    chosen?.[1].call(this, id);
    this.#noteMoves();
    if (this.done.steps % 8 === 0) this.#checkTables();
  }

  /** Memory, registers, gates and balloon are the twin's; all of the machine's own checks find nothing. */
  expectEqual(): void {
    assert.equal(this.twin.differenceTo(this.machine), undefined);
    assert.deepEqual(checkIntegrity(this.machine.memory), []);
    this.#checkTables();
  }

  #checkTables(): void {
    const { shadow } = this.machine;
    assert.ok(shadow);
    for (const cpu of shadow.cpus) {
      assert.deepEqual(checkConsistency(cpu), []);
      for (let i = 0; i < 4; i++)
        if (compareShadow(cpu, this.twin.cpus, this.#address(cpu.id), this.random)) this.done.compared++;
    }
    assert.deepEqual([...checkPool(shadow), ...checkHandlers(shadow)], []);
    assert.deepEqual(mappingFaults(this.machine, this.twin), []);
  }

  #randomHost() {
    const kind = this.random.below(4);
    return {
      host: this.random.pick(HOST_MODES),
      hardware: kind > 0,
      nestedPaging: kind === 2 ? ('nested' as const) : kind === 3 ? ('ept' as const) : undefined,
    };
  }

  #address(id: number): bigint {
    const { kind } = this.twin.cpus.cpus[id];
    const watched = this.random.chance(25) ? this.#watches.busyAddress : undefined;
    if (watched !== undefined && (kind === 'long' || watched < 1n << 32n)) return watched;
    if (kind === 'none') return BigInt(this.random.below(this.random.chance(70) ? BUSY_PAGES * PAGE : TWIN_BYTES));
    // Addresses that were mapped once are worth going back to.
    const known = this.#mapped[kind];
    if (known.length > 0 && this.random.chance(75)) return this.random.pick(known);
    return randomAddress(this.random, kind);
  }

  /** A few bytes, also over page borders: pages before one that faults are done. */
  #access(id: number): void {
    const { random, twin } = this;
    const address = this.#address(id);
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
    const cpu = this.machine.cpus[id];
    const access = codeOf(write, user, fetch);
    const code = write ? cpu.write(address, bytes, access) : cpu.read(address, bytes, access);
    const what = `${write ? 'write' : 'read'} of ${bytes.length} bytes at ${address.toString(16)} by CPU ${id}`;
    assert.equal(code, fault, `fault code of ${what}`);
    assert.deepEqual([...bytes], [...expected], what);
    if (fault !== NO_FAULT) this.done.faults++;
    if (pieces.length === 0) return;
    this.#lastBus = pieces[0][0];
    this.done.mapped++;
    const { kind } = twin.cpus.cpus[id];
    if (kind !== 'none') this.#mapped[kind][random.below(10) % (this.#mapped[kind].length + 1)] = address;
    // What both kinds of handlers saw is compared where the access is one piece.
    if (pieces.length === 1) this.#expectSeen(write ? 'write' : 'read', pieces[0][0], pieces[0][2], address);
    else this.#forgetSeen();
  }

  /** Bytes that are written by a device, or by a CPU at an address of the bus. */
  #writeBoth(at: number, bytes: Uint8Array): void {
    const id = this.random.below(this.machine.cpus.length);
    const isDevice = this.random.chance(30);
    this.machine.memory.write(at, bytes, isDevice ? 'device' : id);
    for (const [i, byte] of bytes.entries()) this.twin.write(isDevice ? at + i : this.twin.cpus.bus(id, at + i), byte);
    if (!isDevice && this.twin.cpus.a20Off.has(id)) this.#forgetSeen();
    else this.#expectSeen('write', at, bytes.length, undefined);
  }

  #writeEntry(id: number): void {
    const { kind } = this.twin.cpus.cpus[id];
    const wanted = kind === 'none' ? this.random.pick(KINDS) : kind;
    const size = wanted === '32-bit' ? 4 : 8;
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, randomEntry(this.random, wanted, BUSY_PAGES), true);
    const slot = this.random.chance(80) ? this.random.pick([0, 1, 2, 3, 7, 8]) : this.random.below(PAGE / size);
    this.#writeBoth((1 + this.random.below(TABLE_PAGES)) * PAGE + slot * size, bytes.subarray(0, size));
  }

  #writeBytes(): void {
    const size = this.random.chance(93) ? 1 + this.random.below(16) : 1 + this.random.below(5000);
    const at = this.random.below((this.random.chance(70) ? BUSY_PAGES * PAGE : TWIN_BYTES) - size);
    this.#writeBoth(
      at,
      Uint8Array.from({ length: size }, () => (this.random.chance(50) ? 0 : this.random.below(256))),
    );
  }

  #fillTables(kind: TableKind): void {
    fillTables(this.random, new FlatMemory(this.twin.bytes.subarray(0, BUSY_PAGES * PAGE)), kind);
    // Nothing is written to pages that are in the balloon.
    for (const page of this.twin.ballooned) this.twin.bytes.fill(0, page * PAGE, (page + 1) * PAGE);
    this.machine.memory.write(PAGE, this.twin.bytes.subarray(PAGE, (1 + TABLE_PAGES) * PAGE), 'device');
    this.#forgetSeen();
  }

  #setRegisters(id: number): void {
    const { random, twin } = this;
    const before = twin.cpus.cpus[id];
    if (random.chance(15)) {
      twin.cpus.cpus[id] = { kind: 'none', cr0: random.chance(50) ? 1n : 0n, cr3: before.cr3, cr4: 0n, efer: 0n };
    } else if (random.chance(30) && before.kind !== 'none') {
      // Only CR0.WP changes, and CR3 is not loaded.
      before.cr0 ^= 1n << 16n;
      this.machine.cpus[id].setRegisters({ cr0: before.cr0 });
      return;
    } else {
      const kind = random.pick(KINDS);
      const registers = randomRegisters(random, kind);
      twin.cpus.cpus[id] = { ...registers, kind };
      if (kind === 'pae') this.#tame(id);
      if (random.chance(25)) this.#fillTables(kind);
    }
    const { cr0, cr3, cr4, efer } = twin.cpus.cpus[id];
    this.machine.cpus[id].setRegisters({ cr0, cr3, cr4, efer });
    twin.cpus.latch(id);
  }

  #loadCr3(id: number): void {
    const cpu = this.twin.cpus.cpus[id];
    if (cpu.kind === 'none') return;
    if (this.random.chance(60)) cpu.cr3 = randomRegisters(this.random, cpu.kind).cr3;
    if (cpu.kind === 'pae') this.#tame(id);
    this.machine.cpus[id].setRegisters({ cr3: cpu.cr3 });
    this.twin.cpus.latch(id);
  }

  /** Pointers that are valid, written like the guest would. */
  #tame(id: number): void {
    const { cr3 } = this.twin.cpus.cpus[id];
    const root = Number(cr3 & 0xffffffe0n);
    const page = root - (root % PAGE);
    if (this.twin.deflate([page / PAGE]) > 0) this.machine.memory.balloon.deflate([page]);
    tamePointers(this.random, new FlatMemory(this.twin.bytes), cr3);
    // States tell of pointers that are present only.
    this.twin.bytes[root] |= 1;
    this.machine.memory.write(root, this.twin.bytes.subarray(root, root + 32), 'device');
    this.#expectSeen('write', root, 32, undefined);
  }

  #toggleA20(id: number): void {
    const isOn = this.twin.cpus.a20Off.has(id);
    this.twin.cpus.setA20(id, isOn);
    this.machine.memory.a20.set(id, isOn);
  }

  #balloon(): void {
    const { balloon } = this.machine.memory;
    const inTables = this.random.chance(20);
    const pages = Array.from({ length: 1 + this.random.below(6) }, () => this.random.below(inTables ? 16 : PAGES));
    const known = [...this.twin.ballooned];
    if (known.length > 0 && this.random.chance(50)) {
      const back = pages.map((page) => known[page % known.length]);
      assert.equal(balloon.deflate(back.map((page) => page * PAGE)), this.twin.deflate(back), 'pages deflated');
    } else {
      assert.equal(balloon.inflate(pages.map((page) => page * PAGE)), this.twin.inflate(pages), 'pages inflated');
    }
  }

  /** Equal pages of the machine, and of another one on its host, become one; pages of zeros are given back. */
  #share(): void {
    if (!this.#neighbour) {
      const neighbour = new GuestMemory(new HostBacking(this.machine.memory.pages.backing.host));
      neighbour.registerRam(0, BUSY_PAGES * PAGE, 'Base RAM');
      this.#sharing.add(neighbour);
      this.#neighbour = neighbour;
    }
    for (let i = 0; i < 3; i++) {
      const from = this.random.below(BUSY_PAGES) * PAGE;
      const to = this.random.below(BUSY_PAGES) * PAGE;
      this.#neighbour.write(to, this.twin.bytes.subarray(from, from + PAGE), 'device');
    }
    this.#sharing.scanAll();
    this.#sharing.scanAll();
    this.done.shared += this.machine.memory.pages.counts.shared;
  }

  #relocate(): void {
    const delta = this.random.below(8) * UNIT;
    this.machine.relocate(delta);
    this.#handlers.expectMoved(delta);
  }

  /** The guest gives the mappings a place, or takes it back. */
  #fixMappings(): void {
    const { mappings } = this.machine;
    if (mappings.fixed) mappings.unfix();
    else
      try {
        mappings.fix(this.random.below(1022) * UNIT, 2 * UNIT, true);
      } catch (error) {
        // World switches need the place, or it would cross a gigabyte.
        assert.equal((error as SavkitError).vboxCode, 'VERR_PGM_MAPPINGS_FIX_CONFLICT');
      }
  }

  #reset(): void {
    if (this.state !== 'running' && this.state !== 'running-ls') return;
    const before = this.state;
    this.dispatch('reset');
    this.machine.reset();
    this.dispatch('reset-to-running');
    assert.equal(this.state, before);
    this.twin.reset();
    this.#fillTables(this.random.pick(KINDS));
  }

  #resetCpu(id: number): void {
    this.machine.resetCpu(id);
    this.twin.resetCpu(id);
  }

  /** Mappings may have moved out of the guest's way, and all that raw mode calls with them. */
  #noteMoves(): void {
    const { rawMode } = this.machine;
    if (!rawMode || rawMode.mapping.start === this.#place) return;
    this.#handlers.expectMoved(rawMode.mapping.start - this.#place);
    this.#place = rawMode.mapping.start;
    this.done.conflicts++;
  }

  /** A sync of CR3, which comes before an access, looks watched addresses up. */
  #lookAtWatches(id: number): void {
    const cpu = this.machine.shadow?.cpus[id];
    if (!cpu?.cr3.isSyncPending || cpu.plan?.nested) return;
    this.#watches.look((at) => {
      const bus = this.twin.cpus.busAddress(id, at);
      // Where there is no memory nobody sees anything.
      return bus !== undefined && this.twin.isMemory(bus) ? bus : undefined;
    });
  }

  #expectSeen(access: 'read' | 'write', at: number, size: number, through: bigint | undefined): void {
    this.done.handled += this.#handlers.expect(access, at, size);
    const before = this.#watches.seen;
    this.#watches.expect(access, at, size, through);
    this.done.watched += this.#watches.seen - before;
  }

  #forgetSeen(): void {
    this.#handlers.expect('read', 0, 0);
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
