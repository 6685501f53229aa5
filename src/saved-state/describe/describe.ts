import type { Pass } from '../../../formats/errors.ts';
import type { Release } from '../../../formats/ssm/container.ts';
import type { GuestClock } from '../../../formats/units/chipset/mc146818.ts';
import type { PagingFeatures } from '../../../formats/units/cpu/cpuid.ts';
import { registersNote } from '../reading/registers-note.ts';
import type { SavedState, UnitSummary } from '../reading/state.ts';
import { type CpuDescription, describeCpus } from './describe-cpus.ts';
import { describeMachine, type SavedMachine } from './describe-machine.ts';
import { describeMemory, type MemoryDescription } from './describe-memory.ts';

// A state as plain data for JSON and for tables: addresses and registers as hexadecimal text, sizes and counts as
// numbers.

/** One unit. */
export interface UnitDescription {
  /** Name of the unit. */
  name: string;
  /** Number among units of one name. */
  instance: number;
  /** Version of the payload. */
  version: number;
  /** The pass that wrote it. */
  pass: Pass;
  /** Offset of its header in the file. */
  offset: number;
  /** Bytes in the file. */
  size: number;
  /** Bytes after decompression. */
  payloadSize: number;
}

/** Contents of a state. */
export interface StateDescription {
  /** The file as a whole. */
  container: {
    format: string;
    release?: string;
    revision?: number;
    hostBits?: number;
    gcPhysWidth: number;
    gcPtrWidth: number;
    streamCrc: boolean;
    live: boolean;
    size: number;
    directoryEntries?: number;
  };
  /** Facts from unit SSM about the build, by name. */
  build: Record<string, string>;
  /** Units in the order of the file. */
  units: UnitDescription[];
  /** Guest memory; absent where there is no such unit. */
  memory?: MemoryDescription;
  /** Facts from units about the machine. */
  machine: SavedMachine;
  /** CPUs by number. */
  cpus: CpuDescription[];
  /** Reason for missing registers; absent where there are registers. */
  registersMissing?: string;
  /** Paging features in CPUID; absent where they are not known. */
  features?: PagingFeatures;
  /** Time of the guest's real-time clock. */
  clock?: GuestClock;
}

/** The description that `inspect` shows. */
export function describeState(state: SavedState): StateDescription {
  const description: StateDescription = {
    container: describeContainer(state),
    build: state.buildInfo,
    units: state.units.map(describeUnit),
    machine: describeMachine(state),
    cpus: describeCpus(state),
  };
  const memory = describeMemory(state);
  if (memory) description.memory = memory;
  const note = registersNote(state);
  if (note !== undefined) description.registersMissing = note;
  if (state.cpum?.features) description.features = state.cpum.features;
  if (state.guestClock) description.clock = state.guestClock;
  return description;
}

export function releaseText({ major, minor, build }: Release): string {
  return `${major}.${minor}.${build}`;
}

function describeContainer({ header, size, directory }: SavedState): StateDescription['container'] {
  const { format, release, hostBits, widths, streamCrc, live } = header;
  return {
    format,
    ...(release ? { release: releaseText(release), revision: release.revision } : {}),
    hostBits,
    gcPhysWidth: widths.gcPhys,
    gcPtrWidth: widths.gcPtr,
    streamCrc,
    live,
    size,
    directoryEntries: directory?.length,
  };
}

export function describeUnit({
  name,
  instance,
  version,
  pass,
  offset,
  size,
  payloadSize,
}: UnitSummary): UnitDescription {
  return { name, instance, version, pass, offset, size, payloadSize };
}
