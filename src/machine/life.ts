import type { GuestMappings } from '../paging/mappings/guest-mappings.ts';
import type { ReservedFor } from '../paging/mappings/hypervisor-area.ts';
import type { RawMode } from '../paging/mappings/raw-mode.ts';
import type { ShadowPaging } from '../paging/shadow/shadow-paging.ts';
import type { RawCallback } from '../pgm/access/handler-list.ts';
import type { GuestMemory } from '../pgm/guest-memory.ts';
import { finaliseMemory, resetRam } from '../pgm/life/memory-life.ts';
import type { MachineCpu } from './machine-cpu.ts';

/** Phases of a whole machine. */
export type LifePhase = 'finalise' | 'relocate' | 'reset' | 'unplug' | 'term';

/** Parts of a `Machine` that phases need. */
export interface LivingMachine {
  readonly memory: GuestMemory;
  readonly cpus: readonly MachineCpu[];
  readonly mappings: GuestMappings;
  readonly shadow: ShadowPaging | undefined;
  readonly rawMode: RawMode | undefined;
}

/** The machine, and parameters of the phase. */
export interface LifeEvent {
  readonly machine: LivingMachine;
  /** All RAM is allocated before the machine runs, and stays allocated. */
  readonly ramPreAlloc: boolean;
  /** For relocate: distance by which the hypervisor has moved. */
  readonly delta: number;
  /** For unplug: the CPU that is reset. */
  readonly cpu: MachineCpu;
}

/** One step of a phase. */
export interface LifeStep {
  /** Description for people. */
  readonly what: string;
  run(event: LifeEvent): void;
}

/** Smaller values of `user` are no addresses. */
const LEAST_RAW_ADDRESS = 0x1_0000;

/**
 * The life of a machine (guest-memory.md 12.2): steps of each phase in their order. The phase init consists of the
 * constructor of `Machine` and `usePaging`.
 */
export const LIFE: Readonly<Record<LifePhase, readonly LifeStep[]>> = {
  finalise: [
    step('all RAM is allocated where that is wanted', ({ machine, ramPreAlloc }) =>
      finaliseMemory(machine.memory, { ramPreAlloc }),
    ),
  ],
  relocate: [
    step('area of the guest’s root tables', (event) => {
      moveReserved('cr3-area')(event);
      withRaw(event, (raw) => (raw.cr3Area.base += event.delta));
    }),
    step('mode data of each CPU', moveReserved('mode-data')),
    step('trees of handlers', moveReserved('trees')),
    step('RAM ranges', moveReserved('ram-range')),
    step('MMIO2 ranges', moveReserved('mmio2-range')),
    step('mappings and their page tables', moveReserved('mapping')),
    step('dynamic area', (event) => {
      moveReserved('dynamic-area')(event);
      withRaw(event, (raw) => (raw.dynamicArea.base += event.delta));
    }),
    step('fences', moveReserved('fence')),
    step('zero page', moveReserved('zero-page')),
    step('physical handlers', ({ machine, delta }) => moveCallbacks(machine.memory.handlers.list.all, delta)),
    step('virtual handlers', (event) =>
      withShadow(event, (shadow) => moveCallbacks(shadow.virtualHandlers.all, event.delta)),
    ),
    step('hypervisor handlers', (event) =>
      withShadow(event, (shadow) => moveCallbacks(shadow.virtualHandlers.hypervisor, event.delta)),
    ),
    step('pool', moveReserved('pool')),
  ],
  reset: [
    step('mappings float', ({ machine }) => machine.mappings.reset()),
    step('every CPU leaves its guest’s mode', ({ machine }) => {
      for (const cpu of machine.cpus) cpu.leaveMode();
    }),
    step('every CPU is in real mode', ({ machine }) => {
      for (const cpu of machine.cpus) cpu.enterRealMode();
    }),
    step('the pool is empty', ({ machine }) => {
      machine.shadow?.flushAll();
      for (const cpu of machine.cpus) cpu.forgetModeChanges();
    }),
    step('every A20 gate is open, and no sync pending', ({ machine }) => {
      machine.memory.a20.reset();
      for (const cpu of machine.cpus) cpu.openGate();
    }),
    step('RAM', ({ machine, ramPreAlloc }) => resetRam(machine.memory, { ramPreAlloc })),
    // ROM is not reset if resetting RAM has thrown.
    step('ROM', ({ machine, ramPreAlloc }) => machine.memory.roms.reset(ramPreAlloc)),
  ],
  unplug: [
    step('the CPU leaves its guest’s mode', ({ cpu }) => cpu.leaveMode()),
    step('the CPU is in real mode', ({ cpu }) => cpu.enterRealMode()),
    step('its A20 gate is open, and no sync pending', ({ cpu }) => cpu.openGate()),
  ],
  term: [step('the host gets all pages back', ({ machine }) => machine.memory.close())],
};

/** Carries out a phase. */
export function live(phase: LifePhase, event: LifeEvent): void {
  for (const { run } of LIFE[phase]) run(event);
}

function step(what: string, run: (event: LifeEvent) => unknown): LifeStep {
  return { what, run: (event) => void run(event) };
}

function moveReserved(what: ReservedFor): (event: LifeEvent) => void {
  return (event) => withRaw(event, (raw) => raw.area.move(what, event.delta));
}

function withRaw({ machine }: LifeEvent, use: (raw: RawMode) => unknown): void {
  if (machine.rawMode) use(machine.rawMode);
}

function withShadow({ machine }: LifeEvent, use: (shadow: ShadowPaging) => unknown): void {
  if (machine.shadow) use(machine.shadow);
}

function moveCallbacks(handlers: readonly { raw?: RawCallback | undefined }[], delta: number): void {
  for (const { raw } of handlers) {
    if (!raw) continue;
    raw.callback += delta;
    if (raw.user >= LEAST_RAW_ADDRESS) raw.user += delta;
  }
}
