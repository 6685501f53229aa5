import { MIB } from '../../../formats/sizes.ts';
import { FIFO_REGION } from '../machine-facts/machine-facts.ts';
import { BUSES } from './compare-bus.ts';
import type { Comparison } from './comparison.ts';

/** Compares adapters, video memory and 3D; adapters of different vendors are compared with the devices on the bus. */
export function compareGraphics(comparison: Comparison): void {
  const { state, saved, target } = comparison;
  if (!comparison.hasDevice('vga')) return;
  const bus = state.units.find(({ name }) => BUSES.includes(name))?.name ?? 'vga';
  const isOfOneVendor = (saved.vga === 'vmsvga') === (target.vga === 'vmsvga');
  if (saved.vramSize !== undefined && target.vramSize !== undefined && saved.vramSize !== target.vramSize) {
    const [own, others] = [saved.vramSize / MIB, target.vramSize / MIB];
    const message = `Video memory is ${own} MiB in the state, ${others} MiB in ${target.name}`;
    // VMSVGA and VBoxSVGA refuse another size of their memory region on the bus. With VBoxVGA, unit pgm refuses
    // smaller memory, and the adapter refuses larger memory.
    const isAtBus = isOfOneVendor && target.vga !== undefined && target.vga !== 'vboxvga';
    comparison.mismatch(isAtBus ? bus : target.vramSize < saved.vramSize ? 'pgm' : 'vga', 'vram-size', message);
  }
  if (isOfOneVendor) compareModels(comparison, bus);
  if (saved.vga !== 'vmsvga' || target.vga !== 'vmsvga') return;
  if (comparison.differs('3D acceleration', saved.has3d, target.has3d)) {
    const message =
      `3D acceleration is ${saved.has3d ? 'on' : 'off'} in the state, ${target.has3d ? 'on' : 'off'} in ` +
      `${target.name}`;
    comparison.add('vga', '3d', 'VERR_SSM_DATA_UNIT_FORMAT_CHANGED', message);
  }
}

/** VBoxVGA and VBoxSVGA have one identity on the bus, but only VBoxSVGA has regions of ports and of commands there. */
function compareModels(comparison: Comparison, bus: string): void {
  const { saved, target } = comparison;
  if (saved.vga === undefined || target.vga === undefined || saved.vga === target.vga) return;
  const message = `The graphics adapter is ${saved.vga} in the state, ${target.vga} in ${target.name}`;
  if (target.vga === 'vboxsvga')
    comparison.add(bus, 'device-differs', 'VERR_VGA_UNEXPECTED_PCI_REGION_LOAD_CHANGE', message);
  else if (saved.mmio2?.some(({ device, region }) => device === 'vga' && region === FIFO_REGION))
    comparison.mismatch('pgm', 'device-differs', message);
  else comparison.add('vga', 'device-differs', 'VERR_SSM_DATA_UNIT_FORMAT_CHANGED', message);
}
