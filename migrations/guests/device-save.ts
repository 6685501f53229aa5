import { clock } from '../../formats/world/waiting.ts';
import type { QmpClient } from '../qmp/qmp-client.ts';
import { MigrationError } from '../wire/migration-error.ts';
import { cancelSave, saveDevices, untilHandedOut } from './device-stream.ts';
import { stripDevices } from './strip-devices.ts';

/** Lowest speed at which QEMU is expected to hand out memory, in bytes per ms. */
const SLOWEST = 20_000;
/** Longest time for all that QEMU does besides. */
const PATIENCE_MS = 60_000;

/** The guest whose devices are saved. */
export interface SavedGuest {
  pid: number | undefined;
  /** Names and bytes of memory that QEMU hands out together with its devices. */
  handedOut: ReadonlyMap<string, number>;
}

/**
 * One save of a guest's devices. If QEMU hands out memory with them, the save begins while the guest runs, and waits
 * until the guest stands still.
 */
export class DeviceSave {
  /** Duration of the save from `letEnd` on, in ms; undefined until it has succeeded. */
  ms: number | undefined;
  readonly bytes: Promise<Uint8Array>;
  readonly #qmp: QmpClient;
  #letEnd: (() => void) | undefined;
  #giveUp: (reason: Error) => void = () => {};
  /** Resolves when QEMU has begun to save. */
  readonly #begun: Promise<void>;
  #from = clock();

  constructor(qmp: QmpClient, { pid, handedOut }: SavedGuest) {
    this.#qmp = qmp;
    const mayEnd = new Promise<void>((resolve, reject) => {
      this.#letEnd = resolve;
      this.#giveUp = reject;
    });
    mayEnd.catch(() => {});
    const size = [...handedOut.values()].reduce((sum, bytes) => sum + bytes, 0);
    const moved = new Set(handedOut.keys());
    const stripped = { take: (stream: Parameters<typeof stripDevices>[0]) => stripDevices(stream, moved) };
    let onBegun = () => {};
    this.#begun = new Promise((resolve) => {
      onBegun = resolve;
    });
    this.bytes = saveDevices(qmp, {
      ...{ pid, mayEnd, onBegun, patienceMs: PATIENCE_MS + size / SLOWEST },
      ...(size > 0 ? stripped : {}),
    });
    this.bytes.then(
      () => {
        this.ms = clock() - this.#from;
      },
      () => {},
    );
  }

  /** Resolves when all memory is handed out, except pages that the guest writes meanwhile. @throws SavkitError */
  async untilHandedOut(): Promise<void> {
    await Promise.race([this.#begun.then(() => untilHandedOut(this.#qmp)), this.bytes]);
  }

  /** To be called when the guest stands still: QEMU goes on to its devices. */
  letEnd(): void {
    this.#from = clock();
    this.#letEnd?.();
  }

  /** Resolves when the save is over, or has failed. */
  async complete(): Promise<void> {
    this.letEnd();
    await this.bytes.catch(() => {});
  }

  /** Cancels the save, unless it is over. @param qmp connection, which may be a new one */
  async undo(qmp: QmpClient): Promise<void> {
    if (this.ms !== undefined) return;
    this.#giveUp(new MigrationError('devices-failed', 'Cannot move devices: the save was cancelled'));
    await cancelSave(qmp).catch(() => {});
    await this.bytes.catch(() => {});
  }
}
