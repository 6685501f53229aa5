import { ownError, SavkitError, UnsupportedError } from '../../formats/errors.ts';
import { clock, sleep } from '../../formats/world/waiting.ts';
import { learnSettings, type MigrationSettings, putBack, setForDevicesOnly } from './migration-settings.ts';
import type { QmpClient } from './qmp-client.ts';

/** Time in which a QEMU that hangs may answer again, or take another connection, in ms. */
const PUT_BACK_MS = 60_000;
/** Time for a QEMU that refuses, as while a migration of it ends, in ms. */
const REFUSED_MS = 3_000;
const AGAIN_MS = 500;

/** The way to a QEMU, for as long as it lives. */
export interface QmpWay {
  /** Connects again if the connection has ended. @throws SavkitError */
  connected(): Promise<QmpClient>;
  /** There is no such QEMU any more. */
  isOver(): Promise<boolean>;
}

/** Settings of a QEMU that savkit changes for a while. */
export class BorrowedSettings {
  readonly #onLeft: ((why: SavkitError) => void) | undefined;
  /** QEMU's settings before savkit changed them, until they are put back. */
  #former: MigrationSettings | undefined;
  /** QEMU is set for saving devices. */
  #isSet = false;

  /**
   * @param onLeft called when settings may stay as savkit needed them
   * @param former QEMU's settings, if savkit has changed them already
   */
  constructor(onLeft?: (why: SavkitError) => void, former?: MigrationSettings) {
    this.#onLeft = onLeft;
    this.#former = former;
  }

  /** Sets QEMU for saving devices, unless it is set so. @param memory see `setForDevicesOnly` */
  async setForDevices(qmp: QmpClient, memory: 'left-out' | 'stripped'): Promise<void> {
    if (this.#isSet) return;
    this.#former ??= await learnSettings((command, shape) => qmp.ask(command, shape));
    await setForDevicesOnly(qmp, this.#former, memory);
    this.#isSet = true;
  }

  /** Puts the settings back; where that fails, a later call tries again. @throws SavkitError */
  async putBack(qmp: QmpClient): Promise<void> {
    this.#isSet = false;
    if (this.#former) await putBack(qmp, this.#former);
    this.#former = undefined;
  }

  /** Puts the settings back for the last time: tries again for up to a minute. */
  async putBackAtLast(way: QmpWay): Promise<void> {
    const former = this.#former;
    this.#former = undefined;
    this.#isSet = false;
    try {
      if (former) await putBackInTime(way, former);
    } catch (error) {
      this.#onLeft?.(ownError(error));
    }
  }
}

/**
 * Puts settings back as soon as QEMU takes them, within a minute. @throws SavkitError where settings may stay changed
 */
async function putBackInTime({ connected, isOver }: QmpWay, former: MigrationSettings): Promise<void> {
  for (const start = clock(); ; await sleep(AGAIN_MS)) {
    try {
      return await putBack(await connected(), former);
    } catch (error) {
      if (!(error instanceof SavkitError)) throw error;
      if (await isOver()) return;
      if (clock() - start > (error instanceof UnsupportedError ? REFUSED_MS : PUT_BACK_MS)) throw error;
    }
  }
}
