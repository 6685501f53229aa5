import type { CpuidPart } from '../../../formats/units/cpu/cpuid-leaves.ts';
import { HOST_SERVICES } from '../machine-facts/device-names.ts';
import type { MachineFacts } from '../machine-facts/machine-facts.ts';
import type { SavedState } from '../reading/state.ts';
import { compareConfigs } from './compare-configs.ts';
import { compareCpuid } from './compare-cpuid.ts';
import { compareCpus } from './compare-cpus.ts';
import { compareDevices } from './compare-devices.ts';
import { compareGraphics } from './compare-graphics.ts';
import { compareMemory } from './compare-memory.ts';
import { Comparison } from './comparison.ts';
import type { Difference } from './difference.ts';

// Each rule was tried with the loader of 7.2.22 (npm run campaign -- virtualbox). That loader stops at the first
// difference, in the order of the units.

/**
 * Differences between the machine of a state and the machine that is to load it. @param notJudged gets facts that
 * neither machine tells
 */
export function compareMachines(
  state: SavedState,
  saved: MachineFacts,
  target: MachineFacts,
  notJudged: string[],
): Difference[] {
  const comparison = new Comparison(state, saved, target);
  compareMemory(comparison);
  compareCpus(comparison);
  if (
    state.units.some(({ name }) => name === 'GIM') &&
    comparison.differs('paravirtualisation', saved.paravirtualisation, target.paravirtualisation)
  ) {
    const message =
      `The guest sees paravirtualisation "${saved.paravirtualisation}", ${target.name} has ` +
      `"${target.paravirtualisation}"`;
    comparison.mismatch('GIM', 'paravirtualisation', message);
  }
  compareGraphics(comparison);
  compareDevices(comparison);
  compareConfigs(comparison);
  compareServices(comparison);
  notJudged.push(
    ...comparison.notJudged,
    ...(target.internalSettings ?? []).map(
      (name) => `setting ${name} of ${target.name}: its effect on loading is not known`,
    ),
  );
  return comparison.differences;
}

/** Differences between a state's CPUs and a host's CPU, whatever the machine. */
export function compareHost(state: SavedState, saved: MachineFacts, cpuid: CpuidPart): Difference[] {
  const comparison = new Comparison(state, saved, { name: 'the host', cpuid });
  compareCpuid(comparison);
  return comparison.differences;
}

/**
 * Compares the host's services for guest additions, which come with the release; a state that uses a missing one does
 * not load.
 */
function compareServices(comparison: Comparison): void {
  const gone = comparison.state.hostServices?.find((service) => !HOST_SERVICES.includes(service));
  if (gone === undefined) return;
  comparison.add(
    'HGCM',
    'service-missing',
    'VERR_SSM_UNEXPECTED_DATA',
    `The guest uses the host's service ${gone}, which today's releases do not have`,
  );
}
