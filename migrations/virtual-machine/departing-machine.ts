import type { Pass } from '../../formats/errors.ts';
import { isRam, type PageBatch, PageKind } from '../../formats/pgm/page-batch.ts';
import { sleep } from '../../formats/world/waiting.ts';
import { DirtyTracker } from '../../src/live-save/dirty-tracker.ts';
import { bindLiveStatistics } from '../../src/live-save/live-counters.ts';
import type { Machine } from '../../src/machine/machine.ts';
import { isExecuting } from '../../src/machine/machine-states.ts';
import { saveState } from '../../src/machine/save.ts';
import { Guest } from '../../src/running/guest.ts';
import type { RunningMachine } from '../../src/running/running-machine.ts';
import { releaseText } from '../../src/saved-state/describe/describe.ts';
import type { VirtualBoxDescription } from '../machine/description.ts';
import type { SourceMachine } from '../machine/machine.ts';
import { PageHashes } from '../machine/page-hashes.ts';
import type { PageSet } from '../machine/page-set.ts';
import { MigrationError } from '../wire/migration-error.ts';
import { DeviceMemory } from './device-memory.ts';
import { MachinePages } from './machine-pages.ts';

/** Interval at which the end of a save is waited for, in ms. */
const SAVE_LOOK_MS = 5;

/** A machine that is to be migrated, with its `RunningMachine` where one executes it. */
export class DepartingMachine implements SourceMachine {
  readonly description: VirtualBoxDescription;
  readonly #machine: Machine;
  readonly #running: RunningMachine | undefined;
  readonly #pages: MachinePages;
  readonly #tracker: DirtyTracker;
  readonly #devices: DeviceMemory;
  #known = new PageHashes(0);
  /** Whether this migration has paused the machine. */
  #stopped = false;
  #isPaused = false;
  #pass = 0;

  /** @param name as the target shall call it @param running executes the machine; without it, memory stands still */
  constructor(name: string, machine: Machine, running?: RunningMachine) {
    this.#machine = machine;
    this.#running = running;
    this.#pages = new MachinePages(machine.memory);
    this.#tracker = new DirtyTracker(machine.memory, 'migration', { mmio2: false });
    this.#devices = new DeviceMemory(this.#pages, this.#pages.space);
    bindLiveStatistics(machine.statistics, () => this.#tracker.counts);
    this.description = {
      ...describeMachine(name, machine, this.#pages),
      executes: running !== undefined || Guest.find(machine.memory, machine.cpus) !== undefined,
    };
  }

  readPages(pages: Uint32Array, count: number, target: Uint8Array, at: number, held: Uint8Array): number {
    return this.#pages.readPages(pages, count, target, at, held);
  }

  startTracking(known: PageHashes): void {
    this.#pass = 0;
    this.#known = known;
    this.#tracker.prepare();
  }

  async takeDirty(into: PageSet): Promise<void> {
    const pass: Pass = this.#stopped ? 'final' : this.#pass++;
    await this.#tracker.scan(pass);
    await this.#tracker.take(pass, { take: (batch) => this.#addAll(batch, into) }, { contents: false, eager: true });
    await this.#devices.addChanged(this.#known, into, pass !== 'final');
  }

  stopTracking(): void {
    this.#tracker.finish();
  }

  get isPaused(): boolean {
    return this.#stopped ? this.#isPaused : this.#running !== undefined && !isExecuting(this.#running.state);
  }

  async pause(): Promise<void> {
    // A save under way pauses the machine, and resumes it at its end, so the save has to end first.
    while (this.#running?.state === 'saving') await sleep(SAVE_LOOK_MS);
    this.#isPaused = this.isPaused;
    this.#stopped = true;
    if (!this.#isPaused) this.#running?.pause();
    this.#running?.hold();
  }

  resume(): void {
    this.#stopped = false;
    this.#running?.letGo();
    if (!this.#isPaused) this.#running?.resume();
  }

  throttle(share: number): void {
    if (this.#running) this.#running.throttle = 1 - share;
  }

  outline(): Promise<Uint8Array> {
    return saveWithoutPages(this.#machine);
  }

  saveRest(): Promise<Uint8Array> {
    return saveWithoutPages(this.#machine);
  }

  release(): void {
    this.#running?.release();
  }

  #addAll(batch: PageBatch, into: PageSet): void {
    for (let i = 0; i < batch.count; i++) {
      const page = this.#pages.numberOf(regionKindOf(batch.kind[i]), batch.id[i], batch.page[i]);
      if (page < 0)
        throw new MigrationError(
          'misplaced-page',
          `Cannot send page ${batch.page[i]} of range ${batch.id[i]}: the machine has got memory meanwhile`,
        );
      into.add(page);
    }
  }
}

export function describeMachine(
  name: string,
  machine: Machine,
  { space }: MachinePages,
): Omit<VirtualBoxDescription, 'executes'> {
  const { header, pgm } = machine.state;
  return {
    hypervisor: 'virtualbox',
    name,
    release: header.release ? releaseText(header.release) : '',
    cpus: machine.cpus.length,
    pgmVersion: pgm?.version ?? 0,
    units: machine.units.map(({ header: { name: unit, instance, version } }) => ({ name: unit, instance, version })),
    regions: [...space.regions],
  };
}

/**
 * All but the contents of pages, as a small saved state, so that the target can read it with the usual loader and its
 * checks.
 */
export async function saveWithoutPages(machine: Machine): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  // Nothing here waits for I/O, so the guest does not run meanwhile.
  await saveState(machine, { write: async (bytes) => void pieces.push(bytes.slice()) }, { contents: false });
  return Buffer.concat(pieces);
}

function regionKindOf(kind: number): 'ram' | 'rom' | 'rom-shadow' {
  if (isRam(kind)) return 'ram';
  return kind === PageKind.ROM_VIRGIN || kind === PageKind.ROM_PROTECTION ? 'rom' : 'rom-shadow';
}
