import type { IoApic } from '../../../../formats/units/chipset/interrupt-controllers.ts';
import type { Apic } from '../../../../formats/units/cpu/apic.ts';
import { isMasked, MASKED, REMOTE_IRR } from './interrupt-routes.ts';
import type { BusDevice } from './pci.ts';

/** A device whose pin is on one line of the I/O APIC in QEMU, and on another in VirtualBox. */
export interface LineBack {
  device: BusDevice;
  /** Line of QEMU's I/O APIC; undefined: none. */
  from: number | undefined;
  /** Line of VirtualBox's I/O APIC. */
  to: number;
}

/** Parts of an entry. */
const VECTOR = 0xffn;
const IS_LOGICAL = 0x800n;
const DESTINATION = 56n;

const vectorOf = (entry: bigint) => Number(entry & VECTOR);

/**
 * Moves entries to the lines that devices have in VirtualBox. An entry that the guest has set up at that line by itself
 * stays: QEMU's line had a copy of it, and only the state of delivery is taken from there.
 */
export function takeEntriesBack(ioApic: IoApic, lines: readonly LineBack[]): void {
  const before = [...ioApic.redirections];
  const moved = lines.filter(
    ({ from, to }): boolean => from !== undefined && from !== to && !isMasked({ redirections: before }, from),
  ) as (LineBack & { from: number })[];
  const sources = new Set(moved.map(({ from }) => from));
  for (const from of sources) {
    ioApic.redirections[from] = MASKED;
    ioApic.irr = (ioApic.irr & ~(1 << from)) >>> 0;
  }
  for (const { from, to } of moved) {
    const [theirs, own] = [before[from], before[to]];
    const isOwn = vectorOf(own) !== 0 && !sources.has(to);
    const delivery = vectorOf(own) === vectorOf(theirs) ? theirs & REMOTE_IRR : 0n;
    ioApic.redirections[to] = isOwn ? (own & ~REMOTE_IRR) | delivery : theirs;
  }
  for (const { device, to } of lines)
    ioApic.irr = ((ioApic.irr & ~(1 << to)) | (device.pinLevel !== 0 ? 1 << to : 0)) >>> 0;
}

/**
 * Delivers interrupts that devices hold and QEMU could not deliver. VirtualBox looks at a line only when it changes,
 * and a device that waits for its interrupt to be served does not change its line.
 */
export function deliverHeld(ioApic: IoApic, { cpu }: Pick<Apic, 'cpu'>, lines: readonly LineBack[]): void {
  for (const { device, to } of lines) {
    const entry = ioApic.redirections[to];
    if (device.pinLevel === 0 || isMasked(ioApic, to) || (entry & REMOTE_IRR) !== 0n) continue;
    const destination = Number(entry >> DESTINATION);
    const bit = 1 << (vectorOf(entry) & 31);
    for (const { page } of cpu) {
      if (!page) continue;
      const isMeant = (entry & IS_LOGICAL) !== 0n ? ((page.ldr >>> 24) & destination) !== 0 : page.id === destination;
      if (!isMeant) continue;
      page.irr[vectorOf(entry) >>> 5] = (page.irr[vectorOf(entry) >>> 5] | bit) >>> 0;
      page.tmr[vectorOf(entry) >>> 5] = (page.tmr[vectorOf(entry) >>> 5] | bit) >>> 0;
      ioApic.redirections[to] = entry | REMOTE_IRR;
    }
  }
}

/** Number of devices that raise each line. */
export function heldLines<T extends { device: BusDevice }>(
  count: number,
  lines: readonly T[],
  lineOf: (line: T) => number,
): number[] {
  return Array.from(
    { length: count },
    (_, i) => lines.filter((line) => line.device.pinLevel !== 0 && lineOf(line) === i).length,
  );
}
