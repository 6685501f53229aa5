// What scripts import from 'savkit'.

export { type ByteSink, type FileSink, openFileSink, type SeekableSink, streamSink } from '../formats/binary/sink.ts';
export { type ByteSource, bufferSource, openFile, streamSource } from '../formats/binary/source.ts';
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
export { PageBatch, PageKind } from '../formats/pgm/page-batch.ts';
export { PgmReader } from '../formats/pgm/pgm-reader.ts';
export type { Container, ContainerHeader, Release, UnitHeader } from '../formats/ssm/container.ts';
export { openContainer } from '../formats/ssm/open.ts';
export { PayloadReader } from '../formats/ssm/payload.ts';
export { Encoding } from '../formats/ssm/segments.ts';
export { describeState, type StateDescription } from './saved-state/describe.ts';
export { type ExtractOptions, type ExtractReport, extract, type ImageFormat, type ImageTarget } from './saved-state/extract.ts';
export type { Finding } from './saved-state/findings.ts';
export { inspect } from './saved-state/inspect.ts';
export { type MemoryRegion, memoryMap } from './saved-state/memory-map.ts';
export { type PagingMode, pagingModeOf } from './saved-state/paging-mode.ts';
export type { SavedState, UnitSummary } from './saved-state/state.ts';
export { type VerifyReport, verify } from './saved-state/verify.ts';
export { type PageSink, type WalkOptions, walkState } from './saved-state/walk.ts';
