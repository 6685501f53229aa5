import { hasPaging, type PagingMode } from '../modes.ts';
import { NIL_INDEX } from '../pool/pool-pages.ts';
import { shadowModeFor } from '../shadow-mode.ts';
import { planFor } from './plan.ts';
import type { ModeChangeStatus, ShadowedCpu } from './shadow-state.ts';

/** Changes the mode in VirtualBox's order (paging.md 3, `PGMR3ChangeMode`). */
export function changeMode(cpu: ShadowedCpu, guest: PagingMode): ModeChangeStatus {
  const { options, hooks } = cpu.paging;
  cpu.counts.modeChanges++;
  const { shadow, switcher } = shadowModeFor(guest, options, cpu.shadowMode);
  if (switcher && hooks.selectSwitcher?.(switcher) === false) return 'switcher-refused';
  const isOtherShadow =
    shadow !== cpu.shadowMode ||
    (options.nestedPaging !== undefined && cpu.plan !== planFor(shadow, guest, options.host));
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

/** Enters the guest mode, and the combination of guest and shadow mode. */
function enter(cpu: ShadowedCpu, guest: PagingMode): ModeChangeStatus {
  if (hasPaging(guest)) return cpu.cr3.map();
  cpu.cr3.latched = undefined;
  if (cpu.plan?.nested) return 'ok';
  cpu.cr3.takeRoot(undefined);
  return cpu.root === NIL_INDEX ? 'no-root' : 'ok';
}
