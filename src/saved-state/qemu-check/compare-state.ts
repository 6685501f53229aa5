import type { DifferenceCode } from '../../../formats/codes/difference-codes.ts';
import { hex } from '../../../formats/errors.ts';
import { fieldsOf } from '../../../formats/qemu/device-fields.ts';
import type { DeviceSection } from '../../../formats/qemu/device-sections.ts';
import { unsupportedVersion } from '../../../formats/qemu/sections.ts';
import { FOUR_GIB } from '../../../formats/sizes.ts';
import type { QemuState } from '../qemu/qemu-state.ts';
import type { Finding } from '../reading/findings.ts';
import { chipsetOf, type ExpectedMachine, type ExpectedSection, isOfMachine } from './expected-machine.ts';
import { newestVersion } from './section-versions.ts';

/** A difference, and the offset in the stream at which QEMU meets it. */
export interface QemuDifference {
  at: number;
  finding: Finding;
}

/** Result of comparing a state with a machine. */
export interface QemuComparison {
  differences: QemuDifference[];
  notJudged: string[];
}

/**
 * Finds all parts of a state that a machine of QEMU refuses, or lacks without an error.
 * @param release version of the QEMU that loads it, `[10, 0]`
 */
export function compareState(
  state: QemuState,
  target: ExpectedMachine,
  release: readonly number[] | undefined,
): QemuComparison {
  const comparison = new Comparison(state, target, release);
  return comparison.run();
}

class Comparison implements QemuComparison {
  readonly differences: QemuDifference[] = [];
  readonly notJudged: string[] = [];
  readonly #state: QemuState;
  readonly #target: ExpectedMachine;
  readonly #release: readonly number[] | undefined;

  constructor(state: QemuState, target: ExpectedMachine, release: readonly number[] | undefined) {
    this.#state = state;
    this.#target = target;
    this.#release = release;
  }

  run(): QemuComparison {
    if (this.#compareTypes()) {
      this.#compareBlocks();
      this.#compareSections();
      this.#findMissing();
      for (const what of [...this.#target.unknown, ...this.#target.unknownDevices])
        this.notJudged.push(`the effect of ${what} on ${this.#target.name}`);
      this.notJudged.push(...this.#target.notJudged);
      const { devices } = this.#state;
      if (devices.some(({ described }) => described?.subsections.some(({ name }) => name === 'timer/icount')))
        this.notJudged.push(`whether ${this.#target.name} counts instructions (-icount): else QEMU aborts`);
      if (devices.some(({ name }) => name.endsWith('hda-audio')))
        this.notJudged.push(`whether ${this.#target.name} has the kind of codec that is in section "hda-audio"`);
    }
    return this;
  }

  /** @returns false if further comparison is useless */
  #compareTypes(): boolean {
    const saved = this.#state.configuration.machine;
    const { machineType, name } = this.#target;
    if (saved === undefined && machineType !== undefined && hasConfiguration(machineType)) {
      const message = `The state names no machine type, and ${name} makes ${machineType}, whose states do`;
      this.#add(0, 'other-machine', message, {}, 'Configuration section missing');
      return false;
    }
    if (saved === undefined || machineType === undefined) {
      this.notJudged.push(`machine type: ${saved === undefined ? 'the state' : name} does not tell`);
      return true;
    }
    if (saved === machineType) return true;
    const message = `The state is of machine type ${saved}, ${name} makes ${machineType}`;
    this.#add(0, 'other-machine', message, {}, `Machine type received is '${saved}' and local is '${machineType}'`);
    return false;
  }

  #compareBlocks(): void {
    const { blocks, ramSections } = this.#state;
    const { name: target } = this.#target;
    const place = { unit: 'ram', instance: 0 };
    for (const [i, { name, size }] of blocks.entries()) {
      const at = (ramSections[0]?.bodyOffset ?? 0) + i / (blocks.length + 1);
      const own = this.#target.blocks.find((block) => block.name === name);
      if (!own) {
        const block = `a block of memory ${JSON.stringify(name)}`;
        const message = `The state has ${block} of ${size} bytes, which ${target} does not have`;
        if (!this.#knowsWhetherHas(name)) this.notJudged.push(`whether ${target} has ${block}`);
        else this.#add(at, 'other-memory', message, place, `Unknown ramblock "${name}", cannot accept migration`);
      } else if (own.fits) continue;
      else if (own.size === undefined) this.notJudged.push(`size of ${JSON.stringify(name)} in ${target}`);
      else if (own.size !== size) {
        const message = `Block ${JSON.stringify(name)} has ${size} bytes in the state, ${own.size} in ${target}`;
        const says = `Size mismatch: ${name}: ${hex(size)} != ${hex(own.size)}: Invalid argument`;
        this.#add(at, 'other-memory', message, place, says);
      }
    }
  }

  #compareSections(): void {
    for (const section of this.#state.devices) {
      const { name, instance, version, offset } = section;
      const own = this.#find(section);
      const place = { unit: name, instance, version };
      if (!own) this.#refuse(section);
      else {
        const newest = own.version ?? newestVersion(name, this.#release);
        if (newest === undefined) this.notJudged.push(`version ${version} of section ${JSON.stringify(name)}`);
        else if (version > newest) {
          const limit = `${this.#target.name} reads up to ${newest}`;
          const message = `Section ${JSON.stringify(name)} has version ${version}, ${limit}`;
          const says = unsupportedVersion(name, version, newest);
          this.#add(offset, 'other-version', message, place, says);
        }
        this.#comparePci(section, own);
      }
    }
  }

  /** Whether it is known if the machine has a block of this name. */
  #knowsWhetherHas(name: string): boolean {
    const { unknown, unknownDevices } = this.#target;
    return unknown.length === 0 && (unknownDevices.length === 0 || isOfMachine(name));
  }

  #find({ name, instance }: Pick<DeviceSection, 'name' | 'instance'>): ExpectedSection | undefined {
    return this.#target.sections.find((own) => own.name === name && own.instance === instance);
  }

