// Exports of 'savkit/states': options of the operations in 'savkit', parts of their reports, files, layouts of
// machines, codes of errors.

export type { EnvironmentCode, SystemCode } from '../../formats/codes/environment-codes.ts';
export type { FormatCode } from '../../formats/codes/format-codes.ts';
export type { UnsupportedCode } from '../../formats/codes/unsupported-codes.ts';
export type { UsageCode } from '../../formats/codes/usage-codes.ts';
export type { OnDamage, Pass } from '../../formats/errors.ts';
export type { OutputOptions } from '../../formats/files/output-place.ts';
export type { FileSink, ReadableSink, SeekableSink } from '../../formats/files/sink.ts';
export type { RamFile } from '../../formats/files/source.ts';
export type { CheckOptions, LoadForecast } from '../saved-state/check/check.ts';
export { parseRelease, type ReleaseNumbers } from '../saved-state/check/unit-versions.ts';
export type { DiffOptions, PageDifference, RangeDifference } from '../saved-state/compare/diff.ts';
export type { ConvertRun } from '../saved-state/convert/convert.ts';
export type { ConvertOptions } from '../saved-state/convert/plan.ts';
export type { Proof, ProofDifference } from '../saved-state/convert/proof.ts';
export type { UnitDescription } from '../saved-state/describe/describe.ts';
export type { CpuDescription } from '../saved-state/describe/describe-cpus.ts';
export type { SavedMachine } from '../saved-state/describe/describe-machine.ts';
export type { MemoryDescription, PageHistogram, PassDescription } from '../saved-state/describe/describe-memory.ts';
export type { UnitContents } from '../saved-state/describe/describe-unit.ts';
export type { FieldDifference } from '../saved-state/describe/fields.ts';
export type { Trouble } from '../saved-state/explain/codes/kinds.ts';
export type { LogPlace } from '../saved-state/explain/log-places.ts';
export type { LogFinding } from '../saved-state/explain/log-reader.ts';
export type { CodeFamily } from '../saved-state/explain/own-codes.ts';
export type { CoreReport, ExtractOptions, ExtractStep, ImageTarget } from '../saved-state/extract/extract.ts';
export type { RandomSink } from '../saved-state/extract/image-runs.ts';
export type { ExtractPart, ImageFormat } from '../saved-state/extract/plan-extraction.ts';
export type { FamilyInspection, InspectOptions } from '../saved-state/families/inspect-state.ts';
export type { StateVerdict, VerifyStateOptions } from '../saved-state/families/verify-state.ts';
export type { PageSpan } from '../saved-state/hashing/span-hashes.ts';
export { deriveLayout, type MachineLayout, parseLayout, printLayout } from '../saved-state/layout/machine-layout.ts';
export { memoryMap } from '../saved-state/layout/memory-map.ts';
export type { Chipset, MachineFacts, VgaModel } from '../saved-state/machine-facts/machine-facts.ts';
export type { ManifestCompareOptions } from '../saved-state/manifest/compare-manifest.ts';
export type { ManifestOptions, ManifestRange, ManifestUnit } from '../saved-state/manifest/manifest.ts';
export type { ManifestEncoding } from '../saved-state/manifest/manifest-file.ts';
export type {
  DiskImageDescription,
  DiskSnapshotDescription,
  QemuBlockDescription,
  QemuSectionDescription,
  QemuStateDescription,
} from '../saved-state/qemu/describe-qemu.ts';
export type { LibvirtDomain } from '../saved-state/qemu/libvirt-domain.ts';
export type { QemuForm } from '../saved-state/qemu-convert/forms.ts';
export type { QemuConvertOptions } from '../saved-state/qemu-convert/plan-conversion.ts';
export type { LostPages } from '../saved-state/qemu-salvage/page-sets.ts';
export type { QemuSalvageOptions } from '../saved-state/qemu-salvage/salvage-qemu.ts';
export type { CheckLevel, CheckLevelVerdict, QemuVerdict } from '../saved-state/qemu-verify/verify-qemu.ts';
export type { StateFamily } from '../saved-state/reading/families.ts';
export type { MemoryRegion, NamedRange, RegionKind } from '../saved-state/reading/memory-region.ts';
export type { PayloadObserver } from '../saved-state/reading/payload-observer.ts';
export type { PassSummary, PgmSummary, UnitSummary } from '../saved-state/reading/state.ts';
export type {
  MemoryFlaws,
  NamedPage,
  RangeNames,
  RangeNaming,
  StateCpus,
  StateMemory,
} from '../saved-state/reading/state-view.ts';
export type { WalkOptions } from '../saved-state/reading/walk.ts';
export type { FlippedBit } from '../saved-state/salvage/flipped-bits.ts';
export type { LostRun } from '../saved-state/salvage/losses.ts';
export type { PageGroup } from '../saved-state/salvage/page-survey.ts';
export type { Fill, SalvageOptions } from '../saved-state/salvage/salvage-options.ts';
export type { UnitFate } from '../saved-state/salvage/salvage-report.ts';
export type { Match, PatternKind } from '../saved-state/search/pattern.ts';
export type { Hit, SearchOptions } from '../saved-state/search/search-memory.ts';
export type { VerifyOptions, VirtualBoxVerdict } from '../saved-state/verify/verify.ts';
