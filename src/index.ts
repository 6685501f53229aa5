// What scripts import from 'savkit'.

export {
  EnvironmentError,
  FormatError,
  InterruptedError,
  type OnDamage,
  type Pass,
  type Place,
  SavkitError,
  UnsupportedError,
  UsageError,
} from '../formats/errors.ts';
export {
  type ByteSink,
  type FileSink,
  openFileSink,
  type SeekableSink,
  streamSink,
  writeFileSink,
} from '../formats/files/sink.ts';
export { type ByteSource, bufferSource, openFile, streamSource } from '../formats/files/source.ts';
export { PageBatch, PageKind } from '../formats/pgm/page-batch.ts';
export type { PageSink } from '../formats/pgm/page-sink.ts';
export { PgmReader } from '../formats/pgm/pgm-reader.ts';
export type { Container, ContainerHeader, Release, UnitHeader } from '../formats/ssm/container.ts';
export { openContainer } from '../formats/ssm/open.ts';
export { PayloadReader } from '../formats/ssm/payload.ts';
export { Encoding } from '../formats/ssm/segments.ts';
export type { Answer } from './console/answer.ts';
export { Console } from './console/console.ts';
export type { AccountName, AccountPages, HostAccount, HostPriority, OverCommitPolicy } from './gmm/host-account.ts';
export { HostMemory, type HostMemoryFigures, type HostMemoryOptions } from './gmm/host-memory.ts';
export { HostMemoryError } from './gmm/host-memory-error.ts';
export { DirtyTracker, type PageNames, type TakeOptions } from './live-save/dirty-tracker.ts';
export { bindLiveStatistics, type ClassCounts, type LiveCounts } from './live-save/live-counters.ts';
export {
  type LiveMachine,
  type LiveSaveOptions,
  type LiveSaveReport,
  liveSave,
  type PassReport,
} from './live-save/live-save.ts';
export { plainSave } from './live-save/plain-save.ts';
export {
  type DirtyHistory,
  NO_HISTORY,
  type Vote,
  type VoteFigures,
  type VoteResult,
  voteOnPass,
} from './live-save/vote.ts';
export { type LoadOptions, loadState } from './machine/load.ts';
export { type LoadedUnit, Machine } from './machine/machine.ts';
export { addressSpaceOf } from './machine/machine-space.ts';
export { type MachineEvent, type MachineState, nextState } from './machine/machine-states.ts';
export { type SaveOptions, saveState } from './machine/save.ts';
export {
  AddressSpace,
  type AddressSpaceMemory,
  type AddressSpaceOptions,
  type Translation,
} from './paging/address-space.ts';
export { type Found, findBytes } from './paging/find-bytes.ts';
export { GuestView } from './paging/guest-view.ts';
export { type Hierarchy, type HierarchyEntry, hierarchyOf } from './paging/hierarchy.ts';
export { Cr3MappingArea, DynamicMappingArea } from './paging/mappings/dynamic-area.ts';
export { type GuestMapping, GuestMappings } from './paging/mappings/guest-mappings.ts';
export { IntermediateContext } from './paging/mappings/intermediate-context.ts';
export { mappingsOf, type VirtualRun, type VirtualRuns, virtualAddressesOf } from './paging/mappings-of.ts';
export { type PagingMode, pagingModeOf, type ShadowMode } from './paging/modes.ts';
export { PageFault } from './paging/page-fault.ts';
export { type Breach, checkConsistency } from './paging/shadow/consistency-check.ts';
export { Reach } from './paging/shadow/guest-access.ts';
export { shadowSpace } from './paging/shadow/host-view.ts';
export { checkPool, type PoolBreach } from './paging/shadow/pool-check.ts';
export type { ShadowCpu } from './paging/shadow/shadow-cpu.ts';
export { ShadowPaging } from './paging/shadow/shadow-paging.ts';
export type { ShadowPagingOptions } from './paging/shadow/shadow-state.ts';
export type { VirtualHandler } from './paging/shadow/virtual-handlers.ts';
export { shadowModeFor } from './paging/shadow-mode.ts';
export type { HandlerAnswer, HandlerCallback, HandlerKind, PhysHandler } from './pgm/access/handler-list.ts';
export type { PageLock } from './pgm/access/page-locks.ts';
export type { AccessOrigin, PhysMemory } from './pgm/access/phys-memory.ts';
export { GuestMemory } from './pgm/guest-memory.ts';
export { type ConfigValues, type MemoryConfig, readMemoryConfig } from './pgm/life/memory-config.ts';
export { finaliseMemory, resetCpu, resetMemory, setUpMemory } from './pgm/life/memory-life.ts';
export { assertIntegrity, checkIntegrity } from './pgm/memory-integrity.ts';
export { HostBacking, type HostBackingOptions } from './pgm/pages/host-backing.ts';
export type { PageCounts } from './pgm/pages/page-counters.ts';
export {
  HandlerState,
  PAGE_STATE_NAMES,
  PAGE_TYPE_NAMES,
  PageState,
  PageType,
  RomProtection,
} from './pgm/pages/page-states.ts';
export type { PageEvent } from './pgm/pages/page-transitions.ts';
export type { RamRange } from './pgm/pages/ram-range.ts';
export { scanMemory } from './pgm/scan-memory.ts';
export { PageSharing, type SharingCounts } from './pgm/sharing/page-sharing.ts';
export { readSimple, writeSimple } from './pgm/simple-access.ts';
export type { StatTree } from './pgm/statistics/stat-tree.ts';
export type { Statistic, StatisticSample, StatisticValue } from './pgm/statistics/statistic.ts';
export { emptyMachine } from './running/empty-machine.ts';
export { Guest, type GuestCheck, type GuestFault } from './running/guest.ts';
export { type RunFigures, RunningMachine } from './running/running-machine.ts';
export { WORKLOADS, type WorkloadKind } from './running/schedule.ts';
export { readTraceFile, type Trace, TraceRecorder, traceLines } from './running/trace.ts';
export type { WorkloadOptions } from './running/workload.ts';
export { type CheckOptions, type CheckReport, check, type Forecast } from './saved-state/check/check.ts';
export { readSettings } from './saved-state/check/settings.ts';
export { machineOf, type TargetMachine } from './saved-state/check/target-machine.ts';
export { parseRelease, type ReleaseNumbers } from './saved-state/check/unit-versions.ts';
export { type DiffOptions, diffStates, type StateDiff } from './saved-state/compare/diff.ts';
export { type ConvertReport, type ConvertRun, convert } from './saved-state/convert/convert.ts';
export type { Difference, Proof } from './saved-state/convert/proof.ts';
export { describeState, type StateDescription } from './saved-state/describe/describe.ts';
export { inspect } from './saved-state/describe/inspect.ts';
export { type Explanation, explainCode } from './saved-state/explain/explain.ts';
export { explainLog, type LogFinding } from './saved-state/explain/log-reader.ts';
export {
  type CoreReport,
  type ExtractOptions,
  type ExtractReport,
  extract,
  type ImageTarget,
} from './saved-state/extract/extract.ts';
export { extractToStream } from './saved-state/extract/extract-stream.ts';
export type { ImageFormat } from './saved-state/extract/plan-extraction.ts';
export { deriveLayout, type MachineLayout, parseLayout, printLayout } from './saved-state/layout/machine-layout.ts';
export { type MemoryRegion, memoryMap } from './saved-state/layout/memory-map.ts';
export { compareWithManifest, type ManifestReport } from './saved-state/manifest/compare-manifest.ts';
export { type Manifest, makeManifest } from './saved-state/manifest/manifest.ts';
export { decodeManifest, encodeManifest, type ManifestEncoding } from './saved-state/manifest/manifest-file.ts';
export type { Finding } from './saved-state/reading/findings.ts';
export type { SavedState, UnitSummary } from './saved-state/reading/state.ts';
export { type WalkOptions, walkState } from './saved-state/reading/walk.ts';
export { salvage } from './saved-state/salvage/salvage.ts';
export type { SalvageOptions } from './saved-state/salvage/salvage-options.ts';
export type { SalvageReport } from './saved-state/salvage/salvage-report.ts';
export { type VerifyReport, verify } from './saved-state/verify/verify.ts';
