import { ioapicCodec } from '../../../formats/units/chipset/interrupt-controllers.ts';
import type { PciSlot } from '../../../formats/units/chipset/pci-bus.ts';
import { pciInstance, pciName } from '../../../formats/units/chipset/pci-ids.ts';
import { hpetCodec } from '../../../formats/units/chipset/timers.ts';
import { pdmCodec } from '../../../formats/units/machine/pdm.ts';
import { STORAGE } from '../machine-facts/device-names.ts';
import { type MachineFacts, machineOf } from '../machine-facts/machine-facts.ts';
import type { SavedState } from '../reading/state.ts';
import { LOST_WITH_DRIVE } from './change.ts';
import { type Merge, refused } from './merge.ts';

/** Units of old releases; today's loaders skip their contents. */
const STUBS = ['rem', 'selm', 'CSAM', 'PATM'];
/** Devices that drives are attached to. */
const CONTROLLERS: ReadonlySet<string> = new Set(Object.values(STORAGE));
/** The graphics adapter. */
export const VGA = 'vga/0';
/** Units of every machine, in states of the releases that write them; states of older releases load without them. */
const ALWAYS_THERE = ['ConsoleData'];

/** Gives the state the machine's list of devices; units of devices are dropped and added to match. */
export function mergeDevices(merge: Merge): void {
  const list = merge.value('pdm/1', pdmCodec);
  const wanted = merge.donorValue('pdm/1', pdmCodec);
  if (!list || !wanted)
    throw refused(`the list of devices of ${list ? merge.donor.name : merge.own.name} could not be read`);
  findReplaced(merge);
  const own = new Set(list.devices.map(nameOf));
  const target = new Set(wanted.devices.map(nameOf));
  for (const device of own) if (!target.has(device)) dropDevice(merge, device);
  for (const device of target)
    if (!own.has(device)) takeDevice(merge, device, `device ${device} is new to the guest: it is as after power-on`);
  for (const device of merge.replaced)
    takeDevice(merge, device, `device ${device} is another one in the machine: the guest sees one gone and one new`);
  if ([...own].join() !== [...target].join()) list.devices = wanted.devices;
  dropOtherUnits(merge, own);
  for (const unit of ALWAYS_THERE.map((name) => `${name}/0`))
    if (!merge.own.units.has(unit) && merge.donor.units.has(unit)) merge.takeDonors(unit);
}

function nameOf({ name, instance }: { name: string; instance: number }): string {
  return `${name}/${instance}`;
}

/**
 * Refuses another board: interrupt routing, ports and tables in guest memory belong to the old one, and no merge
 * corrects them.
 */
export function refuseOtherBoards(own: MachineFacts, target: MachineFacts): void {
  if (own.chipset !== target.chipset)
    throw refused(`the chipset is another one; change it back: VBoxManage modifyvm NAME --chipset=${own.chipset}`);
  const hasEfi = ({ devices }: MachineFacts) => devices?.some(({ name }) => name === 'efi');
  if (hasEfi(own) !== hasEfi(target))
    throw refused(
      'the firmware is another one; change it back: VBoxManage modifyvm NAME ' +
        `--firmware=${hasEfi(own) ? 'efi' : 'bios'}`,
    );
  const { nestedVirtualisation: was } = own;
  const { nestedVirtualisation: is } = target;
  if (was !== undefined && is !== undefined && was !== is)
    throw refused(
      `nested virtualisation differs; change it back: VBoxManage modifyvm NAME --nested-hw-virt=${was ? 'on' : 'off'}`,
    );
}

/** Places of devices on the bus, by `name/instance`. */
export function placesOf({ pciSlots = [] }: Pick<SavedState, 'pciSlots'>): Map<string, PciSlot> {
  const places = new Map<string, PciSlot>();
  for (const slot of pciSlots) {
    const name = pciName(slot.vendorId, slot.deviceId);
    if (name !== undefined) places.set(`${name}/${pciInstance(name, slot.devfn, slot.deviceId)}`, slot);
  }
  return places;
}

/** Finds devices that have moved, or are of another vendor or model: the guest does not know these. */
function findReplaced(merge: Merge): void {
  const [was, is] = [merge.own, merge.donor].map(({ state, name }) => machineOf(state, name).vga);
  if (was !== undefined && is !== undefined && was !== is) merge.replaced.add(VGA);
  const places = placesOf(merge.donor.state);
  for (const [device, own] of placesOf(merge.own.state)) {
    const there = places.get(device);
    if (there && (there.devfn !== own.devfn || there.vendorId !== own.vendorId)) merge.replaced.add(device);
  }
}

function dropDevice(merge: Merge, device: string): void {
  const risk = riskOfLosing(merge, device);
  merge.drop(device);
  const drives = CONTROLLERS.has(device.split('/')[0]) ? `; of its drives ${LOST_WITH_DRIVE}` : '';
  if (risk === undefined)
    merge.note('seen', device, `device ${device} is not in the machine: the guest sees it pulled out${drives}`);
  else merge.note('risk', device, `device ${device} is not in the machine, ${risk}`);
}

/** The reason why a guest can't do without a device that it uses; undefined where it can. */
function riskOfLosing(merge: Merge, device: string): string | undefined {
  const MASKED = 0x10000n;
  if (device === 'ioapic/0') {
    const used = merge.value(device, ioapicCodec)?.redirections.some((entry) => (entry & MASKED) === 0n) ?? true;
    return used ? 'and the guest gets its interrupts through it: they would not come any more' : undefined;
  }
  if (device === 'hpet/0') {
    const used = ((merge.value(device, hpetCodec)?.config ?? 1n) & 1n) !== 0n;
    return used ? 'and the guest takes its time from it: its clock would stand still' : undefined;
  }
  if (device.startsWith('iommu-')) return 'and a guest that translates addresses of devices by it would lose them all';
  if (device === 'tpm/0') return 'and the keys in it would be lost';
  return undefined;
}

function takeDevice(merge: Merge, device: string, message: string): void {
  merge.takeDonors(device);
  merge.note(device === VGA ? 'reset' : 'seen', device, message);
}

/** Drops units that the machine has no handler for: the loader would refuse the state. */
function dropOtherUnits(merge: Merge, devices: ReadonlySet<string>): void {
  for (const [unit, { header }] of merge.own.units) {
    if (merge.donor.units.has(unit) || devices.has(unit) || STUBS.includes(header.name)) continue;
    merge.drop(unit);
    merge.note('seen', unit, `unit ${unit} is not in the machine: it is left out`);
  }
}
