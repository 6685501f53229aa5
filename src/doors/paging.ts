// Exports of 'savkit/paging': virtual memory of guests, shadow page tables, the areas that they are mapped in.

export { addressSpaceOf } from '../machine/machine-space.ts';
export {
  AddressSpace,
  type AddressSpaceMemory,
  type AddressSpaceOptions,
  type Translation,
  type WalkedEntry,
} from '../paging/address-space.ts';
export { type FindOptions, findBytes } from '../paging/find-bytes.ts';
export { GuestView } from '../paging/guest-view.ts';
export { type Hierarchy, type HierarchyEntry, hierarchyOf } from '../paging/hierarchy.ts';
export { Cr3MappingArea, DynamicMappingArea, type ShowPage } from '../paging/mappings/dynamic-area.ts';
export type { GuestDirectory } from '../paging/mappings/guest-directory.ts';
export type { FixedArea, GuestMapping, Relocate } from '../paging/mappings/guest-mapping.ts';
export { GuestMappings } from '../paging/mappings/guest-mappings.ts';
export { HypervisorArea, type Reservation, type ReservedFor } from '../paging/mappings/hypervisor-area.ts';
export { type AllocateLow, HypervisorPages } from '../paging/mappings/hypervisor-pages.ts';
export { IntermediateContext } from '../paging/mappings/intermediate-context.ts';
export { RawMode, type RawObject } from '../paging/mappings/raw-mode.ts';
export {
  mappingsOf,
  type VirtualAddresses,
  type VirtualRun,
  type VirtualRuns,
  virtualAddressesOf,
} from '../paging/mappings-of.ts';
export { type AddressMode, type HostMode, type PagingMode, pagingModeOf, type ShadowMode } from '../paging/modes.ts';
export { type AccessKind, PageFault } from '../paging/page-fault.ts';
export type { PoolCounts, ShadowPool } from '../paging/pool/pool.ts';
export type { TableEntries } from '../paging/pool/table-entries.ts';
export type { TableName } from '../paging/schemes.ts';
export type { Breach, Condition } from '../paging/shadow/checks/conditions.ts';
export { checkConsistency } from '../paging/shadow/checks/consistency-check.ts';
export { checkPool, type PoolBreach, type PoolCondition } from '../paging/shadow/checks/pool-check.ts';
export { Reach } from '../paging/shadow/guest-access.ts';
export { shadowSpace } from '../paging/shadow/host-view.ts';
export type { ShadowCpu } from '../paging/shadow/shadow-cpu.ts';
export { ShadowPaging } from '../paging/shadow/shadow-paging.ts';
export type {
  CpuCounts,
  ModeChangeHooks,
  ModeChangeStatus,
  PoolOptions,
  Registers,
  ShadowPagingOptions,
} from '../paging/shadow/shadow-state.ts';
export type { VirtualHandler, VirtualHandlerKind, VirtualHandlers } from '../paging/shadow/virtual-handlers.ts';
export { type HostPaging, type ShadowChoice, shadowModeFor, type WorldSwitcher } from '../paging/shadow-mode.ts';
export type { EntryKind, VisitLimits } from '../paging/visit-tables.ts';
export type { TableMemory } from '../paging/walker.ts';
