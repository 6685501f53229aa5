import type { QemuState } from '../qemu/qemu-state.ts';

/** Title for the container of a state: `stream`, `libvirt save image (gzip)`, `qcow2 snapshot "before"`. */
export function titleOf({ container, configuration }: QemuState): string {
  const mapped = configuration.capabilities.includes('mapped-ram') ? 'mapped-ram stream' : 'stream';
  if (container.kind === 'libvirt') return `libvirt save image (${container.image.compression})`;
  return container.kind === 'qcow2' ? `qcow2 snapshot ${JSON.stringify(container.snapshot.name)}` : mapped;
}
