import { compareCpuid } from './compare-cpuid.ts';
import type { Comparison } from './comparison.ts';

/**
 * Compares number and features of CPUs, as the loader of cpum does. Settings do not tell the features of the host's
 * CPUs.
 */
export function compareCpus(comparison: Comparison): void {
  const { saved, target } = comparison;
  if (comparison.differs('number of CPUs', saved.cpuCount, target.cpuCount)) {
    const message = `The state has ${saved.cpuCount} CPUs, ${target.name} has ${target.cpuCount}`;
    comparison.add('cpum', 'cpu-count', 'VERR_SSM_UNEXPECTED_DATA', message);
  }
  const { nestedVirtualisation: was } = saved;
  const { nestedVirtualisation: is } = target;
  if (was !== undefined && is !== undefined && was !== is)
    comparison.mismatch(
      'cpum',
      'nested-virtualisation',
      `Nested virtualisation is ${onOff(was)} in the state, ${onOff(is)} in ${target.name}`,
    );
  compareCpuid(comparison);
}

function onOff(value: boolean): string {
  return value ? 'on' : 'off';
}
