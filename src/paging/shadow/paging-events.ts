import { Events } from '../../pgm/statistics/events.ts';

// Paging statistics of a machine, by VirtualBox's names. Faults of the guest count in RZ, all else in R3.

/** Below `/PGM/CPU<n>/`: name → event. */
export const CPU_COUNTS = {
  'RZ/Trap0e/GuestPF': 'the guest gets the fault',
  'RZ/Trap0e/GuestPF/InMapping': 'the guest gets the fault, at an address of a hypervisor mapping',
  'RZ/Trap0e/Conflicts': 'an access to a guest page at the address of a hypervisor mapping',
  'RZ/Trap0e/Err/User/NPRead': 'a fault of user mode: read, not present in shadow tables',
  'RZ/Trap0e/Err/User/NPWrite': 'a fault of user mode: write, not present in shadow tables',
  'RZ/Trap0e/Err/User/Write': 'a fault of user mode: write to a present page',
  'RZ/Trap0e/Err/User/Reserved': 'a fault of user mode: reserved bit',
  'RZ/Trap0e/Err/User/NXE': 'a fault of user mode: fetch from a present page',
  'RZ/Trap0e/Err/User/Read': 'a fault of user mode: read of a present page',
  'RZ/Trap0e/Err/Supervisor/NPRead': 'a fault of the kernel: read, not present in shadow tables',
  'RZ/Trap0e/Err/Supervisor/NPWrite': 'a fault of the kernel: write, not present in shadow tables',
  'RZ/Trap0e/Err/Supervisor/Write': 'a fault of the kernel: write to a present page',
  'RZ/Trap0e/Err/Supervisor/Reserved': 'a fault of the kernel: reserved bit',
  'RZ/Trap0e/Err/Supervisor/NXE': 'a fault of the kernel: fetch from a present page',
  'RZ/Trap0e/Handlers/Mapping': 'a write that faults where a hypervisor handler watches',
  'RZ/Trap0e/Handlers/Physical': 'an access that a physical handler intercepts',
  'RZ/Trap0e/Handlers/VirtualByPhys': 'an access that a virtual handler intercepts, found by its physical page',
  'RZ/Trap0e/Handlers/Unhandled': 'an access to a watched page outside the watched bytes',
  'RZ/Trap0e/Handlers/Invalid': 'an access to an address without memory',
  'RZ/Trap0e/WP/ToR3': 'a write of the kernel to a read-only page, with CR0.WP off',
  'RZ/ROMWriteHandled': 'a write to ROM',
  'RZ/SyncPT/4K': 'a shadow table for a table of the guest',
  'RZ/SyncPT/4M': 'a shadow table for a large page of the guest',
  'RZ/SyncPT/Failed': 'a shadow table could not be allocated',
  'RZ/SyncPagePDOutOfSync': 'a directory entry that referred to another table',
  'RZ/AccessedPage': 'a page left absent until the guest accesses it',
  'RZ/DirtyPage/Mark': 'a clean page mapped read-only',
  'RZ/DirtyPage/MarkBig': 'a clean large page mapped read-only',
  'RZ/DirtyPage/Skipped': 'a page that was dirty or read-only already',
  'RZ/DirtyPage/Trap': 'a write that marks a page dirty',
  'RZ/DirtyPage/SetDirty': 'a page marked dirty',
  'RZ/DirtyPage/RealPF': 'a write that faults in the guest',
  'RZ/DirtyPage/AlreadySet': 'a write to a page that is dirty already',
  'RZ/OutOfSync/User': 'an access of user mode brought a page in',
  'RZ/OutOfSync/SuperVisor': 'an access of the kernel brought a page in',
  'RZ/OutOfSync/UserWrite': 'a write of user mode brought a page in',
  'RZ/OutOfSync/SuperVisorWrite': 'a write of the kernel brought a page in',
  'RZ/OutOfSync/Balloon': 'an access to a ballooned page',
  'R3/SyncCR3/Global': 'a sync of all tables',
  'R3/SyncCR3/NotGlobal': 'a sync that keeps global pages',
  'R3/FlushTLB/NewCR3': 'another CR3',
  'R3/FlushTLB/NewCR3Global': 'another CR3, global pages included',
  'R3/FlushTLB/SameCR3': 'the same CR3',
  'R3/FlushTLB/SameCR3Global': 'the same CR3, global pages included',
  'R3/InvalidatePage/4KBPages': 'INVLPG of a small page',
  'R3/InvalidatePage/4MBPages': 'INVLPG of a large page',
  'R3/InvalidatePage/PDMappings': 'INVLPG at a hypervisor mapping where the guest has no page',
  'R3/InvalidatePage/PDNPs': 'INVLPG where the guest has no page',
} as const;

