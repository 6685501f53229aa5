import { type GuestPhys, PAGE_SIZE } from '../../../formats/sizes.ts';
import { clock } from '../../../formats/world/waiting.ts';
import { HandlerState, PageState, PageType } from '../../pgm/pages/page-states.ts';
import { PageFault } from '../page-fault.ts';
import { RW } from '../schemes.ts';
import type { CpuCount } from './paging-events.ts';
import type { ShadowedCpu } from './shadow-state.ts';

/** Causes of faults, by VirtualBox's names. */
type TrapCause =
  | 'DirtyAndAccessedBits'
  | 'GuestTrap'
  | 'HandlerPhysical'
  | 'HandlerVirtual'
  | 'HandlerUnhandled'
  | 'Misc'
  | 'OutOfSync'
  | 'SyncPT';

/** Statistics of a CPU's faults: counts by kind, and times by cause. */
export class TrapNotes {
  readonly #cpu: ShadowedCpu;
  /** Cause of the current fault. */
  #cause: TrapCause = 'Misc';
  #start = 0;

  constructor(cpu: ShadowedCpu) {
    this.#cpu = cpu;
  }

  begin(): void {
    this.#cause = 'Misc';
    this.#start = clock();
  }

  end(): void {
    const { events } = this.#cpu;
    events.time('RZ/Trap0e', this.#start);
    events.time(`RZ/Trap0e/Time2/${this.#cause}`, this.#start);
  }

  /** To be called after the walk of the guest's tables. */
  walked(): void {
    this.#cpu.events.time('RZ/Trap0e/Time/CheckPageFault', this.#start);
  }

  /**
   * Notes a write of the guest. @param isDirtied the page's entry was clean before the write @param start time at which
   * the entry's bits were checked
   */
  wrote(isDirtied: boolean, start: number): void {
    const { events } = this.#cpu;
    if (!isDirtied) {
      events.count('RZ/DirtyPage/AlreadySet');
      return;
    }
    events.count('RZ/DirtyPage/Trap');
    events.count('RZ/DirtyPage/SetDirty');
    events.time('RZ/DirtyPage', start);
    this.#cause = 'DirtyAndAccessedBits';
  }

  /** To be called if the guest gets the fault. @param linear address of the fault */
  guestFault(linear: number, code: number): void {
    const { counts, events, paging } = this.#cpu;
    counts.guestFaults++;
    events.count('RZ/Trap0e/GuestPF');
    events.count(errorName(code));
    const isWrite = (code & PageFault.WRITE) !== 0;
    if (isWrite) events.count('RZ/DirtyPage/RealPF');
    this.#cause = 'GuestTrap';
    if (!isInMapping(this.#cpu, linear)) return;
    events.count('RZ/Trap0e/GuestPF/InMapping');
    if (isWrite && paging.virtualHandlers.findHypervisor(BigInt(linear))) events.count('RZ/Trap0e/Handlers/Mapping');
  }

  /** To be called once shadow tables have the page. @param madeTables tables had to be made for it */
  synced(access: number, madeTables: boolean): void {
    const { counts, events } = this.#cpu;
    counts.synced++;
    const mode = (access & PageFault.USER) !== 0 ? 'User' : 'SuperVisor';
    events.count(`RZ/OutOfSync/${mode}`);
    if ((access & PageFault.WRITE) !== 0) events.count(`RZ/OutOfSync/${mode}Write`);
    if (this.#cause === 'Misc') this.#cause = madeTables ? 'SyncPT' : 'OutOfSync';
  }

  /** To be called for an access that no table can allow; counts the reason. */
  emulated(access: number, gcPhys: GuestPhys): void {
    const { counts, events, paging, walker } = this.#cpu;
    counts.emulated++;
    const range = paging.memory.ranges.find(gcPhys);
    if (range === undefined) {
      events.count('RZ/Trap0e/Handlers/Invalid');
      return;
    }
    const page = range.pageOf(gcPhys);
    const isWrite = (access & PageFault.WRITE) !== 0;
    if (range.state[page] === PageState.BALLOONED) events.count('RZ/OutOfSync/Balloon');
    if (range.type[page] === PageType.ROM && isWrite) events.count('RZ/ROMWriteHandled');
    if (isWrite && walker && (walker.rights & RW) === 0) events.count('RZ/Trap0e/WP/ToR3');
    if (paging.memory.handlers.list.find(gcPhys)) {
      events.count('RZ/Trap0e/Handlers/Physical');
      this.#cause = 'HandlerPhysical';
    } else if (paging.virtualHandlers.stateOf(Math.floor(gcPhys / PAGE_SIZE)) > HandlerState.NONE) {
      events.count('RZ/Trap0e/Handlers/VirtualByPhys');
      this.#cause = 'HandlerVirtual';
    } else if (range.handler[page] >= HandlerState.WRITE) {
      events.count('RZ/Trap0e/Handlers/Unhandled');
      this.#cause = 'HandlerUnhandled';
    }
  }
}

/** Whether a hypervisor mapping is at an address of the guest. */
export function isInMapping({ paging, plan, walker }: ShadowedCpu, linear: number): boolean {
  if (!paging.rawMode || plan?.nested || walker?.scheme.name === 'long') return false;
  return !paging.rawMode.mappings.isDisabled && paging.rawMode.mappings.at(linear) !== undefined;
}

/** Counter of the guest's faults with an error code. */
function errorName(code: number): CpuCount {
  const isUser = (code & PageFault.USER) !== 0;
  const mode = isUser ? 'User' : 'Supervisor';
  const isWrite = (code & PageFault.WRITE) !== 0;
  if ((code & PageFault.RESERVED) !== 0) return `RZ/Trap0e/Err/${mode}/Reserved`;
  if ((code & PageFault.PRESENT) === 0) return `RZ/Trap0e/Err/${mode}/${isWrite ? 'NPWrite' : 'NPRead'}`;
  if (isWrite) return `RZ/Trap0e/Err/${mode}/Write`;
  // The kernel may read all present pages, so its fault is a fetch.
  return (code & PageFault.FETCH) !== 0 || !isUser ? `RZ/Trap0e/Err/${mode}/NXE` : 'RZ/Trap0e/Err/User/Read';
}
