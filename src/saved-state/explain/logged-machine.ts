/** What a machine is doing, by the changes of state that its log tells of. */
export interface Doing {
  what: 'saving' | 'loading';
  /** Line of the log where it began. */
  line: number;
  /** VirtualBox's words for it. */
  words: string;
}

const VM_STATE = /Changing the VM state from '(\w+)' to '(\w+)'/;
const CONSOLE_STATE = /Machine state changed to '(\w+)'/;

const SAVING = /^(?:SAVING|\w+_LS|Saving|LiveSnapshotting|OnlineSnapshotting|Teleporting|TeleportingPausedVM)$/;
const LOADING = /^(?:LOADING|Restoring|TeleportingIn)$/;
/** After these nothing is being saved or loaded, whatever was before. A machine that is `Aborted` came to no end. */
const AT_REST = /^(?:OFF|DESTROYING|TERMINATED|LOAD_FAILURE|Saved|PoweredOff|Running|Paused|Teleported)$/;

const LOADED = /^(?:SUSPENDED|RUNNING)$/;

/** Follows a machine through its log. */
export class LoggedMachine {
  /** What has begun and not ended. */
  doing: Doing | undefined;
  /** Some state was loaded, or was about to be. */
  hasLoaded = false;

  /** @returns whether a state was loaded by then, with success */
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
