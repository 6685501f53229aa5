import { parallelCodec } from '../../../formats/units/chipset/parallel.ts';
import { serialCodec } from '../../../formats/units/chipset/serial.ts';
import type { UnitCodec } from '../../../formats/units/codec/codec.ts';
import { apicCodec } from '../../../formats/units/cpu/apic.ts';
import { gimCodec } from '../../../formats/units/cpu/gim.ts';
import { displayDataCodec, vgaCodec } from '../../../formats/units/display/codecs.ts';
import { hgcmCodec } from '../../../formats/units/machine/codecs.ts';
import { vmmDevCodec } from '../../../formats/units/machine/vmm-dev.ts';
import { E1000_CHIPS, e1000Codec, PCNET_TYPES, pcnetCodec } from '../../../formats/units/network/codecs.ts';
import { busLogicCodec, lsiLogicCodec } from '../../../formats/units/storage/scsi-codecs.ts';
import { isCompared } from '../../../formats/units/table.ts';
import { LOST_WITH_DRIVE } from './change.ts';
import { mergeAhci, mergeIde } from './drives.ts';
import { type Merge, refused } from './merge.ts';

/** Replaces the parts of a unit that its loader compares by the machine's; the rest stays. */
interface Rule<T> {
  /** Units of this name, of any instance. */
  unit: string;
  codec: UnitCodec<T>;
  /** Changes `own` in place. */
  merge(own: T, donor: T, merge: Merge, unit: string): void;
}

function rule<T>(unit: string, codec: UnitCodec<T>, merge: Rule<T>['merge']): Rule<unknown> {
  return { unit, codec, merge } as Rule<unknown>;
}

const X2APIC_IN_USE = 0x400n;
const X2APIC_ALLOWED = 3;

const RULES: readonly Rule<unknown>[] = [
  rule('apic', apicCodec, (own, donor, merge, unit) => {
    if (own.mode === donor.mode && own.hasIoApic === donor.hasIoApic) return;
    if (donor.mode < X2APIC_ALLOWED && own.cpu.some(({ base }) => (base & X2APIC_IN_USE) !== 0n))
      throw refused(
        'the guest uses x2APIC, which the machine does not allow; allow it: VBoxManage modifyvm NAME --x2apic=on',
      );
    const mode = (value: number) =>
      value === X2APIC_ALLOWED ? 'x2APIC allowed' : value === 2 ? 'APIC' : `APIC mode ${value}`;
    merge.note(
      'kept',
      unit,
      `${mode(own.mode)}, I/O APIC ${onOff(own.hasIoApic)} becomes ${mode(donor.mode)}, I/O APIC ` +
        `${onOff(donor.hasIoApic)}`,
    );
    own.mode = donor.mode;
    own.hasIoApic = donor.hasIoApic;
  }),
  rule('serial', serialCodec, (own, donor, merge, unit) => {
    if (own.irq === donor.irq && own.port === donor.port && own.type === donor.type) return;
    const text = ({ irq, port, type }: typeof own) => `port 0x${port.toString(16)}, interrupt ${irq}, type ${type}`;
    merge.note('seen', unit, `${text(own)} becomes ${text(donor)}: at its old place the guest reads nothing`);
    Object.assign(own, { irq: donor.irq, port: donor.port, type: donor.type });
  }),
  rule('parallel', parallelCodec, (own, donor, merge, unit) => {
    if (own.irq === donor.irq && own.port === donor.port) return;
    const text = ({ irq, port }: typeof own) => `port 0x${port.toString(16)}, interrupt ${irq}`;
    merge.note('seen', unit, `${text(own)} becomes ${text(donor)}: at its old place the guest reads nothing`);
    Object.assign(own, { irq: donor.irq, port: donor.port });
  }),
  rule('e1000', e1000Codec, (own, donor, merge, unit) => {
    if (own.chip === donor.chip) return;
    merge.note(
      'kept',
      unit,
      `model ${E1000_CHIPS[own.chip]} becomes ${E1000_CHIPS[donor.chip]}, which the guest sees only ` +
        'after its reset',
    );
    own.chip = donor.chip;
  }),
  rule('pcnet', pcnetCodec, (own, donor, merge, unit) => {
    if (own.type === donor.type) return;
    merge.note(
      'kept',
      unit,
      `model ${PCNET_TYPES[own.type]} becomes ${PCNET_TYPES[donor.type]}, which the guest sees only ` +
        'after its reset',
    );
    own.type = donor.type;
    own.timers = donor.timers.map((timer, i) => own.timers[i] ?? timer);
  }),
  rule('lsilogicscsi', lsiLogicCodec, mergeScsi),
  rule('lsilogicsas', lsiLogicCodec, mergeScsi),
  rule('buslogic', busLogicCodec, (own, donor, merge, unit) => {
    for (const [i, { attached }] of donor.devices.entries()) {
      if (own.devices[i].attached === attached) continue;
      noteDevice(merge, unit, i, attached);
      own.devices[i] = donor.devices[i];
    }
  }),
  rule('vga', vgaCodec, mergeVga),
  rule('DisplayData', displayDataCodec, (own, donor, merge, unit) => {
    if (own.count === donor.count) return;
    merge.takeDonors(unit);
    merge.note('kept', unit, `monitors: ${own.count} become ${donor.count}`);
  }),
  rule('GIM', gimCodec, mergeGim),
  rule('HGCM', hgcmCodec, mergeServices),
  rule('VMMDev', vmmDevCodec, (own, donor, merge, unit) => {
    const { keepCredentials, hasHeap, mmioRequests } = donor;
    if (own.keepCredentials === keepCredentials && own.hasHeap === hasHeap && own.mmioRequests === mmioRequests) return;
    merge.note('kept', unit, 'settings of the device for guest additions become those of the machine');
    Object.assign(own, { keepCredentials, hasHeap, mmioRequests });
  }),
];

