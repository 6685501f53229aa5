import { ownError, UsageError } from '../../formats/errors.ts';
import { openFileSink } from '../../formats/files/sink.ts';
import { SECRET_VARIABLES } from '../../formats/world/secret-variables.ts';
import { awaitSource } from '../../migrations/teleporter/await-source.ts';
import { type Ending, flattenInPlace, type ReceiveReport, receiveState } from '../../migrations/teleporter/receive.ts';
import { passwordFault } from '../../migrations/teleporter/wire.ts';
import { endpointText, parseListenEndpoint } from '../../migrations/trust/endpoint.ts';
import { releaseText } from '../../src/saved-state/describe/describe.ts';
import { type Finding, findingOf } from '../../src/saved-state/reading/findings.ts';
import { openOutput } from '../io/output.ts';
import { readPassword } from '../io/password.ts';
import { finishing } from '../io/stop.ts';
import { ExitCode } from '../process/exit-codes.ts';
import type { CommonOptions, Job, Outcome } from '../process/run-command.ts';
import { sizeText } from '../terminal/size-text.ts';
import { good } from '../terminal/styles.ts';
import { indent, line, lines, NO_TEXT } from '../terminal/terminal-text.ts';
import { findingText } from '../text/finding-text.ts';
import { LiveReport } from '../text/live-report.ts';
import { figuresLine, passTable } from './figures-text.ts';

export interface ReceiveFileOptions extends CommonOptions {
  listen: string;
  output: string;
  passwordFile?: string;
  then: Ending;
  flatten: boolean;
  wait: number;
  force: boolean;
}

/** Waits for a VirtualBox that teleports a machine to this process, and writes the machine's state to a file. */
export async function receiveFile(options: ReceiveFileOptions, { signal }: Job): Promise<Outcome> {
  const endpoint = parseListenEndpoint(options.listen);
  const password = await teleporterPassword(options.passwordFile);
  const report = new LiveReport(options);
  // The output is opened before anybody connects: a file that can't be written must not cost a migration. A machine
  // that is taken over has to be in a file.
  const sink = await (options.then === 'decline' && !options.flatten ? openOutput : openFileSink)(options.output, {
    force: options.force,
  });
  try {
    const peer = await awaitSource(endpoint, {
      password,
      waitMs: options.wait === 0 ? Number.POSITIVE_INFINITY : options.wait * 1000,
      signal,
      onListening: (at) =>
        report.note('listening', line`Waiting for a source on ${endpointText(at)}`, { at: endpointText(at) }),
      onRefused: (from, why) => report.note('refused', line`${from} was refused: ${why}`, { from, why }),
    });
    report.note('connected', line`${peer.name} teleports a machine`, { from: peer.name });
    try {
      const received = await finishing(
        receiveState(peer, sink, {
          ending: options.then,
          signal,
          onProgress: (figures) =>
            report.update(
              'progress',
              () => figuresLine(figures),
              () => figures,
            ),
        }),
      );
      report.stop();
      return outcomeOf(received, options, options.flatten ? await flattened(options.output, signal) : undefined);
    } finally {
      report.stop();
      await peer.close();
    }
  } catch (error) {
    await sink.abort();
    throw error;
  }
}

/**
 * Flattens the file that was received; when that fails, the file is complete all the same, and the failure a finding.
 */
async function flattened(path: string, signal: AbortSignal): Promise<Finding | undefined> {
  try {
    await flattenInPlace(path, signal);
    return undefined;
  } catch (error) {
    return findingOf(ownError(error));
  }
}

/**
 * The password from a file, the environment or the terminal. @throws UsageError when there is none, or when it can't be
 * used
 */
export async function teleporterPassword(file: string | undefined): Promise<string> {
  const password = await readPassword(file, SECRET_VARIABLES.teleporterPassword, line`Teleporter password: `);
  const fault = passwordFault(password);
  if (fault) throw new UsageError('bad-password', `Cannot use this password: ${fault}`);
  return password;
}

function outcomeOf(received: ReceiveReport, options: ReceiveFileOptions, notFlattened: Finding | undefined): Outcome {
  const { end, paused, figures, answerMs, state } = received;
  const findings = [...received.findings, ...(notFlattened ? [notFlattened] : [])];
  const isFlat = options.flatten && notFlattened === undefined;
  const result = { end, paused, flattened: isFlat, answerMs, ...figures };
  const release = state.header.release ? ` by VirtualBox ${releaseText(state.header.release)}` : '';
  const amount = line`${sizeText(figures.bytes)} in ${figures.seconds.toFixed(1)} s${release}`;
  const text = [
    line`${options.output}: ${good('complete and checked')}, ${amount}${isFlat ? ', flattened' : ''}`,
    ...(options.quiet ? [] : [passTable(figures.passes), indent(endText(end, paused))]),
    ...findings.map((finding) => indent(findingText(finding))),
    ...(notFlattened ? [indent('not flattened; the file is complete all the same')] : []),
  ];
  return {
    exitCode: notFlattened ? ExitCode.PARTLY : ExitCode.OK,
    findings,
    result,
    text: options.quiet && !notFlattened ? NO_TEXT : lines(text),
  };
}

function endText(end: ReceiveReport['end'], paused: boolean): string {
  if (end === 'declined') return 'declined: the machine goes on at the source, where this shows as a failed teleport';
  return (
    `handed over: the source has let go of the machine${paused ? ', which was paused' : ''}; this file is the ` +
    'machine now'
  );
}
