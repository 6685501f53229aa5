import { hex } from '../../../formats/errors.ts';
import type { PdmDevice } from '../../../formats/units/pdm.ts';
import { MIB } from '../../../formats/units.ts';
import type { Finding } from '../findings.ts';
import type { SavedState } from '../state.ts';
import { DEVICE_OF_UNIT, EFI_ROMS, ON_PCI, PIIX3_PLACES, UNITS_OF_THE_VMM } from './device-names.ts';
import type { Difference } from './difference.ts';
import type { TargetMachine } from './target-machine.ts';

// Each rule was tried with the loader of 7.2.22 (npm run test:virtualbox). It stops at the first difference, in the order of the units.

/** In what the machine that a state was saved from differs from the one that is to load it. @param notJudged gets what neither of them tells */
export function compareMachines(state: SavedState, saved: TargetMachine, target: TargetMachine, notJudged: string[]): Difference[] {
  const comparison = new Comparison(state, saved, target);
  comparison.run();
  notJudged.push(...comparison.untold);
  return comparison.differences;
}

class Comparison {
  readonly differences: Difference[] = [];
  /** What one of both does not tell. */
  readonly untold: string[] = [];
  readonly #state: SavedState;
  readonly #saved: TargetMachine;
  readonly #target: TargetMachine;

  constructor(state: SavedState, saved: TargetMachine, target: TargetMachine) {
    this.#state = state;
    this.#saved = saved;
    this.#target = target;
  }

  run(): void {
    this.#compareRam();
    const { cpuCount, paravirtualisation, hasIoApic, vramSize } = this.#saved;
    const target = this.#target;
    if (this.#differs('number of CPUs', cpuCount, target.cpuCount))
      this.#add('cpum', 'cpu-count', 'VERR_SSM_UNEXPECTED_DATA', `The state has ${cpuCount} CPUs, ${target.name} has ${target.cpuCount}`);
    if (this.#differs('paravirtualisation', paravirtualisation, target.paravirtualisation))
      this.#mismatch(
        'GIM',
        'paravirtualisation',
        `The guest sees paravirtualisation "${paravirtualisation}", ${target.name} has "${target.paravirtualisation}"`,
      );
    if (this.#differs('I/O APIC', hasIoApic, target.hasIoApic))
      this.#mismatch('apic', 'io-apic', `The I/O APIC is ${onOff(hasIoApic)} in the state, ${onOff(target.hasIoApic)} in ${target.name}`);
    // A smaller one is met by the list of device memory before.
    if (vramSize !== undefined && target.vramSize !== undefined && vramSize !== target.vramSize && this.#hasDevice('vga'))
      this.#mismatch(
        target.vramSize < vramSize ? 'pgm' : 'vga',
        'vram-size',
        `Video memory is ${vramSize / MIB} MiB in the state, ${target.vramSize / MIB} MiB in ${target.name}`,
      );
    this.#compareRoms();
    this.#compareMmio2();
    this.#compareDevices();
  }

  #compareRam(): void {
    const { ramSize, ramHole } = this.#saved;
    const target = this.#target;
    if (this.#differs('RAM size', ramSize, target.ramSize)) {
      const message = `The state has ${(ramSize ?? 0) / MIB} MiB of RAM, ${target.name} has ${(target.ramSize ?? 0) / MIB} MiB`;
      // In a live save the first pass of pgm comes before mm.
      this.#add('mm', 'ram-size', 'VERR_SSM_LOAD_MEMORY_SIZE_MISMATCH', message);
      this.#mismatch('pgm', 'ram-size', message);
    }
    if (ramHole !== undefined && target.ramHole !== undefined && ramHole !== target.ramHole) {
      this.#mismatch(
        'pgm',
        'ram-hole',
        `The RAM hole below 4 GiB has ${hex(ramHole)} bytes in the state, ${hex(target.ramHole)} in ${target.name} (it depends on the chipset)`,
      );
    }
  }

