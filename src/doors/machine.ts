// Exports of 'savkit/machine': machines with live memory, their host's memory, live saves, running machines, the
// console.

export type { NewRegisters } from '../../formats/units/cpu/cpum.ts';
export type { Answer } from '../console/answer.ts';
export { Console } from '../console/console.ts';
export type { ConsoleSession } from '../console/session.ts';
export type { HostPageState } from '../gmm/chunk.ts';
export type { DefragmentReport } from '../gmm/defragment.ts';
export type { HostAccount } from '../gmm/host-account.ts';
export { HostMemory, type HostMemoryFigures, type HostMemoryOptions } from '../gmm/host-memory.ts';
export { type HostMemoryCode, HostMemoryError } from '../gmm/host-memory-error.ts';
export type {
  AccountName,
  AccountPages,
  BalloonAction,
  HostPriority,
  HostReservation,
  OverCommitPolicy,
} from '../gmm/host-reservation.ts';
export { DirtyTracker, type PageNames, type PassOptions } from '../live-save/dirty-tracker.ts';
export { bindLiveStatistics, type ClassCounts, type LiveCounts, type PageClass } from '../live-save/live-counters.ts';
export {
  type LiveMachine,
  type LiveSaveOptions,
  type LiveSaveReport,
  liveSave,
  type PassReport,
} from '../live-save/live-save.ts';
export { plainSave } from '../live-save/plain-save.ts';
export {
  type DirtyHistory,
  NO_HISTORY,
  type Vote,
  type VoteFigures,
  type VoteResult,
  voteOnPass,
} from '../live-save/vote.ts';
export { type AddressRange, type Peeked, peek, poke } from '../machine/edit.ts';
export { type EditProof, proveEdit } from '../machine/edit-proof.ts';
export { type LoadOptions, loadState } from '../machine/load.ts';
export { DEFAULT_HOST, type LoadedUnit, Machine } from '../machine/machine.ts';
export { MachineCpu, type PagingOptions } from '../machine/machine-cpu.ts';
export { type MachineEvent, type MachineState, nextMachineState } from '../machine/machine-states.ts';
export type { Contents } from '../machine/memory-filler.ts';
export { type SaveOptions, saveState } from '../machine/save.ts';
export type { A20Gate } from '../pgm/access/a20-gate.ts';
export type {
  HandlerAnswer,
  HandlerCallback,
  HandlerKind,
  ListedHandler,
  PhysHandler,
  RawCallback,
} from '../pgm/access/handler-list.ts';
export type { PageLock, PageLocks } from '../pgm/access/page-locks.ts';
export type { PhysHandlers } from '../pgm/access/phys-handlers.ts';
export type { AccessOrigin, PhysMemory } from '../pgm/access/phys-memory.ts';
export type { DeviceRanges } from '../pgm/devices/device-ranges.ts';
export type { MmioRanges } from '../pgm/devices/mmio-ranges.ts';
export type { Mmio2Range, Mmio2Ranges, NewMmio2 } from '../pgm/devices/mmio2-ranges.ts';
export type { RomRange } from '../pgm/devices/rom-range.ts';
export type { NewRom, RomRanges } from '../pgm/devices/rom-ranges.ts';
export { type AccessCounts, GuestMemory } from '../pgm/guest-memory.ts';
export { type ConfigValues, type MemoryConfig, readMemoryConfig } from '../pgm/life/memory-config.ts';
export { finaliseMemory, resetRam, setUpMemory } from '../pgm/life/memory-life.ts';
export { assertIntegrity, checkIntegrity } from '../pgm/memory-integrity.ts';
export type { Balloon } from '../pgm/pages/balloon.ts';
export { HostBacking, type HostBackingOptions } from '../pgm/pages/host-backing.ts';
export type { PageCounts } from '../pgm/pages/page-counters.ts';
export {
  HandlerState,
  PAGE_STATE_NAMES,
  PAGE_TYPE_NAMES,
  PageState,
  PageType,
  RomProtection,
} from '../pgm/pages/page-states.ts';
export type { PageEvent } from '../pgm/pages/page-transitions.ts';
export type { RamRange, RangeKind } from '../pgm/pages/ram-range.ts';
export type { RangeList } from '../pgm/pages/range-list.ts';
export type { WriteMonitor } from '../pgm/pages/write-monitor.ts';
export { scanMemory } from '../pgm/scan-memory.ts';
export { PageSharing, type SharingCounts } from '../pgm/sharing/page-sharing.ts';
export { readSimple, writeSimple } from '../pgm/simple-access.ts';
export {
  type PassingStatistics,
  type StatisticReader,
  type StatisticSource,
  StatTree,
} from '../pgm/statistics/stat-tree.ts';
export type {
  Profile,
  Statistic,
  StatisticKind,
  StatisticRow,
  StatisticSample,
  StatisticUnit,
  StatisticValue,
  StatisticVisibility,
} from '../pgm/statistics/statistic.ts';
export { Timing } from '../pgm/statistics/timing.ts';
export { emptyMachine } from '../running/empty-machine.ts';
export { Guest, type GuestCheck, type GuestFault } from '../running/guest.ts';
export { type RunFigures, RunningMachine } from '../running/running-machine.ts';
export { WORKLOADS, type WorkloadKind } from '../running/schedule.ts';
export { readTraceFile, type Trace, TraceRecorder, traceLines } from '../running/trace.ts';
export type { WorkloadOptions } from '../running/workload.ts';
