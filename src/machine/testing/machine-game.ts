import assert from 'node:assert/strict';
import type { SavkitError } from '../../../formats/errors.ts';
import { HostMemory } from '../../gmm/host-memory.ts';
import { HOST_MODES } from '../../paging/modes.ts';
import { checkConsistency } from '../../paging/shadow/checks/consistency-check.ts';
import { checkHandlers } from '../../paging/shadow/checks/handler-integrity.ts';
import { checkPool } from '../../paging/shadow/checks/pool-check.ts';
import { compareShadow } from '../../paging/testing/compare-found.ts';
import { Random, TABLE_KINDS } from '../../paging/testing/random-tables.ts';
import { GuestMemory } from '../../pgm/guest-memory.ts';
import { checkIntegrity } from '../../pgm/memory-integrity.ts';
import { HostBacking } from '../../pgm/pages/host-backing.ts';
import { PageSharing } from '../../pgm/sharing/page-sharing.ts';
import type { Machine } from '../machine.ts';
import { type MachineEvent, type MachineState, nextMachineState } from '../machine-states.ts';
import { BUSY_PAGES, CpuMoves } from './cpu-moves.ts';
import { MachineTwin, TWIN_BYTES } from './machine-twin.ts';
import { mappingFaults } from './mapping-faults.ts';

const PAGE = 4096;
const PAGES = TWIN_BYTES / PAGE;
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
  /** Numbers of moves by kind. */
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
  readonly #cpus: CpuMoves;
  #machine!: Machine;
  #sharing!: PageSharing;
  #neighbour: GuestMemory | undefined;
  /** Address of raw mode's hypervisor at the last look. */
  #place = 0;

  private constructor(seed: number) {
    this.random = new Random(seed);
    this.twin = new MachineTwin(1 + this.random.below(3));
    this.#cpus = new CpuMoves(this.random, this.twin, this.done);
  }

  static async begin(seed: number, make: MakeMachine): Promise<MachineGame> {
    const game = new MachineGame(seed);
    const backing = new HostBacking(new HostMemory());
    game.machine = await make(TWIN_BYTES, { backing, cpus: game.twin.cpus.cpus.length });
    game.#cpus.fillTables(game.random.pick(TABLE_KINDS));
    return game;
  }

  get machine(): Machine {
    return this.#machine;
  }

  /**
   * Goes on with another machine, which was loaded or has arrived. Its memory and CPUs are as they were; nobody watches
   * them yet, and its host is another one.
   */
  set machine(machine: Machine) {
    this.#machine = machine;
    const shadow = machine.usePaging(this.#randomHost(), { poolPages: 48 + this.random.below(64) });
    this.#cpus.take(machine, shadow.virtualHandlers);
    this.#place = machine.rawMode?.mapping.start ?? 0;
    this.#sharing = new PageSharing(machine.memory.pages.backing.host);
    this.#sharing.add(machine.memory);
    this.#neighbour = undefined;
  }

  dispatch(event: MachineEvent): void {
    this.state = nextMachineState(this.state, event);
  }

  /** Does `steps` random things, with great moves between them. @throws errors with what differs */
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

  /** Gives the machine's memory back to its host. */
  leaveHost(): void {
    this.#neighbour?.close();
    this.machine.close();
  }

  /** Does one random thing. */
  step(): void {
    const { random } = this;
    this.done.steps++;
    const id = random.below(this.machine.cpus.length);
    const chances: [number, (id: number) => void][] = [
      [450, (cpu) => this.#cpus.access(cpu)],
      [140, (cpu) => this.#cpus.writeEntry(cpu)],
      [60, () => this.#cpus.writeBytes()],
      [60, (cpu) => this.#cpus.setRegisters(cpu)],
      [70, (cpu) => this.#cpus.loadCr3(cpu)],
      [40, (cpu) => this.machine.cpus[cpu].invalidatePage(this.#cpus.address(cpu))],
      [30, () => this.#cpus.handlers.toggle(this.twin, this.#cpus.lastBus)],
      [40, () => this.#cpus.toggleWatch()],
      [20, (cpu) => this.#cpus.toggleA20(cpu)],
      [30, this.#balloon],
      [14, this.#share],
      [10, this.#relocate],
      [10, this.#fixMappings],
      [4, this.#reset],
      [6, this.#resetCpu],
      [8, () => this.machine.shadow?.clearAll()],
      [8, () => this.machine.shadow?.cpus[id].prefetch(this.#cpus.address(id))],
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

  /** Expects memory, registers, gates and balloon to be the twin's, and the machine's own checks to find nothing. */
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
        if (compareShadow(cpu, this.twin.cpus, this.#cpus.address(cpu.id), this.random)) this.done.compared++;
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

  /** Makes one page of equal pages of the machine and of another one on its host; gives back pages of zeros. */
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
    this.#cpus.handlers.expectMoved(delta);
  }

  /** Has the guest give the mappings a place, or take it back. */
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
    this.#cpus.fillTables(this.random.pick(TABLE_KINDS));
  }

  #resetCpu(id: number): void {
    this.machine.resetCpu(id);
    this.twin.resetCpu(id);
  }

  /** Mappings may have moved out of the guest's way, and all that raw mode calls with them. */
  #noteMoves(): void {
    const { rawMode } = this.machine;
    if (!rawMode || rawMode.mapping.start === this.#place) return;
    this.#cpus.handlers.expectMoved(rawMode.mapping.start - this.#place);
    this.#place = rawMode.mapping.start;
    this.done.conflicts++;
  }
}
