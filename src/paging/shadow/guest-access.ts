import { type GuestVirt, PAGE_SIZE } from '../../../formats/sizes.ts';
import { offsetInChunk } from '../../gmm/page-id.ts';
import { canonical } from '../address-space.ts';
import { NO_FAULT, PageFault } from '../page-fault.ts';
import type { ShadowedCpu } from './shadow-state.ts';

/** Results of `reach` in place of a host address. */
export const Reach = { EMULATE: -1, FAULT: -2 } as const;

/**
 * Reads guest memory as the code on a CPU does: from the host's page if shadow tables map it, else through handlers.
 * @returns `NO_FAULT`, or the code of the fault at which the read ended
 */
export function readGuest(cpu: ShadowedCpu, address: GuestVirt, target: Uint8Array, access: number): number {
  return eachPage(cpu, address, target.length, access, (host, from, to) => {
    const piece = target.subarray(from, to);
    if (host === Reach.EMULATE) emulate(cpu, 'read', address + BigInt(from), piece);
    else piece.set(hostBytes(cpu, host, to - from));
  });
}

export function writeGuest(cpu: ShadowedCpu, address: GuestVirt, source: Uint8Array, access: number): number {
  return eachPage(cpu, address, source.length, access | PageFault.WRITE, (host, from, to) => {
    const piece = source.subarray(from, to);
    // After the last pass of a save, all writes are refused; guest memory does that.
    if (host === Reach.EMULATE || cpu.paging.memory.noMorePhysWrites)
      emulate(cpu, 'write', address + BigInt(from), piece);
    else hostBytes(cpu, host, to - from).set(piece);
  });
}

/** Calls `use` for each page of an access. @returns `NO_FAULT`, or the code of the fault at which the access ended */
function eachPage(
  cpu: ShadowedCpu,
  address: GuestVirt,
  size: number,
  access: number,
  use: (host: number, from: number, to: number) => void,
): number {
  const bits = cpu.walker?.scheme.addressBits === 48 ? 48 : 64;
  for (let done = 0; done < size; ) {
    const at = address + BigInt(done);
    if (bits === 48 && canonical(at, bits) !== BigInt.asUintN(64, at)) {
      cpu.cr2 = at;
      cpu.faultCode = access;
      return access;
    }
    const linear = Number(BigInt.asUintN(bits, at));
    const host = cpu.reach(linear, access);
    if (host === Reach.FAULT) return cpu.faultCode;
    const upTo = Math.min(size, done + PAGE_SIZE - (linear % PAGE_SIZE));
    use(host, done, upTo);
    done = upTo;
  }
  return NO_FAULT;
}

/** Makes the access through guest memory, so that physical and virtual handlers see it. */
function emulate(cpu: ShadowedCpu, access: 'read' | 'write', address: GuestVirt, bytes: Uint8Array): void {
  const { memory, rawMode } = cpu.paging;
  // In raw mode, the hypervisor has to map the page into its own address space first.
  const host = rawMode ? memory.hostPageOf(cpu.gcPhys) : 0;
  if (host > 0) rawMode?.dynamicArea.map(host * PAGE_SIZE);
  cpu.paging.memory[access](cpu.gcPhys, bytes, cpu.id, address);
}

function hostBytes({ paging }: ShadowedCpu, host: number, size: number): Uint8Array {
  const id = Math.floor(host / PAGE_SIZE);
  const at = offsetInChunk(id) + (host % PAGE_SIZE);
  return paging.memory.pages.backing.chunkBytes(id).subarray(at, at + size);
}
