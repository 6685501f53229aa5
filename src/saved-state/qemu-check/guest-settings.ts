import { FormatError } from '../../../formats/errors.ts';

/** A device as a command line or libvirt's settings name it. */
export interface GuestDevice {
  /** QEMU's name of its kind: `virtio-net-pci`. */
  type: string;
  /** Other properties: `id`, `bus`, `addr`. */
  properties: ReadonlyMap<string, string>;
}

/** A block of memory that has a name of its own: a memory backend, a firmware. */
export interface MemorySettings {
  name: string;
  /** Bytes; absent where only a file tells. */
  size?: number;
}

/** A machine as described by a command line, or by libvirt's settings of a domain. */
export interface GuestSettings {
  /** Source of the settings, for people. */
  name: string;
  /** As in the settings, such as `pc` or `pc-i440fx-7.2`; absent: QEMU's default. */
  machineType?: string;
  /** Properties of the machine, `acpi=off`. */
  machine: ReadonlyMap<string, string>;
  /** Blocks that make up the RAM. */
  ram: MemorySettings[];
  /** Absent: QEMU's default firmware. */
  firmware?: MemorySettings[];
  /** Numbers of the local APICs, one for each CPU. */
  apics: number[];
  /** Model, and features that are added or taken away. */
  cpuModel?: string;
  /** Devices in the order in which QEMU makes them. */
  devices: GuestDevice[];
  /** Settings that savkit does not know; they may add or change devices. */
  unknown: string[];
}

/** Sockets, cores and threads. */
export interface Topology {
  cpus: number;
  sockets?: number;
  dies?: number;
  cores?: number;
  threads?: number;
}

/** More CPUs than any machine of QEMU has. */
const MAX_CPUS = 4096;

/**
 * Numbers of the local APICs: bits for thread, core, die, socket, each field wide enough for its largest number. CPUs
 * without a topology are cores of one socket.
 * @throws FormatError `bad-settings` for more CPUs than there can be
 */
export function apicsOf({ cpus, sockets, dies = 1, cores, threads = 1 }: Topology): number[] {
  if (!(cpus > 0 && cpus <= MAX_CPUS))
    throw new FormatError('bad-settings', `Cannot read settings: there are ${cpus} CPUs, expected 1 to ${MAX_CPUS}`);
  const inSocket = cores ?? Math.max(1, Math.floor(cpus / ((sockets ?? 1) * dies * threads)));
  const threadBits = bitsFor(threads);
  const coreBits = bitsFor(inSocket);
  const dieBits = bitsFor(dies);
  return Array.from({ length: cpus }, (_, cpu) => {
    const core = Math.floor(cpu / threads);
    const die = Math.floor(core / inSocket);
    const socket = Math.floor(die / dies);
    return (
      (cpu % threads) + ((core % inSocket) + ((die % dies) + socket * 2 ** dieBits) * 2 ** coreBits) * 2 ** threadBits
    );
  });
}

function bitsFor(count: number): number {
  return count <= 1 ? 0 : 32 - Math.clz32(count - 1);
}

/** Whether a property is switched on, as QEMU reads it. */
export function isOn(value: string | undefined, byDefault: boolean): boolean {
  if (value === undefined) return byDefault;
  return ['on', 'yes', 'true', 'y', ''].includes(value);
}
