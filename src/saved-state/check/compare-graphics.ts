import { MIB } from '../../../formats/sizes.ts';
import { BUSES } from './compare-bus.ts';
import type { Comparison } from './comparison.ts';

/**
 * Compares video memory and 3D of machines with graphics; the kind of adapter is compared with the devices on the bus.
 */
export function compareGraphics(comparison: Comparison): void {
  const { state, saved, target } = comparison;
  if (!comparison.hasDevice('vga') || saved.vramSize === undefined || target.vramSize === undefined) return;
  const isVmsvga = saved.vga === 'vmsvga' && target.vga === 'vmsvga';
  if (saved.vramSize !== target.vramSize) {
    const [own, others] = [saved.vramSize / MIB, target.vramSize / MIB];
    const message = `Video memory is ${own} MiB in the state, ${others} MiB in ${target.name}`;
    const bus = state.units.find(({ name }) => BUSES.includes(name))?.name ?? 'vga';
    // VMSVGA refuses another size of its memory region on the bus. With other adapters, unit pgm refuses smaller
    // memory, and the adapter refuses larger memory.
    comparison.mismatch(isVmsvga ? bus : target.vramSize < saved.vramSize ? 'pgm' : 'vga', 'vram-size', message);
  }
  if (!isVmsvga) return;
  if (comparison.differs('3D acceleration', saved.has3d, target.has3d)) {
    const message =
      `3D acceleration is ${saved.has3d ? 'on' : 'off'} in the state, ${target.has3d ? 'on' : 'off'} in ` +
      `${target.name}`;
    comparison.add('vga', '3d', 'VERR_SSM_DATA_UNIT_FORMAT_CHANGED', message);
  }
}
