/** Options of a wake. */
export interface WakeOptions {
  /** Files with the contents of disks, by place: `ide0:0`. */
  disks: ReadonlyMap<string, string>;
  /** Names of units whose devices are given up. */
  without: ReadonlySet<string>;
  /** Backends of serial ports by number, in the form of QEMU's `-chardev` without `id`. */
  serial: readonly string[];
  /** Backends of network cards by number, in the form of QEMU's `-netdev` without `id`. */
  network: readonly string[];
  /** `tcg`, or `kvm`. */
  accelerator: 'tcg' | 'kvm';
}

export const NO_OPTIONS: WakeOptions = {
  disks: new Map(),
  without: new Set(),
  serial: [],
  network: [],
  accelerator: 'tcg',
};
