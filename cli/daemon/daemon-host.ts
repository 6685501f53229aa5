import { join } from 'node:path';
import type { SavkitError } from '../../formats/errors.ts';
import { QemuHost } from '../../migrations/guests/qemu-host.ts';
import type { QemuTarget } from '../../migrations/guests/qemu-target.ts';
import type { MachineDescription } from '../../migrations/machine/description.ts';
import type { TargetHost } from '../../migrations/machine/machine.ts';
import type { ArrivingMachine } from '../../migrations/virtual-machine/arriving-machine.ts';
import { MachineHost } from '../../migrations/virtual-machine/machine-host.ts';
import { MigrationError } from '../../migrations/wire/migration-error.ts';
import { settingsLeft } from '../guests/migrate-guest.ts';
import { readCommand } from '../guests/receive-guest.ts';

/** A machine of either kind. */
export type AnyMachine = ArrivingMachine | QemuTarget;

export interface DaemonHostOptions {
  maxBytes: number;
  /** Folder with a file NAME.args for each guest of QEMU that is accepted. */
  qemuArgs?: string | undefined;
  onDescribed(name: string): void;
  /** Called with each QEMU that waits for its guest. */
  onStarted(target: QemuTarget): void;
  /** Tells of a fault that ends nothing. */
  warn(code: string, message: string): void;
}

/** Makes the machine that takes over an arriving one: savkit's own, or a QEMU for a guest of QEMU. */
export class DaemonHost implements TargetHost<AnyMachine> {
  readonly maxPages: number;
  readonly #options: DaemonHostOptions;
  readonly #own: MachineHost;

  constructor(options: DaemonHostOptions) {
    this.#options = options;
    this.#own = new MachineHost({ maxBytes: options.maxBytes });
    this.maxPages = this.#own.maxPages;
  }

  async create(description: MachineDescription, outline: Uint8Array): Promise<AnyMachine> {
    const { qemuArgs, maxBytes, onDescribed, onStarted, warn } = this.#options;
    const onSettingsLeft = ({ code, message }: SavkitError) => warn(code, settingsLeft(message));
    onDescribed(description.name);
    if (description.hypervisor !== 'qemu' || qemuArgs === undefined) return this.#own.create(description, outline);
    const command = await readCommand(fileOf(description.name, qemuArgs)).catch((error: SavkitError) => {
      if (error.code !== 'ENOENT') throw error;
      throw new MigrationError(
        'other-machine',
        `Cannot take guest ${description.name}: there is no command line ${description.name}.args for it here`,
      );
    });
    return new QemuHost({ command, maxBytes, onStarted, onSettingsLeft }).create(description, outline);
  }
}

/** The file for a guest's name; a peer must not reach other files by it. */
function fileOf(name: string, folder: string): string {
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.+@-]{0,127}$/.test(name))
    throw new MigrationError(
      'other-machine',
      'Cannot take guest: its name can be no name of a file with a command line; give it another one by -name',
    );
  return join(folder, `${name}.args`);
}