  #compareRoms(): void {
    const { roms } = this.#target;
    if (!roms) return;
    const has = (rom: string) => roms.includes(rom) || (EFI_ROMS.test(rom) && roms.some((own) => own === 'EFI Firmware Volume'));
    const missing = this.#saved.roms?.find((rom) => !has(rom));
    if (missing !== undefined)
      this.#mismatch('pgm', 'rom-missing', `The state has a ROM "${missing}", which ${this.#target.name} has not (it depends on firmware, graphics, ACPI)`);
  }

  #compareMmio2(): void {
    for (const saved of this.#saved.mmio2 ?? []) {
      const key = `${saved.device}/${saved.instance}/${saved.region}`;
      const own = this.#target.mmio2?.find(({ device, instance, region }) => `${device}/${instance}/${region}` === key);
      if (own && own.size < saved.size)
        this.#mismatch('pgm', 'mmio2-size', `Device memory "${saved.description}" has ${saved.size} bytes in the state, ${own.size} in ${this.#target.name}`);
    }
  }

  #compareDevices(): void {
    const { devices, name } = this.#target;
    const saved = this.#saved.devices;
    if (!devices) return;
    const bus = this.#state.units.find(({ name: unit }) => BUSES.includes(unit))?.name ?? 'pdm';
    const hasBus = this.#hasDevice(bus);
    const isListed = (device: string, instance: number) => saved?.some((own) => own.name === device && own.instance === instance) ?? true;
    if (hasBus) this.#compareVga(bus);
    for (const unit of this.#unitsWithoutDevice()) {
      const device = DEVICE_OF_UNIT[unit.name] ?? unit.name;
      if (hasBus && ON_PCI.has(device) && isListed(device, unit.instance))
        this.#mismatch(bus, 'device-missing', `The state has a PCI device ${device}/${unit.instance}, which ${name} has not`);
      else
        this.#add(
          unit.name,
          'device-missing',
          'VERR_SSM_INTEGRITY_UNIT_NOT_FOUND',
          `The state has a unit ${unit.name}/${unit.instance}, for which ${name} has no device`,
        );
    }
    if (!saved) {
      this.untold.push('devices that the machine has and the state has not: the state does not list its devices');
      return;
    }
    // The bus looks for new devices up to the last one that it had; those behind are met by the list of devices.
    const placeOf = ({ name: device, instance }: PdmDevice) => PIIX3_PLACES[`${device}/${instance}`] ?? Number.POSITIVE_INFINITY;
    const last = Math.max(0, ...saved.map(placeOf).filter(Number.isFinite));
    const isBefore = (device: PdmDevice) => bus === 'pci' && placeOf(device) < last;
    for (const device of devices) {
      if (BUSES.includes(device.name) || saved.some((own) => own.name === device.name && own.instance === device.instance)) continue;
      this.#mismatch(isBefore(device) ? bus : 'pdm', 'device-added', `${name} has a device ${device.name}/${device.instance}, which the state has not`);
    }
  }

  #compareVga(bus: string): void {
    const { vga } = this.#saved;
    if (vga && this.#target.vga && vga !== this.#target.vga)
      this.#mismatch(bus, 'graphics', `The graphics adapter is ${vga} in the state, ${this.#target.vga} in ${this.#target.name}`);
  }

  *#unitsWithoutDevice(): Generator<{ name: string; instance: number }> {
    const known: readonly string[] = UNITS_OF_THE_VMM;
    const seen = new Set<string>();
    for (const { name, instance } of this.#state.units) {
      const device = DEVICE_OF_UNIT[name] ?? name;
      if (known.includes(name) || seen.has(`${name}/${instance}`) || this.#hasDevice(device, instance)) continue;
      seen.add(`${name}/${instance}`);
      yield { name, instance };
    }
  }

  #hasDevice(name: string, instance = 0): boolean {
    return this.#target.devices?.some((own) => own.name === name && own.instance === instance) ?? false;
  }

  /** Whether both tell, and differently. */
  #differs<T>(what: string, saved: T | undefined, target: T | undefined): boolean {
    if (saved === undefined || target === undefined) this.untold.push(`${what}: ${saved === undefined ? 'the state' : this.#target.name} does not tell`);
    return saved !== undefined && target !== undefined && saved !== target;
  }

  #mismatch(unit: string, code: string, message: string): void {
    this.#add(unit, code, 'VERR_SSM_LOAD_CONFIG_MISMATCH', message);
  }

  /** Where the state has no such unit the loader compares nothing. */
  #add(name: string, code: string, vboxCode: string, message: string): void {
    const at = this.#indexOf(name);
    if (at < 0) return;
    const { instance, version, pass } = this.#state.units[at];
    const finding: Finding = { severity: 'error', code, vboxCode, message, place: { unit: name, instance, version, pass } };
    this.differences.push({ at, finding });
  }

  /** Where the loader compares: pgm in its first pass, devices and CPUs in the final one. */
  #indexOf(name: string): number {
    const { units } = this.#state;
    return name === 'pgm' || name === 'pdm'
      ? units.findIndex((unit) => unit.name === name)
      : units.findIndex((unit) => unit.name === name && unit.pass === 'final');
  }
}

/** The chipset's own unit: one of another chipset is not known to the machine. */
const BUSES = ['pci', 'ich9pci'];

function onOff(value: boolean | undefined): string {
  return value ? 'on' : 'off';
}
