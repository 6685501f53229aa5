/** Activity of a machine, from the changes of state in its log. */
export interface Doing {
  what: 'saving' | 'loading';
  /** Line of the log at which the activity began. */
  line: number;
  /** VirtualBox's text of that line. */
  words: string;
}

const VM_STATE = /Changing the VM state from '(\w+)' to '(\w+)'/;
const CONSOLE_STATE = /Machine state changed to '(\w+)'/;

const SAVING = /^(?:SAVING|\w+_LS|Saving|LiveSnapshotting|OnlineSnapshotting|Teleporting|TeleportingPausedVM)$/;
const LOADING = /^(?:LOADING|Restoring|TeleportingIn)$/;
/** In these states nothing is being saved or loaded. `Aborted` is not among them, as it interrupts a save or load. */
const AT_REST = /^(?:OFF|DESTROYING|TERMINATED|LOAD_FAILURE|Saved|PoweredOff|Running|Paused|Teleported)$/;

const LOADED = /^(?:SUSPENDED|RUNNING)$/;

/** Follows a machine through its log. */
export class LoggedMachine {
  /** Activity that has begun and not ended. */
  doing: Doing | undefined;
  /** Loading of a state has at least begun. */
  hasLoaded = false;

  /** @returns whether this line tells that a state was loaded with success */
  take(text: string, line: number): boolean {
    const [, from, vm] = VM_STATE.exec(text) ?? [];
    const now = vm ?? CONSOLE_STATE.exec(text)?.[1];
    if (/SSM: File header: /.test(text)) this.hasLoaded = true;
    if (now === undefined) return false;
    if (LOADING.test(now)) this.hasLoaded = true;
    if (SAVING.test(now)) this.#begin('saving', text, line);
    else if (LOADING.test(now)) this.#begin('loading', text, line);
    else if (AT_REST.test(now) || (from !== undefined && (SAVING.test(from) || LOADING.test(from))))
      this.doing = undefined;
    return from === 'LOADING' && LOADED.test(now);
  }

  #begin(what: Doing['what'], words: string, line: number): void {
    if (this.doing?.what !== what) this.doing = { what, line, words };
  }
}
