// What scripts import from 'savkit': files, what can be done with saved states, and what is told of it.

export type { EnvironmentCode, SystemCode } from '../../formats/codes/environment-codes.ts';
export type { FormatCode } from '../../formats/codes/format-codes.ts';
export type { UnsupportedCode } from '../../formats/codes/unsupported-codes.ts';
export type { UsageCode } from '../../formats/codes/usage-codes.ts';
export {
  EnvironmentError,
  FormatError,
  InterruptedError,
  NotAStateError,
  type OnDamage,
  type Pass,
  type Place,
  SavkitError,
  UnsupportedError,
  UsageError,
} from '../../formats/errors.ts';
export type { OutputOptions } from '../../formats/files/output-place.ts';
export {
  type ByteSink,
  type FileSink,
  openFileSink,
  type ReadableSink,
  type SeekableSink,
  streamSink,
  writeFileSink,
} from '../../formats/files/sink.ts';
export { type ByteSource, bufferSource, openFile, streamSource } from '../../formats/files/source.ts';
export { type PageBatch, PageKind } from '../../formats/pgm/page-batch.ts';
export type { PageSink } from '../../formats/pgm/page-sink.ts';
export { type CheckOptions, type CheckReport, check, type Forecast } from '../saved-state/check/check.ts';
export { readSettings } from '../saved-state/check/settings.ts';
export { type Chipset, machineOf, type TargetMachine, type VgaModel } from '../saved-state/check/target-machine.ts';
export { parseRelease, type ReleaseNumbers } from '../saved-state/check/unit-versions.ts';
export {
  type DiffOptions,
  diffStates,
  type PageDifference,
  type RangeDifference,
  type StateDiff,
} from '../saved-state/compare/diff.ts';
export { type ConvertReport, type ConvertRun, convert } from '../saved-state/convert/convert.ts';
export type { ConvertOptions } from '../saved-state/convert/plan.ts';
export type { Difference, Proof } from '../saved-state/convert/proof.ts';
export {
  type CpuDescription,
  describeState,
  type PageHistogram,
  type PassDescription,
  type StateDescription,
  type UnitDescription,
} from '../saved-state/describe/describe.ts';
export type { SavedMachine } from '../saved-state/describe/describe-machine.ts';
export type { UnitContents } from '../saved-state/describe/describe-unit.ts';
export type { FieldDifference } from '../saved-state/describe/fields.ts';
export { inspect } from '../saved-state/describe/inspect.ts';
export { type Explanation, explainCode } from '../saved-state/explain/explain.ts';
export type { Trouble } from '../saved-state/explain/kinds.ts';
export type { LogPlace } from '../saved-state/explain/log-places.ts';
export { explainLog, type LogFinding } from '../saved-state/explain/log-reader.ts';
export type { CodeFamily } from '../saved-state/explain/own-codes.ts';
export {
  type CoreReport,
  type ExtractOptions,
  type ExtractReport,
  type ExtractStep,
  extract,
  type ImageTarget,
} from '../saved-state/extract/extract.ts';
export { extractToStream } from '../saved-state/extract/extract-stream.ts';
export type { RandomSink } from '../saved-state/extract/image-runs.ts';
export type { ExtractPart, ImageFormat } from '../saved-state/extract/plan-extraction.ts';
export {
  type FamilyInspection,
  type InspectOptions,
  inspectState,
  type StateInspection,
} from '../saved-state/families/inspect-state.ts';
export { readState } from '../saved-state/families/read-state.ts';
export {
  type StateReport,
  type StateVerdict,
  type VerifyStateOptions,
  verifyState,
} from '../saved-state/families/verify-state.ts';
export type { PageSpan } from '../saved-state/hashing/page-hashes.ts';
export { deriveLayout, type MachineLayout, parseLayout, printLayout } from '../saved-state/layout/machine-layout.ts';
export { memoryMap } from '../saved-state/layout/memory-map.ts';
export { compareWithManifest, type ManifestReport } from '../saved-state/manifest/compare-manifest.ts';
export {
  type Manifest,
  type ManifestOptions,
  type ManifestRange,
  type ManifestUnit,
  makeManifest,
} from '../saved-state/manifest/manifest.ts';
export { decodeManifest, encodeManifest, type ManifestEncoding } from '../saved-state/manifest/manifest-file.ts';
export type {
  DiskImageDescription,
  DiskSnapshotDescription,
  QemuBlockDescription,
  QemuSectionDescription,
  QemuStateDescription,
} from '../saved-state/qemu/describe-qemu.ts';
export type { LibvirtDomain } from '../saved-state/qemu/libvirt-domain.ts';
export type { CheckLevel, CheckLevelVerdict, QemuVerdict } from '../saved-state/qemu/verify-qemu.ts';
export { convertQemu, type QemuConvertReport, type QemuConvertRun } from '../saved-state/qemu-convert/convert-qemu.ts';
export type { QemuForm } from '../saved-state/qemu-convert/forms.ts';
export type { QemuConvertOptions } from '../saved-state/qemu-convert/plan-conversion.ts';
export type { LostPages } from '../saved-state/qemu-salvage/page-sets.ts';
export {
  type QemuSalvageOptions,
  type QemuSalvageReport,
  salvageQemu,
} from '../saved-state/qemu-salvage/salvage-qemu.ts';
export type { StateFamily } from '../saved-state/reading/families.ts';
export type { Finding } from '../saved-state/reading/findings.ts';
export type { MemoryRegion, NamedRange, RegionKind } from '../saved-state/reading/memory-region.ts';
export type { PassSummary, PgmSummary, SavedState, UnitSummary } from '../saved-state/reading/state.ts';
export type {
  NamedPage,
  RangeNames,
  RangeNaming,
  StateCpus,
  StateMemory,
  StateView,
} from '../saved-state/reading/state-view.ts';
export { type WalkOptions, walkState } from '../saved-state/reading/walk.ts';
export type { FlippedBit } from '../saved-state/salvage/flipped-bits.ts';
export type { LostRun } from '../saved-state/salvage/losses.ts';
export type { PageGroup } from '../saved-state/salvage/page-survey.ts';
export { salvage } from '../saved-state/salvage/salvage.ts';
export type { Fill, SalvageOptions } from '../saved-state/salvage/salvage-options.ts';
export type { SalvageReport, UnitFate } from '../saved-state/salvage/salvage-report.ts';
export { type Match, type Pattern, type PatternKind, patternOf } from '../saved-state/search/pattern.ts';
export { type Hit, type SearchOptions, type SearchReport, searchMemory } from '../saved-state/search/search-memory.ts';
export { type Verdict, type VerifyOptions, type VerifyReport, verify } from '../saved-state/verify/verify.ts';
