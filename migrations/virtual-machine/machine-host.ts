import { freemem } from 'node:os';
import type { ByteSource } from '../../formats/files/source.ts';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import { loadState } from '../../src/machine/load.ts';
import { Machine } from '../../src/machine/machine.ts';
import type { MachineDescription, VirtualBoxDescription } from '../machine/description.ts';
import type { TargetHost } from '../machine/machine.ts';
import { PageSpace } from '../machine/page-space.ts';
import { MigrationError } from '../wire/migration-error.ts';
import { ArrivingMachine, type ArrivingOptions, loadWithoutPages, nothingToRun } from './arriving-machine.ts';
import { describeMachine } from './departing-machine.ts';
import { MachinePages } from './machine-pages.ts';

/** Share of the free memory that machines in this process may take. */
export const MEMORY_SHARE = 0.8;

/** Makes machines in this process, empty or from an older state of the same machine. */
export class MachineHost implements TargetHost<ArrivingMachine> {
  readonly maxPages: number;
  readonly #seed: ByteSource | undefined;
  readonly #arriving: ArrivingOptions;

  /**
   * @param options.seed an older state: pages that have not changed since then need not be sent
   * @param options.file, options.runs, options.shadow see `ArrivingOptions`; by default the machine runs, and a machine
   * that cannot run is refused
   */
  constructor(options: { maxBytes?: number; seed?: ByteSource } & Partial<ArrivingOptions> = {}) {
    this.maxPages = Math.floor((options.maxBytes ?? freemem() * MEMORY_SHARE) / PAGE_SIZE);
    this.#seed = options.seed;
    this.#arriving = { runs: options.runs ?? true, file: options.file, shadow: options.shadow };
  }

  async create(description: MachineDescription, outline: Uint8Array): Promise<ArrivingMachine> {
    if (description.hypervisor !== 'virtualbox')
      throw new MigrationError(
        'other-hypervisor',
        'Cannot take machine: it is a guest of QEMU, which savkit receive --qemu-args FILE receives',
      );
    if (this.#arriving.runs && !description.executes) throw nothingToRun();
    const described = await loadWithoutPages(
      outline.slice(),
      'the outline',
      new PageSpace(description.regions, this.maxPages).pageCount,
    );
    checkRegions(description, described, 'its outline');
    if (!this.#seed) return new ArrivingMachine(description.name, described, false, this.#arriving);
    const old = await loadState(this.#seed);
    checkRegions(description, old, `the seed ${this.#seed.name}`);
    return new ArrivingMachine(
      description.name,
      new Machine(old.memory, described.state, described.units),
      true,
      this.#arriving,
    );
  }
}

/** @throws MigrationError if a machine does not have the memory of a description */
function checkRegions(description: VirtualBoxDescription, machine: Machine, what: string): void {
  const { regions } = describeMachine('', machine, new MachinePages(machine.memory));
  if (regions.length !== description.regions.length)
    throw new MigrationError(
      'other-machine',
      `Cannot take machine: it has ${description.regions.length} regions of memory, ${what} has ${regions.length}`,
    );
  for (const [i, region] of regions.entries()) {
    const other = description.regions[i];
    for (const key of ['kind', 'name', 'id', 'firstFrame', 'pages'] as const) {
      if (region[key] !== other[key])
        throw new MigrationError(
          'other-machine',
          `Cannot take machine: ${key} of region ${i} is ${other[key]}, ${what} has ${region[key]}`,
        );
    }
  }
}
