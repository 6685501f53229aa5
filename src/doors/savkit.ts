// Exports of 'savkit': files, operations on saved states, and their reports. Options, and types of the parts of
// reports, are in 'savkit/states'.

export {
  EnvironmentError,
  FormatError,
  InterruptedError,
  NotAStateError,
  type Place,
  SavkitError,
  UnsupportedError,
  UsageError,
} from '../../formats/errors.ts';
export { type ByteSink, openFileSink, streamSink, writeFileSink } from '../../formats/files/sink.ts';
export { type ByteSource, bufferSource, openFile, streamSource, withBeside } from '../../formats/files/source.ts';
export { type PageBatch, PageKind } from '../../formats/pgm/page-batch.ts';
export type { PageSink } from '../../formats/pgm/page-sink.ts';
export { type CheckReport, check } from '../saved-state/check/check.ts';
export { diffStates, type StateDiff } from '../saved-state/compare/diff.ts';
export { type ConvertReport, convert } from '../saved-state/convert/convert.ts';
export { describeState, type StateDescription } from '../saved-state/describe/describe.ts';
export { inspect } from '../saved-state/describe/inspect.ts';
export { type Explanation, explainCode } from '../saved-state/explain/explain.ts';
export { explainLog } from '../saved-state/explain/log-reader.ts';
export { type ExtractReport, extract } from '../saved-state/extract/extract.ts';
export { extractToStream } from '../saved-state/extract/extract-stream.ts';
export { inspectState, type StateInspection } from '../saved-state/families/inspect-state.ts';
export { readState } from '../saved-state/families/read-state.ts';
export { type StateReport, verifyState } from '../saved-state/families/verify-state.ts';
export { machineOf } from '../saved-state/machine-facts/machine-facts.ts';
export { readSettings } from '../saved-state/machine-facts/settings.ts';
export { compareWithManifest, type ManifestReport } from '../saved-state/manifest/compare-manifest.ts';
export { type Manifest, makeManifest } from '../saved-state/manifest/manifest.ts';
export { decodeManifest, encodeManifest } from '../saved-state/manifest/manifest-file.ts';
export { convertQemu, type QemuConvertReport, type QemuConvertRun } from '../saved-state/qemu-convert/convert-qemu.ts';
export { type QemuSalvageReport, salvageQemu } from '../saved-state/qemu-salvage/salvage-qemu.ts';
export type { Finding } from '../saved-state/reading/findings.ts';
export type { SavedState } from '../saved-state/reading/state.ts';
export type { StateView } from '../saved-state/reading/state-view.ts';
export { walkState } from '../saved-state/reading/walk.ts';
export { salvage } from '../saved-state/salvage/salvage.ts';
export type { SalvageReport } from '../saved-state/salvage/salvage-report.ts';
export { type Pattern, patternOf } from '../saved-state/search/pattern.ts';
export { type SearchReport, searchMemory } from '../saved-state/search/search-memory.ts';
export { type VerifyReport, verify } from '../saved-state/verify/verify.ts';
