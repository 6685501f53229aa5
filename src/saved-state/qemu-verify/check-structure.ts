import { hex } from '../../../formats/errors.ts';
import { NAMED_CAPABILITIES } from '../../../formats/qemu/constants.ts';
import { fieldsOf, misplacedSubsection } from '../../../formats/qemu/device-fields.ts';
import type { DeviceSection } from '../../../formats/qemu/device-sections.ts';
import type { QemuState } from '../qemu/qemu-state.ts';
import type { Findings } from '../reading/findings.ts';
import { checkDescription } from './check-description.ts';
import { isOddField } from './field-limits.ts';

/** Checks parts that reading skips: heads and fields within sections, a missing start or end. */
export function checkStructure(state: QemuState, findings: Findings): void {
  const { devices, configuration } = state;
  checkNames(state, findings);
  checkDescription(state, findings);
  checkRam(state, findings);
  // Machine types before 2.4 have neither marks nor a configuration.
  if (configuration.machine === undefined && devices.some(({ footer }) => footer)) {
    const message =
      'Marks follow the sections, but there is no configuration at the start: QEMU writes both, or neither';
    const qemuSays = 'Configuration section missing';
    findings.add({ severity: 'error', code: 'bad-section', message, place: { offset: CONFIGURATION }, qemuSays });
  }
  for (const device of devices) {
    checkFields(device, findings);
    const { name, instance, described, body, bodyOffset } = device;
    const head = described && misplacedSubsection(described, body);
    if (!head) continue;
    const offset = bodyOffset + head.at;
    const message =
      `Section ${JSON.stringify(name)} ${instance} has no head of its part ${JSON.stringify(head.name)} at ` +
      `${hex(offset)}, where the description has one`;
    const place = { unit: name, instance, offset };
    const qemuSays = `Missing section footer for ${name}`;
    findings.add({ severity: 'error', code: 'bad-section', message, place, qemuSays });
  }
}

/** Checks that names are printable, as all names of QEMU, libvirt and users are. */
function checkNames({ configuration: { machine, capabilities }, blocks }: QemuState, findings: Findings): void {
  const names = [
    ['machine type', machine ?? ''],
    ...capabilities.map((name) => ['capability', name]),
    ...blocks.map(({ name }) => ['name of a block of memory', name]),
  ];
  for (const [what, name] of names)
    if (/[^\x20-\x7e]/.test(name)) {
      const message = `The ${what} is ${JSON.stringify(name)}, which is no text`;
      findings.add({ severity: 'error', code: 'bad-header', message, place: {} });
    }
  if (OWN_ROM.machines.test(machine ?? '') && blocks.length > 1 && !blocks.some(({ name }) => name === OWN_ROM.block)) {
    const block = JSON.stringify(OWN_ROM.block);
    const message = `There is no block ${block}, which each machine of this type has: a name is damaged`;
    findings.add({ severity: 'error', code: 'bad-block', message, place: {}, qemuSays: 'Unknown ramblock' });
  }
  for (const name of capabilities)
    if (!NAMED_CAPABILITIES.includes(name)) {
      const message = `The state names the capability ${JSON.stringify(name)}, which QEMU never lists`;
      findings.add({ severity: 'error', code: 'bad-header', message, place: {} });
    }
}

/** A block that all machines of these types have. */
const OWN_ROM = { machines: /^pc(-|$)/, block: 'pc.rom' };

/** Checks contradictions in records and sections of RAM which QEMU does not notice. */
function checkRam({ ramSections, oddRecords }: QemuState, findings: Findings): void {
  const place = { unit: 'ram', instance: 0 };
  for (const { offset, what } of oddRecords) {
    const message = `RAM record at ${hex(offset)}: ${what}; QEMU writes no such record`;
    findings.add({ severity: 'error', code: 'bad-page', message, place: { ...place, offset } });
  }
  // Nothing follows the last section of RAM; background snapshots have no last one.
  const end = ramSections.findIndex(({ type }) => type === 'end');
  const next = end < 0 ? undefined : ramSections[end + 1];
  if (!next) return;
  const message =
    'A section of RAM follows its last one: the type of a section is damaged; QEMU loads it without an error';
  findings.add({ severity: 'error', code: 'bad-section', message, place: { ...place, offset: next.offset } });
}

/** Checks fields that have few possible values: QEMU never writes others, but loads them. */
function checkFields(section: DeviceSection, findings: Findings): void {
  const { name, instance, described, body, bodyOffset } = section;
  if (!described) return;
  for (const field of fieldsOf(described)) {
    const bytes = body.subarray(field.offset, field.offset + field.size);
    if (!hasOddValue(field.type, bytes) && !isOddField(name, field, bytes)) continue;
    const offset = bodyOffset + field.offset;
    const value = Buffer.from(bytes.subarray(0, 16)).toString('hex');
    const message =
      `Section ${JSON.stringify(name)} ${instance}: field ${JSON.stringify(field.path)} ` +
      `(${field.type}) at ${hex(offset)} holds ${value}, which QEMU never writes`;
    findings.add({ severity: 'error', code: 'bad-section', message, place: { unit: name, instance, offset } });
  }
}

function hasOddValue(type: string, bytes: Uint8Array): boolean {
  if (type === 'bool') return bytes.length === 1 && bytes[0] > 1;
  // Nanoseconds, or -1 for a timer that is not set.
  if (type === 'timer' && bytes.length === 8) return bytes[0] >= 0x80 && bytes.some((byte) => byte !== 0xff);
  if (type === 'unused_buffer') return bytes.some((byte) => byte !== 0);
  // Four lines, each a word of 32 bits.
  if (type === 'pci irq state') return bytes.some((byte, i) => (i % 4 === 3 ? byte > 1 : byte !== 0));
  return false;
}

/** Offset of the configuration, after magic and version. */
const CONFIGURATION = 8;
