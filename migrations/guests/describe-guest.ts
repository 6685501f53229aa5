import { PAGE_SIZE } from '../../formats/sizes.ts';
import type { QemuDescription } from '../machine/description.ts';
import type { GuestDisk } from './guest-disks.ts';
import type { GuestFacts } from './guest-facts.ts';

/** Description of a guest, on which both sides have to agree before a page moves. */
export function describeGuest(facts: GuestFacts): QemuDescription {
  const { name, version, cpus, machineType, accelerator, devices } = facts;
  return {
    hypervisor: 'qemu',
    name,
    release: version,
    cpus,
    executes: true,
    machineType,
    accelerator,
    devices,
    disks: writableDisks(facts).map(({ node, device, bytes }) => ({ node, device, bytes })),
    regions: facts.backends.map(({ id, bytes, offset }, i) => ({
      kind: 'ram',
      name: id,
      id: i,
      firstFrame: 0,
      pages: bytes / PAGE_SIZE,
      fileOffset: offset,
    })),
  };
}

/** Media that the guest can write to, in the order of the description. */
export function writableDisks({ disks }: GuestFacts): GuestDisk[] {
  return disks.filter(({ isReadOnly }) => !isReadOnly);
}
