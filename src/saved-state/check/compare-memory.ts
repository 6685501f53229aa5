import { hex } from '../../../formats/errors.ts';
import { MIB } from '../../../formats/sizes.ts';
import { EFI_ROMS, HYPERV_MEMORY } from '../machine-facts/device-names.ts';
import type { Comparison } from './comparison.ts';

/** Compares RAM, ROMs and memory of devices, as the loaders of mm and pgm do. */
export function compareMemory(comparison: Comparison): void {
  compareRam(comparison);
  compareRoms(comparison);
  compareMmio2(comparison);
}

function compareRam(comparison: Comparison): void {
  const { ramSize, ramHole } = comparison.saved;
  const { target } = comparison;
  if (comparison.differs('RAM size', ramSize, target.ramSize)) {
    const [own, others] = [(ramSize ?? 0) / MIB, (target.ramSize ?? 0) / MIB];
    const message = `The state has ${own} MiB of RAM, ${target.name} has ${others} MiB`;
    // In a live save, pgm's first pass precedes mm, so the difference is found there.
    comparison.add('mm', 'ram-size', 'VERR_SSM_LOAD_MEMORY_SIZE_MISMATCH', message);
    comparison.mismatch('pgm', 'ram-size', message);
  } else if (comparison.state.mm && target.ramSize !== undefined && comparison.state.mm.ramSize !== target.ramSize)
    comparison.add(
      'mm',
      'ram-size',
      'VERR_SSM_LOAD_MEMORY_SIZE_MISMATCH',
      `Unit mm tells of ${comparison.state.mm.ramSize} bytes of RAM, ${target.name} has ${target.ramSize}`,
    );
  if (ramHole !== undefined && target.ramHole !== undefined && ramHole !== target.ramHole) {
    const message =
      `The RAM hole below 4 GiB has ${hex(ramHole)} bytes in the state, ${hex(target.ramHole)} in ${target.name} ` +
      '(it depends on the chipset)';
    comparison.mismatch('pgm', 'ram-hole', message);
  }
}

function compareRoms(comparison: Comparison): void {
  const { roms } = comparison.target;
  if (!roms) return;
  const has = (rom: string) =>
    roms.includes(rom) || (EFI_ROMS.test(rom) && roms.some((own) => own === 'EFI Firmware Volume'));
  const missing = comparison.saved.roms?.find((rom) => !has(rom));
  if (missing === undefined) return;
  comparison.mismatch(
    'pgm',
    'rom-missing',
    `The state has a ROM "${missing}", which ${comparison.target.name} does not have (it depends on firmware, ` +
      'graphics, ACPI)',
  );
}

function compareMmio2(comparison: Comparison): void {
  const { target } = comparison;
  for (const saved of comparison.saved.mmio2 ?? []) {
    const { device, instance, region, description } = saved;
    const own = target.mmio2?.find(
      (range) => range.device === device && range.instance === instance && range.region === region,
    );
    const isGone = target.devices && !comparison.hasDevice(device, instance);
    if (own && own.size < saved.size)
      comparison.mismatch(
        'pgm',
        'mmio2-size',
        `Device memory "${description}" has ${saved.size} bytes in the state, ${own.size} in ${target.name}`,
      );
    else if (
      isGone ||
      (HYPERV_MEMORY.test(description) &&
        target.paravirtualisation !== undefined &&
        target.paravirtualisation !== 'hyperv')
    )
      comparison.mismatch(
        'pgm',
        'mmio2-missing',
        `The state has device memory "${description}" of ${device}/${instance}, which ${target.name} does not have`,
      );
  }
}
