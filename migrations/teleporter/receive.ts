import { FormatError, ownError, UnsupportedError } from '../../formats/errors.ts';
import { type FileSink, openFileSink } from '../../formats/files/sink.ts';
import { openFile } from '../../formats/files/source.ts';
import { clock } from '../../formats/world/waiting.ts';
import { type ConvertReport, convert } from '../../src/saved-state/convert/convert.ts';
import { errorOf, type Finding, findingOf } from '../../src/saved-state/reading/findings.ts';
import { type VerifyReport, verify } from '../../src/saved-state/verify/verify.ts';
import type { FrameSource } from './frames.ts';
import { PassObserver, type StreamFigures } from './pass-figures.ts';
import type { Peer } from './peer.ts';
import { serveSource, type TeleportRefusal } from './receiver.ts';
import { STATUS_NUMBERS } from './status.ts';

/** Fate of the machine after its state has arrived, complete and checked. */
export type Ending = 'hand-over' | 'decline';

export interface ReceiveOptions {
  ending: Ending;
  signal?: AbortSignal;
  onProgress?: (figures: StreamFigures) => void;
}

export interface ReceiveReport {
  /**
   * `handed-over`: the source powers its machine off, the file is the machine now. `declined`: the source runs on, the
   * file is a copy.
   */
  end: 'handed-over' | 'declined';
  /** The source's machine was paused, so the machine from the file should be, too. */
  paused: boolean;
  figures: StreamFigures;
  /**
   * Time from the end of the stream to our answer, in ms; with `decline`, the additional downtime of the source's
   * machine.
   */
  answerMs: number;
  state: NonNullable<VerifyReport['state']>;
  findings: Finding[];
}

/** Message for the source's user when this side declines; shown as an error there. */
export const DECLINED =
  'savkit has a complete copy of this machine and declines the machine itself, as it was asked to. The machine ' +
  'goes on here.';

/**
 * Takes the state of a running machine from an authenticated source into a file.
 *
 * The stream is checked as it arrives. The file is committed when the machine belongs to this side, or when the copy is
 * complete; in all other cases no part of the file remains, and the machine stays at the source.
 * @throws SavkitError
 */
export async function receiveState(peer: Peer, sink: FileSink, options: ReceiveOptions): Promise<ReceiveReport> {
  const observer = new PassObserver(options.onProgress);
  let report: VerifyReport | undefined;
  let streamEnd = 0;
  const load = async (stream: FrameSource): Promise<TeleportRefusal | undefined> => {
    report = await checkStream(stream, observer, options.signal);
    streamEnd = clock();
    if (options.ending === 'decline') return { status: STATUS_NUMBERS.VERR_SSM_CANCELLED, text: DECLINED };
    // The file is synced now, as a sync is slow and must not fail later: after the acknowledgement the source releases
    // its disks.
    await sink.sync();
    return undefined;
  };
  let answerMs = 0;
  let notDurable: Finding | undefined;
  const copy = { write: (bytes: Uint8Array) => sink.write(bytes) };
  const result = await serveSource(peer, {
    copy,
    load,
    takeOver: async () => {
      notDurable = await takeInto(sink);
    },
    onAnswered: () => (answerMs = clock() - streamEnd),
  });
  if (result.end === 'declined') await sink.commit();
  const { state, findings } = report as VerifyReport & { state: ReceiveReport['state'] };
  return {
    end: result.end,
    paused: result.end === 'handed-over' && result.paused,
    figures: observer.figures,
    answerMs,
    state,
    findings: notDurable ? [...findings, notDurable] : findings,
  };
}

/**
 * Puts a machine's file in its place.
 * @returns a warning about a file that may be lost in a crash; a refusal would leave the machine in two places
 * @throws EnvironmentError where there is no file
 */
async function takeInto(sink: FileSink): Promise<Finding | undefined> {
  try {
    await sink.commit();
    return undefined;
  } catch (error) {
    if (!sink.isInPlace) throw error;
    const finding = findingOf(ownError(error));
    const advice = 'the machine is in the file all the same; copy it to another disk before this host stops';
    return { ...finding, severity: 'warning', message: `${finding.message}; ${advice}` };
  }
}

/**
 * Warnings of `verify` that mean that a part of the machine is missing. VirtualBox's loader accepts such a state, but
 * taking over the machine with it would lose the machine.
 */
const INCOMPLETE = ['no-pgm', 'no-cpum'];

async function checkStream(
  stream: FrameSource,
  observer: PassObserver,
  signal: AbortSignal | undefined,
): Promise<VerifyReport> {
  const { onUnit, onPages, onProgress } = observer;
  const report = await verify(stream, {
    stopAtDamage: true,
    onUnit,
    onPages,
    onProgress,
    signal,
  });
  onProgress(stream.offset);
  const fault = report.findings.find(({ severity, code }) => severity === 'error' || INCOMPLETE.includes(code));
  if (fault) throw errorOf(fault);
  if (report.state?.header.format !== '2.0') {
    throw new UnsupportedError(
      'unsupported-container',
      'Cannot take stream: it is no container V2.0',
      {},
      'VERR_SSM_INTEGRITY_VERSION',
    );
  }
  return report;
}

/** Replaces the live state in a file by a plain one, once the plain state is complete. */
export async function flattenInPlace(path: string, signal?: AbortSignal): Promise<ConvertReport> {
  const sink = await openFileSink(path, { force: true, inPlaceOf: path });
  try {
    const source = await openFile(path);
    try {
      const report = await convert(source, sink, { flatten: true, signal });
      if (report.proof?.equal !== true)
        throw new FormatError('not-equal', `Cannot flatten ${path}: the result is not equal to the passes; they stay`);
      await sink.commit();
      return report;
    } finally {
      await source.close();
    }
  } catch (error) {
    await sink.abort();
    throw error;
  }
}
