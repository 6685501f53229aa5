import { hex } from '../../../formats/errors.ts';
import { fieldsOf, fieldValue } from '../../../formats/qemu/device-fields.ts';
import type { DeviceSection } from '../../../formats/qemu/device-sections.ts';
import { type Fields, flatten, textSummary } from '../describe/flatten.ts';
import type { QemuState } from './qemu-state.ts';

/** Values of a state by name: registers as in every family, and described fields of devices. */
export function qemuFields({ cpus, devices, configuration, runState, container }: QemuState): Fields {
  const fields: Fields = new Map();
  flatten(configuration, '', fields);
  if (container.kind === 'libvirt') {
    const { xml } = container.image;
    fields.set('domain', textSummary(`${Buffer.byteLength(xml)} bytes`, xml));
  }
  if (runState !== undefined) fields.set('runState', runState);
  for (const { index, registers, segments } of cpus) {
    const name = `cpus[${index}].registers`;
    for (const [register, value] of Object.entries(registers)) fields.set(`${name}.${register}`, hex(value));
    for (const [register, { selector }] of Object.entries(segments)) fields.set(`${name}.${register}`, hex(selector));
  }
  const counts = new Map<string, number>();
  for (const device of devices) {
    // All disk controllers of QEMU's ISA machines have the same name and instance.
    const unit = `${device.name}/${device.instance}`;
    const count = (counts.get(unit) ?? 0) + 1;
    counts.set(unit, count);
    const key = count === 1 ? unit : `${unit} #${count}`;
    for (const { name, value } of deviceFields(device)) fields.set(`${key}.${name}`, value);
  }
  return fields;
}

/** Fields of one device by their paths; none without a description. */
export function deviceFields(
  device: DeviceSection,
): { name: string; type: string; offset: number; size: number; value: string }[] {
  if (!device.described) return [];
  return [...fieldsOf(device.described)].map((field) => {
    const value = fieldValue(device.body, field);
    const text = typeof value === 'bigint' ? (value < 0n ? String(value) : hex(value)) : value;
    return { name: field.path, type: field.type, offset: field.offset, size: field.size, value: text };
  });
}
