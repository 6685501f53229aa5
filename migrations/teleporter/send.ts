import { FormatError, UsageError } from '../../formats/errors.ts';
import type { ByteSink } from '../../formats/files/sink.ts';
import type { ByteSource } from '../../formats/files/source.ts';
import { pgmVersion } from '../../formats/pgm/versions.ts';
import { KIB } from '../../formats/sizes.ts';
import {
  type ConvertRun,
  type PreparedConversion,
  prepareConversion,
  writeConversion,
} from '../../src/saved-state/convert/convert.ts';
import type { MachineLayout } from '../../src/saved-state/layout/machine-layout.ts';
import { errorOf } from '../../src/saved-state/reading/findings.ts';
import type { SavedState } from '../../src/saved-state/reading/state.ts';
import { stepOf } from '../../src/saved-state/reading/step.ts';
import { verify } from '../../src/saved-state/verify/verify.ts';

export interface ShipmentOptions {
  /** Send one plain state in place of the passes of a live save. */
  flatten?: boolean;
  /** Version of the memory unit; default: the state's, if targets can take it. */
  pgm?: number;
  /** Layout for states of pgm 6 to 9, which don't tell where ROMs and device memory are. */
  layout?: MachineLayout;
  signal?: AbortSignal;
  onProgress?: (doing: 'checking' | 'reading', offset: number) => void;
}

/** A checked state, prepared for the wire. */
export interface Shipment {
  state: SavedState;
  /** Conversion on the way; undefined if the file's bytes are the stream. */
  conversion: PreparedConversion | undefined;
  /** Writes the stream, for which the source must still be open. */
  write(sink: ByteSink): Promise<void>;
}

/**
 * A teleporter's stream is a V2.0 container with page records; older states are converted to the form of today's
 * releases.
 */
const STREAM_CONTAINER = '2.0';
const DEFAULT_PGM = 14;
/** Bytes read at a time from a file that is sent unchanged. */
const PIECE = 256 * KIB;

/**
 * Checks a state and prepares its sending. A target takes one connection only, and ends after a stream it can't load,
 * so damaged or inconvertible states are not sent at all.
 * @param source seekable
 * @throws FormatError for a damaged state; UnsupportedError, UsageError for a state that can't be sent
 */
export async function prepareShipment(source: ByteSource, options: ShipmentOptions = {}): Promise<Shipment> {
  const { flatten = false, pgm, layout, signal, onProgress } = options;
  if (!source.seekable)
    throw new UsageError('not-seekable', `Cannot send ${source.name}: it has to be read twice, so it must be a file`);
  const state = await checkedState(source, options);
  const run: ConvertRun = {
    container: STREAM_CONTAINER,
    flatten,
    ...versionFor(state, pgm),
    layout,
    signal,
    onProgress: onProgress && ((_doing, offset) => onProgress('reading', offset)),
  };
  const isStream = state.header.format === STREAM_CONTAINER && !flatten && run.pgm === undefined;
  if (isStream) return { state, conversion: undefined, write: (sink) => copyBytes(source, sink) };
  const conversion = await prepareConversion(source, run);
  return { state, conversion, write: (sink) => writeConversion(source, sink, conversion, { signal }) };
}

async function checkedState(source: ByteSource, { signal, onProgress }: ShipmentOptions): Promise<SavedState> {
  const report = await verify(source, {
    ...stepOf({ signal, onProgress }, 'checking'),
  });
  const fault = report.findings.find(
    ({ severity, code }) => severity === 'error' || code === 'no-pgm' || code === 'no-cpum',
  );
  if (!report.state || fault) {
    const error = fault ? errorOf(fault) : new FormatError('damaged', 'Cannot read the state');
    error.message += '; it was not sent';
    throw error;
  }
  return report.state;
}

function versionFor(state: SavedState, asked: number | undefined): { pgm?: number } {
  if (asked !== undefined) return { pgm: asked };
  const version = state.pgm && pgmVersion(state.pgm.version);
  return version && version.pages !== 'records' ? { pgm: DEFAULT_PGM } : {};
}

async function copyBytes(source: ByteSource, sink: ByteSink): Promise<void> {
  const bytes = new Uint8Array(PIECE);
  for (let position = 0; ; ) {
    const count = await source.read(bytes, position);
    if (count === 0) return;
    await sink.write(bytes.subarray(0, count));
    position += count;
  }
}
