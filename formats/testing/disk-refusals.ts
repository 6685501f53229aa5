import type { DiskWork } from './simulated-disk.ts';

/** A time during which a disk refuses work. */
export interface DiskTrouble {
  code: 'ENOSPC' | 'EIO';
  /** Number of operations that fail. */
  works: number;
  only: 'all' | DiskWork;
}

/** Decides which operations of a disk in trouble fail. */
export class DiskRefusals {
  readonly #spared: readonly DiskWork[];
  #trouble: DiskTrouble | undefined;
  #left = 0;

  /** @param spared operations that succeed even where `all` fail */
  constructor(...spared: DiskWork[]) {
    this.#spared = spared;
  }

  /** Begins a trouble, in place of an earlier one. */
  begin(trouble: DiskTrouble): void {
    this.#trouble = trouble;
    this.#left = trouble.works;
  }

  end(): void {
    this.#trouble = undefined;
  }

  /** Counts an operation that fails. @returns the system's code for it; undefined for one that succeeds */
  refuse(work: DiskWork): DiskTrouble['code'] | undefined {
    if (!this.#trouble || this.#left === 0) return undefined;
    const { code, only } = this.#trouble;
    if (only === 'all' ? this.#spared.includes(work) : work !== only) return undefined;
    // A full disk refuses only new bytes.
    if (code === 'ENOSPC' && work !== 'write' && work !== 'open') return undefined;
    this.#left--;
    return code;
  }
}
