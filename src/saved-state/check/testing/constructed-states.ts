import { type Piix3Bus, piix3BusCodec } from '../../../../formats/units/chipset/pci-codec.ts';
import { apicCodec } from '../../../../formats/units/cpu/apic.ts';
import { type CpumUnit, cpumCodec } from '../../../../formats/units/cpu/cpum-codec.ts';
import { emCodec } from '../../../../formats/units/cpu/em.ts';
import { gimCodec } from '../../../../formats/units/cpu/gim.ts';
import { trpmCodec } from '../../../../formats/units/cpu/trpm.ts';
import { displayDataCodec } from '../../../../formats/units/display/codecs.ts';
import { consoleDataCodec, hgcmCodec, mmCodec } from '../../../../formats/units/machine/codecs.ts';
import { pdmCodec } from '../../../../formats/units/machine/pdm.ts';
import { vmmDevCodec } from '../../../../formats/units/machine/vmm-dev.ts';
import { CPU_CHANGES } from './constructed-cpus.ts';
import { StateEditor } from './state-editor.ts';

// States of the machine `base` with one thing changed, as no VirtualBox writes them, or as older ones do. The names
// that begin with `constructed:` and `cpum:` are those of test-vectors/machines/forecasts.tsv.

type Make = (state: StateEditor) => StateEditor;

const rubbish = Buffer.from('what no loader looks at');
const stub = (name: string, instance: number, version: number) => ({ name, instance, version, payload: rubbish });

const UNITS: Readonly<Record<string, Make>> = {
  cpum_prefix_1: (s) => cpum(s, (unit) => void Object.assign(unit, { nestedSvm: true })),
  cpum_prefix_256: (s) => cpum(s, (unit) => void Object.assign(unit, { nestedVmx: true })),
  hgcm_unknown_service: (s) =>
    s.edit('HGCM', hgcmCodec, (hgcm) => {
      hgcm.services.push({ nameSize: 20, name: 'VBoxSharedCrOpenGL', clients: 0 });
      hgcm.count++;
    }),
  no_hgcm: (s) => s.drop('HGCM'),
  no_vmmdev: (s) => s.drop('VMMDev'),
  no_pci_no_pdm: (s) => s.drop('pci', 'pdm'),
  consoledata_folder_gone: (s) =>
    s.edit('ConsoleData', consoleDataCodec, (data) => {
      data.count = 1;
      data.folders = [
        {
          ...{ nameSize: 5, name: 'gone', pathSize: 9, path: '/nowhere' },
          ...{ writable: true, autoMount: false, mountPointSize: 1, mountPoint: '' },
        },
      ];
    }),
  consoledata_10001: (s) => s.edit('ConsoleData', consoleDataCodec, () => {}, 0x10001),
  displaydata_two_screens: (s) =>
    s.edit('DisplayData', displayDataCodec, (data) => {
      data.count = 2;
      data.monitors.push({ ...data.monitors[0] });
    }),
  no_displaydata: (s) => s.drop('DisplayData'),
  gim_kvm: (s) =>
    s.edit('GIM', gimCodec, (gim) => {
      const cpu = { systemTimeMsr: 0n, tsc: 0n, virtualNs: 0n, systemTime: 0n, systemTimeVersion: 0, flags: 0 };
      Object.assign(gim, { provider: 3, version: 1, kvm: { version: 1, cpus: [cpu], wallClockMsr: 0n, features: 0 } });
    }),
  stub_units: (s) =>
    s
      .add('cpum', stub('rem', 1, 7))
      .add('rem', stub('selm', 1, 5))
      .add('selm', stub('CSAM', 0, 14))
      .add('CSAM', stub('PATM', 0, 55)),
  audiosniffer_in_pdm4: (s) =>
    s.edit(
      'pdm',
      pdmCodec,
      (pdm) => void pdm.devices.push({ number: pdm.devices.length, name: 'AudioSniffer', instance: 0 }),
      4,
    ),
  pci3: (s) => s.edit('pci', piix3BusCodec, () => {}, 3),
  ...Object.fromEntries(
    [23, 22, 21, 20, 19, 18, 17].map((version) => [`cpum${version}`, (s: StateEditor) => cpum(s, () => {}, version)]),
  ),
  cpum25: (s) => s.version('cpum', 25),
  em3: (s) => s.edit('em', emCodec, () => {}, 3),
  tm2: (s) => s.version('tm', 2),
  gim0: (s) => s.version('GIM', 2),
  disc_ich_unit: (s) => s.add('VMMDev', { name: 'usb-ehci', instance: 0, version: 7, payload: rubbish }),
  'ROM renamed': (s) => s.replace('pgm', 'Net Boot ROM', 'Old Boot ROM'),
};

