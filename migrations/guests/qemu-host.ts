import { freemem } from 'node:os';
import { join } from 'node:path';
import type { SavkitError } from '../../formats/errors.ts';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import { type CommandLine, wordsOfOptions } from '../../src/saved-state/qemu-check/command-words.ts';
import { differenceOf, type MachineDescription, type QemuDescription } from '../machine/description.ts';
import type { TargetHost } from '../machine/machine.ts';
import { type EndWithUs, endWithUs } from '../qmp/end-with-us.ts';
import { setForDevicesOnly } from '../qmp/migration-settings.ts';
import { QemuProcess } from '../qmp/qemu-process.ts';
import { MigrationError } from '../wire/migration-error.ts';
import { targetOptions } from './command-line/target-command.ts';
import { describeGuest, writableDisks } from './describe-guest.ts';
import { type GuestFacts, learnGuestFacts } from './guest-facts.ts';
import { locateMemory } from './locate-memory.ts';
import { privateFolder, removeFolder } from './memory/private-folder.ts';
import { RamFiles, type RamPiece } from './memory/ram-files.ts';
import { ReservedMemory } from './memory/reserved-memory.ts';
import { checkMemoryIsFree, emptyMemory, memoryPaths } from './memory-in-use.ts';
import { QemuTarget } from './qemu-target.ts';

/** Share of the free memory that a guest may take. */
const MEMORY_SHARE = 0.95;
const DEFAULT_PROGRAM = 'qemu-system-x86_64';

/** Options of a host for guests. */
export interface QemuHostOptions {
  /** Command line of the QEMU to be started: the source's, adapted to this host. */
  command: CommandLine | ((outline: Uint8Array) => CommandLine);
  /** Bytes of memory that a guest may have; by default nearly all that is free. */
  maxBytes?: number;
  /** Called with each QEMU that waits for its guest. */
  onStarted?: (target: QemuTarget) => void;
  /** Called when the settings of a QEMU may stay as savkit needed them, though it has its guest. */
  onSettingsLeft?: ((why: SavkitError) => void) | undefined;
}

/** Starts QEMUs that take guests in. */
export class QemuHost implements TargetHost<QemuTarget> {
  readonly maxPages: number;
  readonly #command: QemuHostOptions['command'];
  readonly #onStarted: QemuHostOptions['onStarted'];
  readonly #onSettingsLeft: QemuHostOptions['onSettingsLeft'];

  constructor({ command, maxBytes = freemem() * MEMORY_SHARE, onStarted, onSettingsLeft }: QemuHostOptions) {
    this.#onStarted = onStarted;
    this.#onSettingsLeft = onSettingsLeft;
    this.#command = command;
    this.maxPages = Math.floor(maxBytes / PAGE_SIZE);
  }

  async create(description: MachineDescription, outline: Uint8Array): Promise<QemuTarget> {
    if (description.hypervisor !== 'qemu')
      throw new MigrationError(
        'other-hypervisor',
        'Cannot take machine: this side waits for a guest of QEMU; savkit receive without --qemu-args takes others',
      );
    const command = typeof this.#command === 'function' ? this.#command(outline) : this.#command;
    await checkMemoryIsFree(command);
    const folder = privateFolder();
    let process: QemuProcess | undefined;
    let guard: EndWithUs | undefined;
    let memory: ReturnType<typeof openRam> | undefined;
    try {
      const qmpPath = join(folder, 'qmp');
      const words = wordsOfOptions(targetOptions(command, description, qmpPath));
      process = QemuProcess.start(command.program || DEFAULT_PROGRAM, words, qmpPath, { logPath: join(folder, 'log') });
      // Without a record nobody would end this QEMU, were savkit killed.
      guard = endWithUs(process.pid, folder);
      const qmp = await process.connect();
      const facts = await learnGuestFacts(qmp, { pid: process.pid, commandLine: words });
      checkFits(description, facts);
      await setForDevicesOnly(qmp, facts.settings, 'left-out');
      memory = openRam(locateMemory(facts));
      const { settings } = facts;
      const target = new QemuTarget(description, {
        process,
        guard,
        qmp,
        ...memory,
        disks: writableDisks(facts),
        folder,
        settings,
        onSettingsLeft: this.#onSettingsLeft,
      });
      this.#onStarted?.(target);
      return target;
    } catch (error) {
      process?.kill();
      guard?.release();
      memory?.ram.close();
      await memory?.reserved.cancel();
      emptyMemory(memoryPaths(command));
      removeFolder(folder);
      throw error;
    }
  }
}

/** @throws MigrationError `other-machine` if the guest could not go on in this QEMU */
function checkFits(description: QemuDescription, facts: GuestFacts): void {
  const own = describeGuest(facts);
  const theirs = { ...description, regions: withoutOffsets(description.regions) };
  const difference = differenceOf(theirs, { ...own, regions: withoutOffsets(own.regions) });
  if (difference !== undefined)
    throw new MigrationError('other-machine', `Cannot take guest: here ${difference}, as its source has it`);
}

/** Offsets of memory in its file may differ between the sides. */
function withoutOffsets(regions: QemuDescription['regions']): QemuDescription['regions'] {
  return regions.map((region) => ({ ...region, fileOffset: 0 }));
}

function openRam(pieces: readonly RamPiece[]): { ram: RamFiles; reserved: ReservedMemory } {
  const ram = RamFiles.open(pieces, 'r+');
  try {
    return { ram, reserved: ReservedMemory.begin(pieces.filter(({ path }) => ram.paths.includes(path))) };
  } catch (error) {
    ram.close();
    throw error;
  }
}
