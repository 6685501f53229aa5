import type { QemuState } from '../qemu/qemu-state.ts';

/** What a state lies in, in a few words: `stream`, `libvirt save image (gzip)`, `qcow2 snapshot "before"`. */
export function titleOf({ container, configuration }: QemuState): string {
  const mapped = configuration.capabilities.includes('mapped-ram') ? 'mapped-ram stream' : 'stream';
  if (container.kind === 'libvirt') return `libvirt save image (${container.image.compression})`;
  return container.kind === 'qcow2' ? `qcow2 snapshot ${JSON.stringify(container.snapshot.name)}` : mapped;
}
