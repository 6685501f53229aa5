import type { QmpClient } from '../qmp/qmp-client.ts';
import { MigrationError } from '../wire/migration-error.ts';
import { DeviceSave } from './device-save.ts';
import { type GuestFacts, statusOf } from './guest-facts.ts';
import { isLeftOut } from './locate-memory.ts';

/** Time for QEMU's stop and its devices in ms, until it is measured: 0.5–2 and 5–50 were seen. */
const GUESSED_MS = 50;

/** The first version that was seen to save a paused guest again after such a save was cancelled; 7.2 does not. */
const FIRST_TO_SAVE_AGAIN = 10;
/** Status of a QEMU that saves the devices, or waits before it does. */
const NEARLY_SAVED = 'finish-migrate';

/** Saves of a guest's devices: one for each attempt to move it. */
export class DeviceSaves {
  readonly #pid: number | undefined;
  /** Unshared memory that QEMU hands out with the devices: sizes by name. */
  readonly #handedOut: ReadonlyMap<string, number>;
  /** Once a save has come to the devices of a paused guest, QEMU begins no other, even if the first was cancelled. */
  readonly #savesOnce: boolean;
  /** Save of this attempt, under way or over. */
  #save: DeviceSave | undefined;
  /** The last save that has succeeded. */
  #saved: DeviceSave | undefined;
  /** Saved devices of the guest that stands still. */
  #devices: Uint8Array | undefined;
  #ms = GUESSED_MS;

  constructor({ backends, process, version }: GuestFacts) {
    this.#pid = process?.pid;
    this.#savesOnce = Number.parseInt(version, 10) < FIRST_TO_SAVE_AGAIN;
    const isShared = backends.every((backend) => isLeftOut(backend, version));
    this.#handedOut = new Map(isShared ? [] : backends.map(({ id, bytes }) => [id, bytes]));
  }

  /** QEMU hands out memory with the devices; it is stripped from the result. */
  get isHandedOut(): boolean {
    return this.#handedOut.size > 0;
  }

  /** This attempt has its save. */
  get isBegun(): boolean {
    return this.#save !== undefined;
  }

  /** Time of QEMU's stop and its devices, in ms: as in the last save, or a guess. */
  get ms(): number {
    return this.#ms;
  }

  /** Begins the save of this attempt, unless it has one. */
  begin(qmp: QmpClient): DeviceSave {
    this.#save ??= new DeviceSave(qmp, { pid: this.#pid, handedOut: this.#handedOut });
    return this.#save;
  }

  /** Uses the last successful save for this attempt, as the guest has not run since. */
  reuseLast(): void {
    this.#save = this.#saved;
  }

  /**
   * Ends the save of this attempt; what was saved stays for the next one. @param qmp connection, which may be a new one
   * @param isPaused the guest is not let run
   */
  async end(qmp: QmpClient, isPaused: boolean): Promise<void> {
    const save = this.#save;
    this.#save = undefined;
    const isLost = isPaused && this.#savesOnce && (await statusOf(qmp).catch(() => '')) === NEARLY_SAVED;
    if (isLost) await save?.complete();
    await save?.undo(qmp);
    if (save?.ms !== undefined) this.#saved = save;
  }

  /** To be called when the guest runs on: its saved devices are out of date. */
  forgetDevices(): void {
    this.#devices = undefined;
  }

  async result(): Promise<Uint8Array> {
    const save = this.#save;
    if (save) {
      this.#devices = await save.bytes;
      this.#ms = save.ms ?? this.#ms;
      this.#saved = save;
    }
    if (this.#devices) return this.#devices;
    throw new MigrationError('not-stopped', 'Cannot save devices: the guest was not stopped');
  }
}
