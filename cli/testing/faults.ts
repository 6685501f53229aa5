import { setTimeout } from 'node:timers/promises';
import type { SavkitProcess } from '../../migrations/testing/savkit-process.ts';

export const SIDES = ['source', 'target'] as const;
export type Side = (typeof SIDES)[number];
const LINK_FAULTS = ['link, for a moment', 'link, for ever'] as const;
/** Faults of a process, from the worst on. */
const PROCESS_FAULTS = ['killed', 'SIGTERM', 'SIGINT', 'SIGHUP', 'terminal closed', 'without readers'] as const;
type ProcessFault = (typeof PROCESS_FAULTS)[number];

export type Fault = (typeof LINK_FAULTS)[number] | `${Side} ${ProcessFault}`;
export const KILLS: readonly Fault[] = SIDES.map((side) => `${side} killed` as const);
/** Faults that `migrate` and its records have to get over. */
export const CUTS_AND_KILLS: readonly Fault[] = [...LINK_FAULTS, ...KILLS];
export const FAULTS: readonly Fault[] = [
  ...LINK_FAULTS,
  ...SIDES.flatMap((side) => PROCESS_FAULTS.map((fault) => `${side} ${fault}` as const)),
];

/** The side whose process a fault befalls; undefined for those of the link. */
export function victimOf(fault: Fault): Side | undefined {
  return SIDES.find((side) => fault.startsWith(`${side} `));
}

/** Faults after which a migration has to go on as if nothing had been, wherever they strike. */
export function isHarmless(fault: Fault): boolean {
  return (
    fault === 'link, for a moment' ||
    fault.endsWith('without readers') ||
    /^source (SIGINT|SIGHUP|terminal closed)$/.test(fault)
  );
}

export async function befall(victim: SavkitProcess, fault: Fault): Promise<void> {
  const { child, pid } = victim;
  const what = PROCESS_FAULTS.find((each) => fault.endsWith(each));
  if (what === 'killed') {
    process.kill(pid, 'SIGKILL');
    await victim.ended;
  } else if (what === 'terminal closed') child.kill('SIGKILL');
  else if (what === 'without readers') {
    child.stdout?.destroy();
    child.stderr?.destroy();
  } else if (what !== undefined) process.kill(pid, what);
  await setTimeout(0);
}