  #refuse({ name, instance, version, offset }: DeviceSection): void {
    const { name: target } = this.#target;
    const what = `${JSON.stringify(name)}${instance > 0 ? ` ${instance}` : ''}`;
    if (!this.#knowsWhetherHas(name)) {
      this.notJudged.push(`whether ${target} has a section ${what}`);
      return;
    }
    const message = `The state has a section ${what}, for which ${target} has no device`;
    const says = `Unknown savevm section or instance '${name}' ${instance}`;
    this.#add(offset, 'other-devices', message, { unit: name, instance, version }, says);
  }

  /** Compares vendor and device of a PCI device, as QEMU's device does. */
  #comparePci(section: DeviceSection, { pciId }: ExpectedSection): void {
    const saved = pciIdOf(section);
    if (saved === undefined || pciId === undefined || saved === pciId) return;
    const { name, instance, version, offset } = section;
    const message =
      `The device of section ${JSON.stringify(name)} is ${idText(saved)}, that of ${this.#target.name} ` +
      `${idText(pciId)}`;
    const byte = [0, 1, 2, 3].find((i) => ((saved ^ pciId) >>> (8 * i)) & 0xff) ?? 0;
    const [read, own] = [saved, pciId].map((id) => ((id >>> (8 * byte)) & 0xff).toString(16));
    const says = `get_pci_config_device: Bad config data: i=0x${byte} read: ${read} device: ${own}`;
    this.#add(offset, 'other-devices', message, { unit: name, instance, version }, says);
  }

  /** Finds parts of the machine that the state lacks: QEMU leaves them as after a reset, without an error. */
  #findMissing(): void {
    const { devices, blocks, ended } = this.#state;
    if (!ended) return;
    const { name: target } = this.#target;
    const has = (own: ExpectedSection) =>
      devices.some(({ name, instance }) => name === own.name && instance === own.instance);
    for (const own of this.#target.sections) {
      const { name, instance } = own;
      if (has(own)) continue;
      const message =
        `The state has no section ${JSON.stringify(name)}${instance > 0 ? ` ${instance}` : ''}: QEMU loads it ` +
        `without an error, and leaves that device of ${target} as after a reset`;
      this.#warn('device-reset', message, { unit: name, instance });
    }
    for (const { name, size = 0 } of this.#target.blocks) {
      if (blocks.some((block) => block.name === name) || size === 0) continue;
      this.#warn('device-reset', `The state has no block of memory ${JSON.stringify(name)}, which ${target} has`, {
        unit: 'ram',
        instance: 0,
      });
    }
  }

  #add(at: number, code: DifferenceCode, message: string, place: Finding['place'], qemuSays: string): void {
    this.differences.push({ at, finding: { severity: 'error', code, message, place, qemuSays } });
  }

  #warn(code: DifferenceCode, message: string, place: Finding['place']): void {
    this.differences.push({ at: FOUR_GIB ** 2, finding: { severity: 'warning', code, message, place } });
  }
}

/** Whether states of a machine type have a configuration: types before 2.4 write none, and need none. */
function hasConfiguration(machineType: string): boolean {
  const [, version] = chipsetOf(machineType)?.types.exec(machineType) ?? [];
  const [major = 0, minor = 0] = (version ?? '').split('.').map(Number);
  return major > 2 || (major === 2 && minor >= 4);
}

/**
 * Vendor in the low half, device in the high one; undefined for sections that are no PCI device, or have no
 * description.
 */
export function pciIdOf({ described, body }: DeviceSection): number | undefined {
  if (!described) return undefined;
  // Releases of QEMU differ in the name.
  for (const { path, size, offset } of fieldsOf(described))
    if (/(^|\.)config(\[0\])?$/.test(path) && (size === 256 || size === 4096) && offset + 4 <= body.length)
      return new DataView(body.buffer, body.byteOffset).getUint32(offset, true);
  return undefined;
}

function idText(id: number): string {
  const half = (value: number) => value.toString(16).padStart(4, '0');
  return `${half(id & 0xffff)}:${half(id >>> 16)}`;
}
