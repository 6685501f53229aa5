import type { Pass } from '../../../formats/errors.ts';
import type { DeviceSection } from '../../../formats/qemu/device-sections.ts';
import type { QemuSection } from '../../../formats/qemu/sections.ts';
import type { UnitSummary } from '../reading/state.ts';

const FOOTER_SIZE = 5;

/** A device's section as a unit. */
export function deviceUnit(section: DeviceSection): UnitSummary {
  return unitOf(section, 'final');
}

/**
 * Units for sections in parts, whose parts become passes: in RAM, pass 0 is the list of blocks, the rounds follow, and
 * the last one is `'final'`. In a mapped-ram file, the first section's place includes all pages.
 * @param sections ascending @param end end of the last one in the file
 */
export function partedUnits(sections: readonly QemuSection[], end: number): UnitSummary[] {
  const passes = new Map<string, number>();
  return sections.map((section, i) => {
    const pass = passes.get(section.name) ?? 0;
    passes.set(section.name, pass + 1);
    const next = sections[i + 1]?.offset ?? Math.max(end, section.bodyOffset);
    return { ...unitOf(section, /end|full/.test(section.type) ? 'final' : pass), size: next - section.offset };
  });
}

function unitOf(
  { name, instance, version, offset, bodyOffset, bodySize, footer }: QemuSection,
  pass: Pass,
): UnitSummary {
  const headerSize = bodyOffset - offset;
  const size = headerSize + bodySize + (footer ? FOOTER_SIZE : 0);
  return { name, instance, version, pass, offset, headerSize, size, payloadSize: bodySize, findings: [] };
}
