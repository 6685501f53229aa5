import { hasPaging, type PagingMode, type ShadowMode } from '../modes.ts';
import { shadowModeFor, type WorldSwitcher } from '../shadow-mode.ts';
import { planFor } from './plan.ts';
import { NIL_INDEX } from './pool.ts';
import type { ShadowCpu } from './shadow-cpu.ts';

/**
 * How a mode change ended. `pae-disabled`: the guest has no PAE by CPUID, and the machine stops with the run-time error PAEmode; `no-root`:
 * the root can't be allocated (VERR_PGM_POOL_FLUSHED); `cr3-not-in-memory`: CR3 leads to no RAM (VERR_INTERNAL_ERROR_2), and every access
 * faults; `switcher-refused`: nothing has changed; `not-combinable`: the guest can't be shadowed in the shadow mode that it keeps, and every
 * access is emulated.
 */
export type ModeChangeStatus = 'ok' | 'pae-disabled' | 'no-root' | 'cr3-not-in-memory' | 'switcher-refused' | 'not-combinable';

/** Who else takes part in mode changes. */
export interface ModeChangeHooks {
  /** Raw mode: makes a world switcher current. False refuses the change. */
  selectSwitcher?(switcher: WorldSwitcher): boolean;
  /** The hardware layer is told at the end, also of a change that failed late. */
  notifyHardware?(shadow: ShadowMode | undefined, guest: PagingMode): void;
}

/** Changes the mode in VirtualBox's order (paging.md 3, `PGMR3ChangeMode`). */
export function changeMode(cpu: ShadowCpu, guest: PagingMode): ModeChangeStatus {
  const { options, hooks } = cpu.paging;
  cpu.counts.modeChanges++;
  const { shadow, switcher } = shadowModeFor(guest, options, cpu.shadowMode);
  if (switcher && hooks.selectSwitcher?.(switcher) === false) return 'switcher-refused';
  const isOtherShadow = shadow !== cpu.shadowMode || (options.nestedPaging !== undefined && cpu.plan !== planFor(shadow, guest, options.host));
  if (isOtherShadow && cpu.plan?.nested) cpu.cr3.unmap();
  if (!cpu.plan?.nested) cpu.cr3.unmap();
  cpu.plan = planFor(shadow, guest, options.host);
  if (isOtherShadow) {
    cpu.shadowMode = shadow;
    if (cpu.plan?.nested) cpu.cr3.takeRoot(undefined);
    if (cpu.plan?.nested && cpu.root === NIL_INDEX) {
      cpu.shadowMode = undefined;
      return 'no-root';
    }
  }
  cpu.cr3.requestSync();
  cpu.guestMode = guest;
  cpu.refreshWalker();
  if (guest.startsWith('pae') && options.features?.pae === false) return 'pae-disabled';
  const status = cpu.plan ? enter(cpu, guest) : 'not-combinable';
  hooks.notifyHardware?.(cpu.shadowMode, guest);
  return status;
}

/** Enters the guest mode, and both modes together. */
function enter(cpu: ShadowCpu, guest: PagingMode): ModeChangeStatus {
  if (hasPaging(guest)) return cpu.cr3.map();
  cpu.cr3.latched = undefined;
  if (cpu.plan?.nested) return 'ok';
  cpu.cr3.takeRoot(undefined);
  return cpu.root === NIL_INDEX ? 'no-root' : 'ok';
}
