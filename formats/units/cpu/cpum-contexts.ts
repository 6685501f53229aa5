import { Cursor } from '../../binary/cursor.ts';
import { STRUCT_BEGIN, STRUCT_END } from '../../binary/markers.ts';
import { FormatError, tooMany } from '../../errors.ts';
import { findCpuidPart } from './cpuid.ts';
import {
  CONTEXT_END,
  CONTEXT_SIZE,
  type ControlOffsets,
  type ControlRegisters,
  fpuState,
  type GuestContext,
  guestContext,
  xStateHeader,
} from './cpum-layouts.ts';
import { CONTEXT_6, CONTEXT_8, CONTEXT_14, type OldContext } from './cpum-old-layouts.ts';

// Places of the contexts of CPUs in the unit cpum of each version (pgm-unit.md 10.2).

const X_STATE_SIZE = xStateHeader.size();
const MAX_CPUS = 512;
/** First version whose structures have markers, in an order that has not changed since. */
export const FIRST_MODERN = 17;
/** First version whose structures have markers. */
const FIRST_STRUCTURED = 14;
/** First version with the four pointers of legacy PAE before the flags. */
const FIRST_WITH_PAE_POINTERS = 21;
const PAE_POINTERS_SIZE = 4 * 8;
/** First version with two bytes before the count. */
export const FIRST_WITH_PREFIX = 24;

/** Registers of one CPU. */
export interface CpuRegisters extends ControlRegisters {
  /** All registers; in versions before 17, XCR0 is the value with which VirtualBox loads them. */
  context?: GuestContext;
  /** The first 416 bytes of an FXSAVE image. */
  fxsave?: Uint8Array;
  /** Components of the extended state that hold something (XSTATE_BV); versions 17 and later. */
  xStateInUse?: bigint;
  /** MSR TSC_AUX, the first of the MSRs; versions 10 and later, absent where the end of the MSRs could not be found. */
  tscAux?: bigint;
}

/** Registers of all CPUs, and their places in a payload. */
export interface CpuContexts {
  cpus: CpuRegisters[];
  /** By CPU: offsets of its control registers, and of PAE's page-directory pointers where the version has them. */
  places: { context: number; offsets: ControlOffsets; paePointers?: number }[];
  /** Offset of the CPUID part. */
  end: number;
}

/** Reads the contexts of all CPUs. @throws FormatError; RangeError or OutOfBytes for a payload that ends too early */
export function readCpus(payload: Uint8Array, version: number): CpuContexts {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  if (version >= FIRST_MODERN) return readModern(payload, view, version);
  if (version === 6 || version === 8) return readFirst(payload, version === 6 ? CONTEXT_6 : CONTEXT_8);
  return version >= FIRST_STRUCTURED ? readStructured(payload, view) : readV9to13(payload, view, version);
}

/** Flags after each context: use of the FPU, changed parts. */
const FLAGS_SIZE = 8;

/** One hypervisor context, one guest context. */
function readFirst(payload: Uint8Array, layout: OldContext): CpuContexts {
  const at = layout.size;
  return {
    cpus: [readOld(payload, at, layout)],
    places: [{ context: at, offsets: layout.offsets }],
    end: at + layout.size + FLAGS_SIZE,
  };
}

/**
 * Reads versions 9 to 13: the count comes after one hypervisor context, or after one for each VCPU. It is
 * found where a value equals the number of contexts before it.
 */
function readV9to13(payload: Uint8Array, view: DataView, version: number): CpuContexts {
  const { size } = CONTEXT_8;
  let count = view.getUint32(size, true);
  let at = size + 4;
  if (version >= 10) {
    for (let n = 1; n <= MAX_CPUS && (n + 1) * size <= view.byteLength; n++) {
      if (view.getUint32(n * size, true) !== n) continue;
      count = n;
      at = n * size + 4;
      break;
    }
  }
  let msrSize = version >= 10 ? 512 : 0;
  if (version === 13) {
    msrSize = view.getUint32(at, true);
    at += 4;
  }
  return readList(payload, at, count, msrSize, CONTEXT_8);
}

function readStructured(payload: Uint8Array, view: DataView): CpuContexts {
  const { size } = CONTEXT_14;
  let count = 1;
  while (count <= MAX_CPUS && view.getUint32(count * size, true) === STRUCT_BEGIN) count++;
  if (count > MAX_CPUS) throw tooMany('VCPUs', MAX_CPUS);
  if (view.getUint32(count * size, true) !== count) throw damaged('the number of VCPUs does not fit');
  return readList(payload, count * size + 8, count, view.getUint32(count * size + 4, true), CONTEXT_14);
}