/** Applies the rules; a unit without a rule is replaced by the machine's if its compared part differs. */
export function mergeComparedParts(merge: Merge): void {
  for (const [unit, { header }] of merge.own.units) {
    if (merge.originOf(unit) !== 'own' || !merge.donor.units.has(unit)) continue;
    if (header.name === 'ahci' && mergeAhci(merge, unit)) continue;
    if (header.name === 'piix3ide' && mergeIde(merge, unit)) continue;
    const known = RULES.find((each) => each.unit === header.name);
    const own = known && merge.value(unit, known.codec);
    const donor = known && merge.donorValue(unit, known.codec);
    if (known && own !== undefined && donor !== undefined) known.merge(own, donor, merge, unit);
    else takeWhereDifferent(merge, unit, header.name);
  }
}

/** Takes the machine's unit if the compared part differs; the rest of its layout is not known. */
function takeWhereDifferent(merge: Merge, unit: string, name: string): void {
  if (!isCompared(name)) return;
  const own = merge.own.state.configs.get(unit);
  const donor = merge.donor.state.configs.get(unit);
  if (own !== undefined && donor !== undefined && JSON.stringify(own) === JSON.stringify(donor)) return;
  if (own === undefined && donor === undefined && sameStart(merge, unit)) return;
  merge.takeDonors(unit);
  merge.note(
    name === 'tpm' ? 'loss' : 'reset',
    unit,
    `${unit} has another configuration in the machine: it is as after power-on, and its driver has to set it up anew`,
  );
}

/** Whether two payloads begin with the same address, which their loader compares. */
function sameStart({ own, donor }: Merge, unit: string): boolean {
  const start = (state: typeof own) => Buffer.from(state.units.get(unit)?.payload.subarray(0, 3) ?? []).toString('hex');
  return start(own) === start(donor);
}

interface Scsi {
  count: number;
  ports: number;
  type: number;
  attached: boolean[];
}

