import { expect, it } from 'vitest';
import { readCpu } from '../../../../formats/qemu/cpu.ts';
import type { GuestContext } from '../../../../formats/units/cpu/cpum-layouts.ts';
import { verifyQemu } from '../../../saved-state/qemu-verify/verify-qemu.ts';
import { sampleSource } from '../../../testing/qemu-samples.ts';
import { SectionImage } from '../../template/section-image.ts';
import { hiddenFlags, ownFlags } from './cpu-flags.ts';

// The real QEMU wrote its view of a CPU's mode beside the registers that it follows from.
it.each(['long-10.state', 'live-7.state', 'smp-7.state'])('are those that QEMU has in %s', async (name) => {
  const { state } = await verifyQemu(sampleSource(name));
  const sections = state?.devices.filter((device) => device.name === 'cpu') ?? [];
  expect(sections.length).toBeGreaterThan(0);
  for (const section of sections) {
    const cpu = readCpu(section);
    if (!cpu) throw new Error('no registers');
    const segments = Object.fromEntries(
      Object.entries(cpu.segments).map(([key, { base, flags }]) => [key, { base, attributes: (flags >>> 8) & 0xf0ff }]),
    );
    const context = { ...cpu.registers, ...segments } as unknown as GuestContext;
    expect(hiddenFlags(context).toString(16)).toBe(
      (new SectionImage(section).number('env.hflags') & ownFlags).toString(16),
    );
  }
});