/** Changes the CPUs; written in another version where one is told. */
function cpum(state: StateEditor, change: (unit: CpumUnit) => void, version?: number): StateEditor {
  return state.edit('cpum', cpumCodec, change, version);
}

/** The device at the last place of the bus. */
function lastOf({ devices }: Piix3Bus): Piix3Bus['devices'][number] {
  return devices[devices.length - 1];
}

/**
 * States that the table lacks, with changes to all that loaders compare or check in the units that every machine has.
 */
const MORE: Readonly<Record<string, Make>> = {
  'mm: a page more': (s) => s.edit('mm', mmCodec, (mm) => void Object.assign(mm, { ramSize: mm.ramSize + 4096 })),
  'apic: x2APIC allowed': (s) => s.edit('apic', apicCodec, (apic) => void Object.assign(apic, { mode: 3 })),
  'apic: I/O APIC': (s) => s.edit('apic', apicCodec, (apic) => void Object.assign(apic, { hasIoApic: true })),
  'VMMDev: keeps credentials': (s) =>
    s.edit('VMMDev', vmmDevCodec, (own) => void Object.assign(own, { keepCredentials: true })),
  'VMMDev: no heap': (s) => s.edit('VMMDev', vmmDevCodec, (own) => void Object.assign(own, { hasHeap: false })),
  'VMMDev: requests by MMIO': (s) =>
    s.edit('VMMDev', vmmDevCodec, (own) => void Object.assign(own, { mmioRequests: true })),
  'VMMDev: host time off': (s) =>
    s.edit('VMMDev', vmmDevCodec, (own) => void Object.assign(own, { hostTimeOff: true })),
  ...Object.fromEntries(
    [19, 18, 17].map((version) => [
      `VMMDev ${version}`,
      (s: StateEditor) => s.edit('VMMDev', vmmDevCodec, () => {}, version),
    ]),
  ),
  'trpm 10': (s) => s.edit('trpm', trpmCodec, () => {}, 10),
  'em 4': (s) => s.edit('em', emCodec, () => {}, 4),
  'pdm 3': (s) => s.edit('pdm', pdmCodec, () => {}, 3),
  'HGCM 2': (s) => s.edit('HGCM', hgcmCodec, () => {}, 2),
  'pdm: a device twice': (s) =>
    s.edit('pdm', pdmCodec, (pdm) => void pdm.devices.push({ ...pdm.devices[0], number: pdm.devices.length })),
  'pdm: another instance': (s) => s.edit('pdm', pdmCodec, (pdm) => void Object.assign(pdm.devices[3], { instance: 1 })),
  'pdm: a device of another name': (s) =>
    s.edit('pdm', pdmCodec, (pdm) => void Object.assign(pdm.devices[3], { name: 'what' })),
  'pdm: a device less': (s) => s.edit('pdm', pdmCodec, (pdm) => void pdm.devices.pop()),
  'pdm: in another order': (s) =>
    s.edit('pdm', pdmCodec, (pdm) => {
      pdm.devices.reverse();
      for (const [number, device] of pdm.devices.entries()) device.number = number;
    }),
  'pdm: numbers with a gap': (s) => s.edit('pdm', pdmCodec, (pdm) => void Object.assign(pdm.devices[2], { number: 9 })),
  'pdm: DMA pending 2': (s) => s.edit('pdm', pdmCodec, (pdm) => void Object.assign(pdm, { dma: 2 })),
  'pci: the last device less': (s) => s.edit('pci', piix3BusCodec, (bus) => void bus.devices.pop()),
  'pci: a device twice': (s) => s.edit('pci', piix3BusCodec, (bus) => void bus.devices.push({ ...bus.devices[0] })),
  'pci: another vendor': (s) => s.edit('pci', piix3BusCodec, (bus) => void lastOf(bus).config.fill(0x22, 0, 2)),
  'pci: another device number': (s) => s.edit('pci', piix3BusCodec, (bus) => void lastOf(bus).config.fill(0x22, 2, 4)),
  'pci: a device at another place': (s) =>
    s.edit('pci', piix3BusCodec, (bus) => void Object.assign(lastOf(bus), { devfn: lastOf(bus).devfn + 8 })),
  'GCM: a fixer': (s) => s.put('GCM', Buffer.of(1, 0, 0, 0)),
  'HWACCM: a patch': (s) => s.put('HWACCM', Buffer.concat([Buffer.alloc(20), Buffer.of(1, 0, 0, 0)])),
  'mc146818: another interrupt': (s) => s.set('mc146818', (own) => void Object.assign(own, { irq: 9 })),
  'mc146818: another port': (s) => s.set('mc146818', (own) => void Object.assign(own, { port: 0x72 })),
  'i8254: another port': (s) => s.set('i8254', (own) => void Object.assign(own, { port: 0x44 })),
  'GIM: minimal': (s) => s.edit('GIM', gimCodec, (gim) => void Object.assign(gim, { provider: 1 })),
  'GIM: another version': (s) => s.edit('GIM', gimCodec, (gim) => void Object.assign(gim, { version: 1 })),
  'HGCM: no services': (s) =>
    s.edit('HGCM', hgcmCodec, (hgcm) => {
      hgcm.services = [];
      hgcm.count = 0;
    }),
  'a unit twice': (s) => s.add('i8259', { name: 'i8259', instance: 0, version: 1, payload: s.payload('i8259') }),
  'a unit of another instance': (s) =>
    s.add('i8259', { name: 'i8259', instance: 1, version: 1, payload: s.payload('i8259') }),
};