/** Contexts with flags and MSRs after each. */
function readList(payload: Uint8Array, start: number, count: number, msrSize: number, layout: OldContext): CpuContexts {
  checkCount(count, payload.length);
  const stride = layout.size + FLAGS_SIZE + msrSize;
  const cpus = Array.from({ length: count }, (_, i) => {
    const cpu = readOld(payload, start + i * stride, layout);
    if (msrSize >= 8) cpu.tscAux = new Cursor(payload, start + i * stride + layout.size + FLAGS_SIZE).bigU64();
    return cpu;
  });
  const places = cpus.map((_, i) => ({ context: start + i * stride, offsets: layout.offsets }));
  return { cpus, places, end: start + count * stride };
}

function readOld(payload: Uint8Array, at: number, layout: OldContext): CpuRegisters {
  const { context, fxsave } = layout.read(new Cursor(payload, at));
  const { cr0, cr2, cr3, cr4, efer } = context;
  return { cr0, cr2, cr3, cr4, efer, context, fxsave };
}

/**
 * Each VCPU: obsolete or hypervisor context, guest context, x87/SSE state, then optional parts, which make the distance
 * vary; so the next one is found by its markers.
 */
function readModern(payload: Uint8Array, view: DataView, version: number): CpuContexts {
  let at = version >= FIRST_WITH_PREFIX ? 2 : 0;
  const count = view.getUint32(at, true);
  const msrSize = view.getUint32(at + 4, true);
  checkCount(count, view.byteLength);
  at += 8;
  const cpus: CpuRegisters[] = [];
  const starts: number[] = [];
  for (let i = 0; i < count; i++) {
    while (!isContextPair(view, at)) at++;
    starts.push(at);
    const cursor = new Cursor(payload, at + CONTEXT_SIZE);
    const context = guestContext.read(cursor);
    const { cr0, cr2, cr3, cr4, efer } = context;
    const { fxsave } = fpuState.read(cursor);
    cpus.push({ cr0, cr2, cr3, cr4, efer, context, fxsave });
    at = cursor.at;
    if (isMarked(view, at, X_STATE_SIZE)) cpus[i].xStateInUse = xStateHeader.read(cursor).inUse;
  }
  // The MSRs are the last part of a VCPU.
  const ends = [...starts.slice(1), findCpuidPart(payload, version)];
  const places: CpuContexts['places'] = starts.map((start) => ({
    context: start + CONTEXT_SIZE,
    offsets: guestContext.offsets,
  }));
  for (const [i, end] of ends.entries()) {
    if (end === undefined || end - msrSize < starts[i]) continue;
    if (msrSize >= 8) cpus[i].tscAux = view.getBigUint64(end - msrSize, true);
    if (version >= FIRST_WITH_PAE_POINTERS) places[i].paePointers = end - msrSize - FLAGS_SIZE - PAE_POINTERS_SIZE;
  }
  return { cpus, places, end: at + 8 + msrSize };
}

/** Whether there is a structure of `size` bytes, markers included. */
function isMarked(view: DataView, at: number, size: number): boolean {
  return (
    at + size <= view.byteLength &&
    view.getUint32(at, true) === STRUCT_BEGIN &&
    view.getUint32(at + size - 4, true) === STRUCT_END
  );
}

function isContextPair(view: DataView, at: number): boolean {
  return (
    view.getUint32(at, true) === STRUCT_BEGIN &&
    view.getUint32(at + CONTEXT_END, true) === STRUCT_END &&
    view.getUint32(at + CONTEXT_SIZE, true) === STRUCT_BEGIN &&
    view.getUint32(at + CONTEXT_SIZE + CONTEXT_END, true) === STRUCT_END
  );
}

/** @param room bytes of the payload: no VCPU takes fewer than a context */
function checkCount(count: number, room: number): void {
  if (count < 1 || count * LEAST_CONTEXT_SIZE > room) throw damaged(`${count} VCPUs in ${room} bytes`);
  if (count > MAX_CPUS) throw tooMany('VCPUs', MAX_CPUS);
}

/** Version 14 has the smallest context. */
const LEAST_CONTEXT_SIZE = CONTEXT_14.size;

function damaged(what: string): FormatError {
  return new FormatError('bad-cpum', `Cannot read unit cpum: ${what}`);
}
