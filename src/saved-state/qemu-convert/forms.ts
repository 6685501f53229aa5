import { MAPPED_RAM } from '../../../formats/qemu/constants.ts';
import { COMPRESSIONS, type LibvirtCompression } from '../../../formats/qemu/containers/libvirt-image.ts';
import type { QemuState } from '../qemu/qemu-state.ts';

/** Forms in which a state of QEMU can be written: a plain stream, one with mapped RAM, or libvirt's save image. */
export type QemuForm = 'plain' | 'mapped-ram' | `libvirt-${LibvirtCompression}`;

export const QEMU_FORMS: readonly QemuForm[] = [
  'plain',
  'mapped-ram',
  ...COMPRESSIONS.map((name) => `libvirt-${name}` as const),
];

/** libvirt's compression of a form; undefined for a stream without libvirt. */
export function compressionOf(form: QemuForm): LibvirtCompression | undefined {
  return COMPRESSIONS.find((name) => form === `libvirt-${name}`);
}

/** Whether pages have fixed places in the file. */
export function isMapped(form: QemuForm): boolean {
  return form === 'mapped-ram' || form === 'libvirt-sparse';
}

/** The form of a state, or the nearest one: a snapshot in an image counts as a plain stream. */
export function formOf({ container, configuration }: QemuState): QemuForm {
  if (container.kind === 'libvirt') return `libvirt-${container.image.compression}`;
  return configuration.capabilities.includes(MAPPED_RAM) ? 'mapped-ram' : 'plain';
}
