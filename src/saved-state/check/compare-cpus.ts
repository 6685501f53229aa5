import type { Comparison } from './comparison.ts';

/** The component of the x87, which is always on. */
const X87 = 1n;

/** Compares number and features of CPUs, as the loader of cpum does. The features of the host's CPU no settings tell. */
export function compareCpus(comparison: Comparison): void {
  const { saved, target } = comparison;
  if (comparison.differs('number of CPUs', saved.cpuCount, target.cpuCount)) {
    const message = `The state has ${saved.cpuCount} CPUs, ${target.name} has ${target.cpuCount}`;
    comparison.add('cpum', 'cpu-count', 'VERR_SSM_UNEXPECTED_DATA', message);
  }
  const { nestedVirtualisation: was } = saved;
  const { nestedVirtualisation: is } = target;
  if (was !== undefined && is !== undefined && was !== is)
    comparison.mismatch('cpum', 'nested-virtualisation', `Nested virtualisation is ${onOff(was)} in the state, ${onOff(is)} in ${target.name}`);
  compareExtendedState(comparison);
}

/** What the loader demands of the registers themselves, whatever the host. */
function compareExtendedState(comparison: Comparison): void {
  for (const [cpu, { context }] of (comparison.state.cpum?.cpus ?? []).entries()) {
    if (!context) continue;
    const { xcr0, xcr1, xStateMask } = context;
    const isInvalid = (xcr0 & X87) === 0n || (xcr0 !== X87 && (xcr0 & ~(xStateMask | X87)) !== 0n);
    const told = `CPU ${cpu} has XCR0 0x${xcr0.toString(16)}, of the extended state 0x${xStateMask.toString(16)}`;
    if (isInvalid) comparison.add('cpum', 'bad-xcr0', 'VERR_CPUM_INVALID_XCR0', `${told}: no CPU can have that`);
    else if (xcr1 !== 0n) comparison.add('cpum', 'bad-xcr1', 'VERR_SSM_DATA_UNIT_FORMAT_CHANGED', `CPU ${cpu} has XCR1 0x${xcr1.toString(16)}, expected 0`);
  }
}

function onOff(value: boolean): string {
  return value ? 'on' : 'off';
}
