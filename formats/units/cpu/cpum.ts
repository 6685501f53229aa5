import { OutOfBytes } from '../../binary/cursor.ts';
import { FormatError } from '../../errors.ts';
import { collected, type UnitRow, versions } from '../codec/unit-row.ts';
import { findCpuidPart, type PagingFeatures, readPagingFeatures, readPhysicalBits } from './cpuid.ts';
import { type CpuidPart, readCpuidPart } from './cpuid-leaves.ts';
import { cpumCodec } from './cpum-codec.ts';
import { type CpuRegisters, FIRST_MODERN, FIRST_WITH_PREFIX, readCpus } from './cpum-contexts.ts';
import type { ControlRegisters } from './cpum-layouts.ts';

export type { ControlRegisters, CpuRegisters };

/** Unit "cpum", instance 1: registers of the virtual CPUs, and the guest's CPUID (pgm-unit.md 10.2). */
export const CPUM_UNIT = { name: 'cpum', instance: 1 } as const;

/** Decoded unit cpum. */
export interface Cpum {
  /** Registers of the CPUs, by number of the CPU. */
  cpus: CpuRegisters[];
  /** Paging features that the guest sees; absent where the CPUID part could not be found. */
  features?: PagingFeatures;
  /** Width of guest-physical addresses in bits; absent where CPUID does not tell. */
  physicalBits?: number;
  /** CPUID of guest and host; versions 15 and later. */
  cpuid?: CpuidPart;
  /** The guest can run machines itself, with AMD-V or VT-x; version 24. */
  nestedVirtualisation?: boolean;
}

/** Versions that any release read or wrote. */
export const CPUM_VERSIONS = [6, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24];
/** Largest payload that is decoded: 512 VCPUs with all of their extended state. */
export const CPUM_LIMIT = 16 * 1024 * 1024;

/** Reads the payload of a final pass. @throws FormatError for one that does not fit its version */
export function readCpum(payload: Uint8Array, version: number): Cpum {
  try {
    const { cpus, end } = readCpus(payload, version);
    const features = readPagingFeatures(payload, end, version);
    const physicalBits = readPhysicalBits(payload, end, version);
    const nested = version >= FIRST_WITH_PREFIX ? { nestedVirtualisation: payload[0] !== 0 || payload[1] !== 0 } : {};
    const cpuid = readCpuidPart(payload, version);
    return {
      cpus,
      features,
      ...(physicalBits ? { physicalBits } : {}),
      cpuid,
      ...nested,
    };
  } catch (error) {
    if (!(error instanceof OutOfBytes || error instanceof RangeError)) throw error;
    throw new FormatError(
      'too-short',
      `Cannot read unit cpum: the payload ends too early`,
      {},
      'VERR_SSM_LOADED_TOO_MUCH',
    );
  }
}

/** New values for a CPU's registers. */
export interface NewRegisters extends ControlRegisters {
  /** Legacy PAE: the four latched pointers. */
  paePointers?: readonly bigint[] | undefined;
}

/**
 * A copy of a payload of the final pass with other control registers. @param registers by CPU; undefined keeps a CPU's
 * own @throws FormatError as `readCpum`
 */
export function withControlRegisters(
  payload: Uint8Array,
  version: number,
  cpus: readonly (NewRegisters | undefined)[],
): Uint8Array {
  const copy = payload.slice();
  const view = new DataView(copy.buffer);
  for (const [i, { context, offsets, paePointers: pointersAt }] of readCpus(payload, version).places.entries()) {
    const registers = cpus[i];
    if (!registers) continue;
    for (const name of ['cr0', 'cr2', 'cr3', 'cr4', 'efer'] as const)
      view.setBigUint64(context + offsets[name], registers[name], true);
    if (pointersAt === undefined || !registers.paePointers) continue;
    for (const [n, pointer] of registers.paePointers.entries()) view.setBigUint64(pointersAt + n * 8, pointer, true);
  }
  return copy;
}

/**
 * The payload for pass 0 of a live save, taken from that of the final pass: the CPUID part alone. Versions 15 and
 * later. Undefined where it is not found. Source: CPUM.cpp, cpumR3LiveExec.
 */
function cpumLivePass(payload: Uint8Array, version: number): Uint8Array | undefined {
  const at = findCpuidPart(payload, version);
  if (at === undefined) return undefined;
  const prefix = version >= FIRST_WITH_PREFIX ? 2 : 0;
  const live = new Uint8Array(prefix + payload.length - at);
  live.set(payload.subarray(0, prefix));
  live.set(payload.subarray(at), prefix);
  return live;
}

const row: UnitRow = {
  unit: CPUM_UNIT.name,
  instance: CPUM_UNIT.instance,
  versions: CPUM_VERSIONS,
  facts: collected(CPUM_LIMIT, (payload, { version }) => ({ cpum: readCpum(payload, version) })),
  livePass: cpumLivePass,
};

export const cpumRows: readonly UnitRow[] = [{ ...row, versions: versions(FIRST_MODERN, 24), codec: cpumCodec }, row];
