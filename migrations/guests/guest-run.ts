/** Name of QEMU's state in which the guest runs. */
const RUNNING = 'running';

/**
 * Whether a guest runs, by QEMU's events and answers, and because of whom: savkit may have stopped it, and somebody
 * else may let it run meanwhile.
 */
export class GuestRun {
  #runs: boolean;
  #wasPaused = false;
  #isStopped = false;
  /** QEMU has not answered yet that the guest is stopped. */
  #isStopping = false;
  #mayStand = false;
  /** Somebody else has let the guest run since it was stopped. */
  #isByOthers = false;

  /** @param status QEMU's word for the guest's state */
  constructor(status: string) {
    this.#runs = status === RUNNING;
  }

  get runs(): boolean {
    return this.#runs;
  }

  /** Somebody had paused the guest before savkit stopped it. */
  get wasPaused(): boolean {
    return this.#wasPaused;
  }

  /** QEMU has stopped the guest for savkit. */
  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** QEMU was told to stop a guest that ran, and nothing has said since that it runs again. */
  get mayStand(): boolean {
    return this.#mayStand;
  }

  /** Notes that QEMU may stop the guest from now on. */
  mayStop(): void {
    this.#mayStand ||= !this.#wasPaused;
  }

  /** Notes that the guest is about to be stopped, so that its state means nothing any more. */
  begunToStop(): void {
    this.#runs = false;
  }

  /**
   * Stops the guest. Whether others let it run is noted from QEMU's `stop` on: such an event may be read together with
   * the answer.
   */
  async stop(command: () => Promise<unknown>): Promise<void> {
    this.#isStopping = true;
    this.mayStop();
    this.#isByOthers = false;
    try {
      await command();
      this.#isStopped = true;
    } finally {
      this.#isStopping = false;
    }
  }

  /** Notes that savkit no longer needs the guest to stand still. */
  letGo(): void {
    this.#isStopped = false;
  }

  /** Notes that the guest belongs to the other side, so that it has to stand still here. */
  handOver(): void {
    this.#isStopped = false;
    this.#mayStand = false;
  }

  /** Notes that the guest runs. */
  noteRunning(): void {
    this.#runs = true;
    this.#mayStand = false;
  }

  /** Notes QEMU's word for the state on a new connection. */
  noteStatus(status: string): void {
    this.#runs = status === RUNNING;
    if (this.#runs) this.noteRunning();
    this.#isByOthers ||= this.#isStopped && this.#runs;
  }

  /** Notes QEMU's event for a guest that it has stopped. */
  onStop(): void {
    this.#runs = false;
    if (this.#isStopping) this.#isByOthers = false;
  }

  /** Notes QEMU's event for a guest that somebody has let run. */
  onResume(): void {
    this.noteRunning();
    this.#isByOthers ||= this.#isStopped || this.#isStopping;
  }

  /** Notes, before the guest is stopped, whether somebody has paused it. @param status by default as last known */
  noteBefore(status?: string): void {
    this.#wasPaused = status === undefined ? !this.#runs : status !== RUNNING;
  }

  /** Whether somebody else has let the guest run, by QEMU's present word; an event before counts, too. */
  isStarted(status: string): boolean {
    return this.#isByOthers || status === RUNNING;
  }
}