/** Makes every unit a byte longer, a byte shorter, and empty. */
function ofOtherSizes(state: StateEditor): Record<string, Make> {
  const sized = state.names.filter((name) => name !== 'pgm' && state.payload(name).length > 0);
  return Object.fromEntries(
    sized.flatMap((name): [string, Make][] => [
      [`${name}: a byte more`, (s) => s.put(name, Buffer.concat([s.payload(name), Buffer.of(0)]))],
      [`${name}: a byte less`, (s) => s.put(name, s.payload(name).subarray(0, -1))],
      [`${name}: empty`, (s) => s.put(name, Buffer.alloc(0))],
    ]),
  );
}

/** All of them, by name. @param base a state of the machine `base` */
export function constructedStates(base: Buffer): Map<string, () => Buffer> {
  const named = (prefix: string, made: Readonly<Record<string, Make>>) =>
    Object.entries(made).map(([name, make]): [string, () => Buffer] => [
      `${prefix}${name}`,
      () => make(new StateEditor(base)).done(),
    ]);
  const cpus = Object.fromEntries(
    Object.entries(CPU_CHANGES).map(([name, change]) => [name, (state: StateEditor) => cpum(state, change)]),
  );
  return new Map([
    ...named('constructed: ', UNITS),
    ...named('cpum: ', cpus),
    ...named('', MORE),
    ...named('', ofOtherSizes(new StateEditor(base))),
  ]);
}