function mergeScsi(own: Scsi, donor: Scsi, merge: Merge, unit: string): void {
  if (own.count !== donor.count || own.ports !== donor.ports || own.type !== donor.type) {
    merge.takeDonors(unit);
    merge.note(
      'reset',
      unit,
      'the controller has other ports: it is as after power-on, and its driver has to set it up anew',
    );
    return;
  }
  for (const [i, isAttached] of donor.attached.entries()) {
    if (own.attached[i] === isAttached) continue;
    noteDevice(merge, unit, i, isAttached);
    own.attached[i] = isAttached;
  }
}

function noteDevice(merge: Merge, unit: string, place: number, isAttached: boolean): void {
  const what = isAttached ? 'is new: the guest finds it when it looks' : `is gone: ${LOST_WITH_DRIVE}`;
  merge.note('seen', unit, `device ${place} ${what}`);
}

type Vga = ReturnType<(typeof vgaCodec)['decode']>;

function mergeVga(own: Vga, donor: Vga, merge: Merge, unit: string): void {
  const has3d = merge.own.state.has3d;
  if (has3d !== merge.donor.state.has3d && has3d !== undefined && merge.donor.state.has3d !== undefined) {
    merge.takeDonors(unit);
    merge.note('reset', unit, '3D acceleration differs: the screen stays black until the driver sets it up anew');
    return;
  }
  if (donor.monitors < own.monitors) {
    merge.takeDonors(unit);
    merge.note('reset', unit, `monitors: ${own.monitors} become ${donor.monitors}; graphics are as after power-on`);
    return;
  }
  if (donor.monitors !== own.monitors) merge.note('kept', unit, `monitors: ${own.monitors} become ${donor.monitors}`);
  if (donor.vramSize > own.vramSize)
    merge.note('kept', unit, `video memory: ${own.vramSize} bytes become ${donor.vramSize}`);
  if (donor.vramSize < own.vramSize)
    merge.note(
      'risk',
      unit,
      `video memory: ${own.vramSize} bytes become ${donor.vramSize}; guest additions keep their data at its end`,
    );
  Object.assign(own, { monitors: donor.monitors, vramSize: donor.vramSize });
}

type Gim = ReturnType<(typeof gimCodec)['decode']>;

const KVM = 3;
const HYPER_V = 2;
const CLOCK_IN_USE = 1n;

function mergeGim(own: Gim, donor: Gim, merge: Merge, unit: string): void {
  if (own.provider === donor.provider && own.version === donor.version) return;
  const usesClock = own.kvm?.cpus.some(({ systemTimeMsr }) => (systemTimeMsr & CLOCK_IN_USE) !== 0n) ?? false;
  const isRisk = own.provider === HYPER_V || (own.provider === KVM && usesClock);
  merge.takeDonors(unit);
  const names = ['none', 'minimal', 'Hyper-V', 'KVM'];
  const [before, after] = [own, donor].map(({ provider }) => names[provider] ?? provider);
  const what = `paravirtualisation ${before} becomes ${after}`;
  merge.note(
    isRisk ? 'risk' : 'kept',
    unit,
    isRisk
      ? `${what}; a guest that takes its time from it sees its clock stand still`
      : `${what}, which the guest does not use`,
  );
}

type Hgcm = ReturnType<(typeof hgcmCodec)['decode']>;

/** Reduces the list of the host's services, which depends on the release, to those in the machine's state. */
function mergeServices(own: Hgcm, donor: Hgcm, merge: Merge, unit: string): void {
  const there = new Set(donor.services.map(({ name }) => name));
  const gone = own.services.filter(({ name }) => !there.has(name));
  if (gone.length === 0 && own.services.length === own.count) return;
  if (gone.some(({ clients }) => clients > 0) || own.services.length < own.count) {
    if (gone.length === 0) return;
    merge.takeDonors(unit);
    merge.note('seen', unit, `the host has no service ${gone[0].name}: all connections of guest additions end`);
    return;
  }
  for (const { name } of gone) merge.note('seen', unit, `the host has no service ${name}, which had no clients`);
  own.services = own.services.filter(({ name }) => there.has(name));
  own.count -= gone.length;
}

function onOff(value: boolean): string {
  return value ? 'on' : 'off';
}