/** Below `/PGM/CPU<n>/`: name → timed work. */
export const CPU_TIMES = {
  'RZ/Trap0e': 'a fault of the guest, from beginning to end',
  'RZ/Trap0e/Time/CheckPageFault': 'the walk of the guest’s tables, with its accessed and dirty bits',
  'RZ/Trap0e/Time/Mapping': 'moving a hypervisor mapping away for a page of the guest',
  'RZ/Trap0e/Time/SyncPT': 'finding or making the shadow tables',
  'RZ/Trap0e/Time/OutOfSync': 'filling a shadow table',
  'RZ/Trap0e/Time2/DirtyAndAccessedBits': 'a fault that marked a page dirty',
  'RZ/Trap0e/Time2/GuestTrap': 'a fault that the guest gets',
  'RZ/Trap0e/Time2/HandlerPhysical': 'a fault at a physical handler',
  'RZ/Trap0e/Time2/HandlerVirtual': 'a fault at a virtual handler',
  'RZ/Trap0e/Time2/HandlerUnhandled': 'a fault outside the watched bytes of a page',
  'RZ/Trap0e/Time2/Misc': 'a fault of no other cause',
  'RZ/Trap0e/Time2/OutOfSync': 'a fault that brought a page in',
  'RZ/Trap0e/Time2/SyncPT': 'a fault that made a shadow table',
  'RZ/SyncPT': 'making shadow tables',
  'RZ/DirtyPage': 'marking a page dirty',
  'R3/SyncCR3': 'a sync of CR3',
  'R3/SyncCR3/Handlers': 'a sync of CR3: virtual handlers',
  'R3/InvalidatePage': 'INVLPG',
  'R3/Prefetch': 'bringing a page in before it is used',
  'R3/FlushTLB': 'a move to CR3',
} as const;

/** Below `/PGM/`: name → event of all CPUs. */
export const SHADOW_COUNTS = {
  'R3/DetectedConflicts': 'the guest uses the addresses of a mapping',
  'RC/InvlPgConflict': 'INVLPG at a mapping whose addresses the guest uses',
  'Track/Virgin': 'the first shadow table that maps a page',
  'Track/Aliased': 'the second shadow table that maps a page',
  'Track/AliasedMany': 'a further shadow table that maps a page',
  'Track/AliasedLots': 'a shadow table more than the list can hold',
  'Track/Overflows': 'a list that cannot grow',
  'Track/NoExtentLeft': 'no extent is free for a list',
} as const;

/** Below `/PGM/`: name → timed work. */
export const SHADOW_TIMES = {
  'R3/ResolveConflict': 'moving mappings out of the guest’s way',
  'R3/SyncCR3/Handlers/VirtualUpdate': 'looking watched pages up',
  'R3/SyncCR3/Handlers/VirtualReset': 'marking watched pages',
  'R3/VirtHandlerSearchByPhys': 'finding a virtual handler by physical address',
  'Track/Deref': 'taking a page out of all shadow tables',
} as const;

export type CpuCount = keyof typeof CPU_COUNTS;
export type CpuTime = keyof typeof CPU_TIMES;
export type ShadowCount = keyof typeof SHADOW_COUNTS;
export type ShadowTime = keyof typeof SHADOW_TIMES;

/** Statistics of one CPU. */
export class CpuEvents extends Events<CpuCount, CpuTime> {}
/** Statistics of all CPUs together. */
export class ShadowEvents extends Events<ShadowCount, ShadowTime> {}
